"""The optimizer, the course of its learning rate, and gradient clipping."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn
from torch.optim import Adam, AdamW, Optimizer

from setgf.config import OptimConfig
from setgf.model.network import ParameterGroup


def build_optimizer(groups: Sequence[ParameterGroup], config: OptimConfig) -> Optimizer:
    """Return the optimizer of a network's parameter groups; fused: one pass over the weights."""
    described = [
        {
            "params": list(group.parameters),
            "lr": config.lr_text if group.is_text else config.lr,
            "weight_decay": config.weight_decay if group.has_decay else 0.0,
            "is_text": group.is_text,
        }
        for group in groups
    ]
    kind = AdamW if config.optimizer == "adamw" else Adam
    return kind(described, fused=True)


def set_learning_rates(
    optimizer: Optimizer, config: OptimConfig, *, step: int, total_steps: int
) -> None:
    """Give every group its learning rate for optimizer step `step`, counted from 1."""
    factor = schedule(config, step=step, total_steps=total_steps)
    for group in optimizer.param_groups:
        group["lr"] = factor * (config.lr_text if group["is_text"] else config.lr)


def learning_rates(optimizer: Optimizer) -> dict[str, float]:
    """Return the learning rates in use by series name."""
    return {
        "train.lr_text" if group["is_text"] else "train.lr": float(group["lr"])
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
