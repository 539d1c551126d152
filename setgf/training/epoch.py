"""One epoch: micro-batches in, optimizer steps out.

The host never waits for the device inside a step. On a GPU the numbers of a step are fetched some
steps later, and always before a checkpoint, so that one never holds weights that are not finite.

Shapes: B samples of all micro-batches of a step.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from setgf.config import OptimConfig
from setgf.data.batch import BatchSource
from setgf.data.prefetch import BatchFeed
from setgf.data.sampler import epoch_order
from setgf.errors import DivergedError
from setgf.terms import Branch, Split
from setgf.training.evaluate import name_samples
from setgf.training.labels import Samples
from setgf.training.losses import joint_loss
from setgf.training.optim import (
    clip_gradients,
    learning_rates,
    set_learning_rates,
    stack,
    to_mean,
    trainable,
)
from setgf.training.recorder import Recorder
from setgf.training.session import Session

Rows = NDArray[np.int64]
PENDING_ON_GPU = 16
"""Steps whose numbers may wait on the device."""


@dataclass(frozen=True, slots=True)
class StepNumbers:
    """What one optimizer step leaves to be logged."""

    step: int
    epoch: int
    names: tuple[str, ...]
    values: Tensor
    """(n,) float32 by name, on the device."""
    rates: dict[str, float]
    rows: Rows
    """(B,). Samples of the step."""
    scores: Tensor
    """(B,) float32. Fusion scores, on the device."""


class StepLog:
    """Hands the numbers of steps to the recorder, in order, and notices divergence."""

    def __init__(self, session: Session, recorder: Recorder, ids: Sequence[str]) -> None:
        self._session = session
        self._recorder = recorder
        self._ids = ids
        self._pending: list[StepNumbers] = []
        self.last_loss = math.nan

    def add(self, numbers: StepNumbers) -> None:
        """Take the numbers of a step; fetch them now or later."""
        self._pending.append(numbers)
        if self._session.device.type == "cpu" or len(self._pending) >= PENDING_ON_GPU:
            self.flush()

    def flush(self) -> None:
        """Record everything that is waiting.

        Raises:
            DivergedError: a loss or a gradient norm is not finite; names samples.
        """
        pending, self._pending = self._pending, []
        for numbers in pending:
            values = dict(zip(numbers.names, numbers.values.tolist(), strict=True))
            self._check(numbers, values)
            self._recorder.log(numbers.step, values | numbers.rates)
            self.last_loss = values["train.loss"]
            self._session.position.loss_sum += self.last_loss * len(numbers.rows)
            self._session.position.samples += len(numbers.rows)

    def _check(self, numbers: StepNumbers, values: dict[str, float]) -> None:
        wrong = [name for name, value in values.items() if not math.isfinite(value)]
        if not wrong:
            return
        finite = torch.isfinite(numbers.scores).cpu().numpy()
        rows = numbers.rows if finite.all() else numbers.rows[~finite]
        ids = [self._ids[int(row)] for row in rows]
        raise DivergedError(
            f"Training diverged at step {numbers.step} (epoch {numbers.epoch}): `{wrong[0]}` is "
            f"{values[wrong[0]]}. Samples of the step: {name_samples(ids)}. "
            "Lower `optim.lr` or `optim.lr_text`, or set `data.normalise=true`."
        )


def train_epoch(
    session: Session, source: BatchSource, *, log: StepLog, after_step: Callable[[], None]
) -> float:
    """Train from the session's position to the end of its epoch.

    Args:
        session: moved in place.
        source: the train split.
        log: takes the numbers of every step.
        after_step: called at the border of two steps: the moment to checkpoint or leave.

    Returns:
        The seconds in which training waited for its batches.

    Raises:
        DivergedError: the loss is not finite.
    """
    position = session.position
    batches = epoch_batches(session, source)[position.batches :]
    with BatchFeed(source, batches) as feed:
        for group in _groups(batches, session.config.optim.accumulation_steps):
            # After every interruption, by an evaluation or a checkpoint, the mode is set anew.
            session.network.train()
            session.network.text_encoder.use_cache(Split.TRAIN.value)
            numbers = train_step(session, feed, group)
            position.batches += len(group)
            position.step += 1
            log.add(numbers)
            after_step()
    log.flush()
    return feed.waited


def epoch_batches(session: Session, source: BatchSource) -> list[Rows]:
    """Return the micro-batches of the session's epoch, in order; the same at every call."""
    return epoch_order(
        source.lengths,
        batch_size=session.config.optim.batch_size,
        seed=session.config.seed,
        epoch=session.position.epoch,
        group_by_length=session.config.train.group_by_length,
        shuffle=True,
    )


def num_steps(num_samples: int, config: OptimConfig) -> int:
    """Return the optimizer steps of one epoch, partial groups included."""
    num_batches = math.ceil(num_samples / config.batch_size)
    return math.ceil(num_batches / config.accumulation_steps)


def train_step(session: Session, feed: BatchFeed, group: Sequence[Rows]) -> StepNumbers:
    """Make one optimizer step of the next micro-batches: the mean gradient of their samples.

    Args:
        session: moved in place.
        feed: gives the micro-batches of `group` next.
        group: their rows.
    """
    step = session.position.step + 1
    optim = session.config.optim
    set_learning_rates(session.optimizer, optim, step=step, total_steps=session.total_steps)
    session.optimizer.zero_grad(set_to_none=True)
    rows = np.concatenate(group)
    parts: dict[str, Tensor] = {}
    scores: list[Tensor] = []
    for batch_rows in group:
        batch, labels = next(feed)
        samples = Samples(session.position.epoch, batch.index, labels)
        targets = session.labels.targets(samples)
        with session.precision():
            output = session.network(batch)
        loss = joint_loss(output, labels.fusion, targets, session.config.loss)
        to_mean(loss.total, len(batch_rows), len(rows)).backward()
        features = {branch: value.detach() for branch, value in output.features.items()}
        session.labels.after_batch(samples, features)
        scores.append(output.scores[Branch.FUSION].detach())
        for name, part in loss.parts().items():
            share = to_mean(part.detach(), len(batch_rows), len(rows))
            parts[name] = parts[name] + share if name in parts else share
        session.tell_batch()
    parts["train.gradient_norm"] = clip_gradients(trainable(session.optimizer), optim.clip_norm)
    session.optimizer.step()
    return StepNumbers(
        step=step,
        epoch=session.position.epoch,
        names=tuple(parts),
        values=stack(parts.values()),
        rates=learning_rates(session.optimizer),
        rows=rows,
        scores=torch.cat(scores),
    )


def _groups(batches: Sequence[Rows], size: int) -> Iterator[Sequence[Rows]]:
    """Yield `size` micro-batches at a time; what is left at the end makes a step of its own."""
    for start in range(0, len(batches), size):
        yield batches[start : start + size]
