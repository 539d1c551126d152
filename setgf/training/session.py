"""Everything that changes while a run trains, and its state: what a checkpoint holds."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from setgf.config import ExperimentConfig, TrainConfig
from setgf.model.network import Network
from setgf.training.averages import WeightAverage
from setgf.training.early_stopping import EarlyStopping
from setgf.training.labels import LabelGenerator
from setgf.training.optim import load_optimizer
from setgf.training.seeding import random_states, restore_random_states


@dataclass(slots=True)
class Position:
    """How far training has come; always at the border of two optimizer steps."""

    epoch: int = 1
    """The epoch being trained."""
    batches: int = 0
    """Micro-batches of it that are done: where the sampler stands."""
    step: int = 0
    """Optimizer steps made."""
    loss_sum: float = 0.0
    """Sum of the fusion loss over the epoch's samples so far."""
    samples: int = 0
    """Samples of the epoch so far."""

    def next_epoch(self) -> None:
        """Move to the beginning of the next epoch."""
        self.epoch, self.batches, self.loss_sum, self.samples = self.epoch + 1, 0, 0.0, 0


@dataclass(slots=True, kw_only=True)
class Session:
    """A run in training."""

    config: ExperimentConfig
    device: torch.device
    network: Network
    optimizer: Optimizer
    labels: LabelGenerator
    stopping: EarlyStopping
    total_steps: int
    """Optimizer steps of `max_epochs` epochs: the length of the schedule."""
    threads: int
    scaler: torch.amp.GradScaler
    """Keeps float16 gradients from vanishing; does nothing in other number formats."""
    average: WeightAverage | None = None
    """Moving average of the weights; None where it is off."""
    position: Position = field(default_factory=Position)
    seconds: float = 0.0
    """Time trained so far, over all attempts, up to the last moment that was noted."""
    on_batch: Callable[[], None] | None = None
    """Told after every batch that work goes on."""
    _noted_at: float = field(default_factory=time.monotonic)

    @property
    def is_over(self) -> bool:
        """True when no epoch is left, none is worth it, or the time is up at the end of one."""
        if self.position.epoch > self.config.train.max_epochs or self.stopping.has_given_up:
            return True
        limit = self.config.train.max_minutes * 60
        is_between = self.position.batches == 0 and self.position.epoch > 1
        return 0 < limit <= self.seconds and is_between

    def note_time(self) -> None:
        """Add what has passed since the last note to `seconds`."""
        now = time.monotonic()
        self.seconds += now - self._noted_at
        self._noted_at = now

    def judged(self) -> AbstractContextManager[None]:
        """Return a context in which the network has the weights that are evaluated and kept."""
        return nullcontext() if self.average is None else self.average.applied()

    def tell_batch(self) -> None:
        """Say that a batch is done."""
        if self.on_batch is not None:
            self.on_batch()

    def precision(self) -> torch.autocast:
        """Return the number format of matrix products, as a context."""
        return number_format(self.config.train, self.device)

    def weights(self) -> dict[str, Tensor]:
        """Return a copy of the weights that are evaluated, without those of a frozen encoder.

        On the CPU; averages where they are on.
        """
        state = self.network.state_dict()
        if self.average is not None:
            state.update(self.average.weights())
        return {name: value.detach().to("cpu", copy=True) for name, value in state.items()}

    def state_dict(self) -> dict[str, Any]:
        """Return everything a resume needs, as tensors and plain data."""
        self.note_time()
        state = {
            "position": asdict(self.position),
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "labels": self.labels.state_dict(),
            "stopping": self.stopping.state_dict(),
            "random": random_states(),
            "threads": self.threads,
            "seconds": self.seconds,
        }
        if self.average is not None:
            state["average"] = self.average.state_dict()
        if self.scaler.is_enabled():
            state["scaler"] = self.scaler.state_dict()
        return state

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from `state_dict`."""
        self.position = Position(**state["position"])
        self.network.load_state_dict(state["network"])
        load_optimizer(self.optimizer, state["optimizer"])
        self.labels.load_state_dict(state["labels"])
        self.stopping.load_state_dict(state["stopping"])
        restore_random_states(state["random"])
        self.seconds = state.get("seconds", 0.0)  # 0.1.0 did not count
        self._noted_at = time.monotonic()
        if self.average is not None:
            self.average.load_state_dict(state["average"])
        if self.scaler.is_enabled():
            self.scaler.load_state_dict(state["scaler"])


def number_format(config: TrainConfig, device: torch.device) -> torch.autocast:
    """Return the number format of matrix products on a device, as a context."""
    kind = torch.float16 if config.precision == "float16" else torch.bfloat16
    return torch.autocast(device.type, kind, enabled=config.precision != "float32")


def hash_weights(weights: Mapping[str, Tensor]) -> str:
    """Return the SHA-256 of names, types, shapes and values, in hex."""
    digest = hashlib.sha256()
    for name in sorted(weights):
        value = weights[name].detach().cpu().contiguous()
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}\n".encode())
        digest.update(value.flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
