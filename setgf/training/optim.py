"""The optimizer, the course of its learning rate, and gradient clipping."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Adam, AdamW, Optimizer

from setgf.config import OptimConfig
from setgf.training.parameters import ParameterGroup, learning_rate


def build_optimizer(groups: Sequence[ParameterGroup], config: OptimConfig) -> Optimizer:
    """Return the optimizer of a network's parameter groups; fused: one pass over the weights."""
    described = [
        {
            "params": list(group.parameters),
            "lr": group.lr,
            "weight_decay": group.weight_decay,
            "part": group.part,
        }
        for group in groups
    ]
    kind = AdamW if config.optimizer == "adamw" else Adam
    return kind(described, fused=True)


def load_optimizer(optimizer: Optimizer, state: dict[str, Any]) -> None:
    """Go on from the state of an optimizer with the same groups."""
    parts = [group["part"] for group in optimizer.param_groups]
    optimizer.load_state_dict(state)
    for group, part in zip(optimizer.param_groups, parts, strict=True):
        group["part"] = part  # checkpoints of 0.1.0 do not say it


def set_learning_rates(
    optimizer: Optimizer, config: OptimConfig, *, step: int, total_steps: int
) -> None:
    """Give every group its learning rate for optimizer step `step`, counted from 1."""
    factor = schedule(config, step=step, total_steps=total_steps)
    for group in optimizer.param_groups:
        group["lr"] = factor * learning_rate(config, group["part"])


def learning_rates(optimizer: Optimizer) -> dict[str, float]:
    """Return the learning rates in use by series name."""
    return {
        "train.lr" if group["part"] == "rest" else f"train.lr_{group['part']}": float(group["lr"])
        for group in optimizer.param_groups
    }


def schedule(config: OptimConfig, *, step: int, total_steps: int) -> float:
    """Return the share of the peak learning rate at a step, counted from 1; never 0.

    It rises over the first `warmup_ratio` of all steps, then falls along a half cosine or a line
    towards 0, or stays.
    """
    warmup_steps = round(config.warmup_ratio * total_steps)
    if step <= warmup_steps:
        return step / warmup_steps
    if config.schedule == "constant":
        return 1.0
    done = min(1.0, (step - 1 - warmup_steps) / max(1, total_steps - warmup_steps))
    if config.schedule == "linear":
        return 1.0 - done
    return 0.5 * (1.0 + math.cos(math.pi * done))


def clip_gradients(parameters: Iterable[nn.Parameter], clip_norm: float) -> Tensor:
    """Scale all gradients down to a norm of `clip_norm` at most (0: leave them).

    Returns:
        () float32. The norm before scaling.
    """
    gradients = [p for p in parameters if p.grad is not None]
    if clip_norm > 0:
        return nn.utils.clip_grad_norm_(gradients, clip_norm)
    return nn.utils.get_total_norm([p.grad for p in gradients if p.grad is not None])


def trainable(optimizer: Optimizer) -> list[nn.Parameter]:
    """Return every parameter the optimizer moves."""
    return [p for group in optimizer.param_groups for p in group["params"]]


def to_mean(part: Tensor, size: int, total: int) -> Tensor:
    """Return a micro-batch's share of the mean over its group of `total` samples."""
    return part if size == total else part * (size / total)


def stack(parts: Iterable[Tensor]) -> Tensor:
    """Return scalars as one vector (n,) float32: one transfer to the host instead of n."""
    return torch.stack([part.detach().float() for part in parts])
