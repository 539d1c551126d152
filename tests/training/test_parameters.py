"""Every parameter learns at the rate, and shrinks by the decay, of its part."""

from __future__ import annotations

from typing import Any

import pytest

from setgf.model.network import Network
from setgf.training.parameters import ParameterGroup, parameter_groups
from tests.model.builders import small_config, small_network

OWN = {
    "optim.lr": 1e-3,
    "optim.lr_text": 5e-5,
    "optim.lr_audio": 5e-3,
    "optim.lr_vision": 1e-4,
    "optim.weight_decay": 0.01,
    "optim.weight_decay_text": 0.1,
    "optim.weight_decay_audio": 0.0,
    "optim.weight_decay_vision": 0.5,
    "optim.decay_on": "reference",
}


def grouped(
    settings: dict[str, Any],
) -> tuple[Network, dict[str, ParameterGroup], dict[str, ParameterGroup]]:
    """A network, its groups by name, and the group of every parameter by the parameter's name."""
    network = small_network(settings)
    groups = parameter_groups(network, small_config(settings).optim)
    group_of = {id(p): group for group in groups for p in group.parameters}
    assert sum(len(group.parameters) for group in groups) == len(group_of)
    by_name = {name: group_of[id(p)] for name, p in network.named_parameters() if p.requires_grad}
    assert len(by_name) == len(group_of)
    return network, {group.name: group for group in groups}, by_name


@pytest.mark.parametrize("model", ["setgf", "self_mm", "text_only"])
def test_text_and_rest_are_apart_and_norms_biases_and_heads_do_not_decay(model):
    network, groups, by_name = grouped({"model.name": model})

    assert set(groups) <= {"text.decay", "text.no_decay", "rest.decay", "rest.no_decay"}
    for name, parameter in network.named_parameters():
        group = by_name[name]
        assert group.part == ("text" if name.startswith("text_encoder.") else "rest")
        is_plain = parameter.ndim > 1 and not name.startswith("heads.")
        assert (group.weight_decay > 0) == is_plain, name
        assert group.lr == (5e-5 if group.part == "text" else 5e-4)


def test_a_frozen_encoder_is_in_no_group():
    _, groups, _ = grouped({"text.finetune": False})

    assert list(groups) == ["rest.decay", "rest.no_decay"]


@pytest.mark.parametrize("model", ["setgf", "self_mm"])
def test_audio_and_vision_have_rates_and_decays_of_their_own_as_in_self_mm(model):
    network, groups, by_name = grouped({"model.name": model, **OWN})

    assert [(g.part, g.lr, g.weight_decay) for g in groups.values()] == [
        ("text", 5e-5, 0.1),
        ("text", 5e-5, 0.0),
        ("rest", 1e-3, 0.01),
        ("audio", 5e-3, 0.0),
        ("vision", 1e-4, 0.5),
    ]
    for name, _ in network.named_parameters():
        first = name.partition(".")[0]
        expected = first if first in ("audio", "vision") else "rest"
        assert by_name[name].part == (expected if first != "text_encoder" else "text"), name


def test_the_published_rule_spares_only_biases_and_norms_of_the_text_encoder():
    network, _, by_name = grouped({"model.name": "self_mm", "optim.decay_on": "reference"})

    for name, parameter in network.named_parameters():
        spared = name.startswith("text_encoder.") and parameter.ndim < 2
        assert (by_name[name].weight_decay == 0) == spared, name
