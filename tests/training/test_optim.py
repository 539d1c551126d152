from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from torch import nn

from setgf.config import OptimConfig
from setgf.training.optim import (
    build_optimizer,
    clip_gradients,
    learning_rates,
    load_optimizer,
    schedule,
    set_learning_rates,
)
from setgf.training.parameters import ParameterGroup, Part


def groups() -> tuple[ParameterGroup, ...]:
    def make(part: Part, lr: float, weight_decay: float) -> ParameterGroup:
        parameters = (nn.Parameter(torch.ones(3)),)
        return ParameterGroup(part=part, lr=lr, weight_decay=weight_decay, parameters=parameters)

    return (make("text", 1e-5, 0.0), make("rest", 1e-3, 0.1), make("rest", 1e-3, 0.0))


@pytest.mark.parametrize("course", ["cosine", "linear", "constant"])
def test_the_rate_rises_over_the_warmup_and_never_again(course):
    config = OptimConfig(schedule=course, warmup_ratio=0.2)
    factors = [schedule(config, step=step, total_steps=50) for step in range(1, 51)]

    assert factors[:10] == pytest.approx([step / 10 for step in range(1, 11)])
    assert all(first >= second for first, second in pairwise(factors[9:]))
    assert all(0 < factor <= 1 for factor in factors)


def test_the_schedule_follows_its_curve():
    half = {"cosine": 0.5, "linear": 0.5, "constant": 1.0}
    for course, expected in half.items():
        config = replace(OptimConfig(warmup_ratio=0.0), schedule=course)
        assert schedule(config, step=51, total_steps=100) == pytest.approx(expected)
        assert schedule(config, step=1, total_steps=100) == 1.0


def test_text_learns_at_its_own_rate():
    config = OptimConfig(lr=1e-3, lr_text=1e-5, warmup_ratio=0.0)
    optimizer = build_optimizer(groups(), config)

    set_learning_rates(optimizer, config, step=6, total_steps=10)

    rates = learning_rates(optimizer)
    assert rates["train.lr_text"] == pytest.approx(rates["train.lr"] / 100)


@pytest.mark.parametrize("kind", ["adamw", "adam"])
def test_only_groups_with_decay_shrink_without_a_gradient(kind):
    optimizer = build_optimizer(groups(), OptimConfig(optimizer=kind))
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            parameter.grad = torch.zeros_like(parameter)

    optimizer.step()

    text, decayed, kept = (group["params"][0] for group in optimizer.param_groups)
    assert (decayed < 1).all()
    assert torch.equal(kept, torch.ones(3))
    assert torch.equal(text, torch.ones(3))


def test_the_state_of_an_optimizer_of_the_first_release_can_be_gone_on_from():
    config = OptimConfig(lr=1e-3, lr_text=1e-5, warmup_ratio=0.0)
    optimizer = build_optimizer(groups(), config)
    state = optimizer.state_dict()
    for group in state["param_groups"]:
        group["is_text"] = group.pop("part") == "text"

    load_optimizer(optimizer, state)
    set_learning_rates(optimizer, config, step=1, total_steps=10)

    assert learning_rates(optimizer) == {"train.lr_text": 1e-5, "train.lr": 1e-3}


def test_gradients_are_cut_to_the_norm_and_the_norm_before_is_told():
    parameter = nn.Parameter(torch.zeros(4))
    parameter.grad = torch.full((4,), 3.0)

    assert clip_gradients([parameter], 1.5).item() == pytest.approx(6.0)

    assert parameter.grad is not None
    assert parameter.grad.norm().item() == pytest.approx(1.5, rel=1e-4)


def test_a_clip_norm_of_zero_leaves_gradients_alone():
    parameter = nn.Parameter(torch.zeros(4))
    parameter.grad = torch.full((4,), 3.0)

    assert clip_gradients([parameter], 0.0).item() == pytest.approx(6.0)

    assert torch.equal(parameter.grad, torch.full((4,), 3.0))
