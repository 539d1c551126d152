"""The moving average of weights."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from setgf.training.averages import WeightAverage


def moved(network: nn.Linear, value: float) -> None:
    with torch.no_grad():
        network.weight.fill_(value)


def test_the_average_follows_the_weights_fast_at_first_and_then_by_its_decay():
    network = nn.Linear(1, 1, bias=False)
    moved(network, 0.0)
    average = WeightAverage(network, 0.5)
    expected = 0.0

    for update in range(1, 12):
        moved(network, float(update))
        average.update()
        decay = min(0.5, (1 + update) / (10 + update))
        expected = decay * expected + (1 - decay) * update

        assert average.weights()["weight"].item() == pytest.approx(expected)


def test_a_network_has_the_averages_for_a_while_and_then_its_own_weights_to_the_bit():
    network = nn.Linear(3, 2)
    average = WeightAverage(network, 0.9)
    with torch.no_grad():
        network.weight.add_(1)
    average.update()
    own = network.weight.clone()
    held = average.weights()["weight"].clone()

    with average.applied():
        assert torch.equal(network.weight, held)
        assert not torch.equal(network.weight, own)

    assert torch.equal(network.weight, own)
    assert torch.equal(average.weights()["weight"], held)


def test_what_is_frozen_is_not_averaged():
    network = nn.Linear(3, 2)
    network.bias.requires_grad_(False)

    assert list(WeightAverage(network, 0.9).weights()) == ["weight"]


def test_an_average_goes_on_from_its_state():
    network = nn.Linear(3, 2)
    one, two = WeightAverage(network, 0.9), WeightAverage(network, 0.9)
    for number in range(4):
        moved(network, float(number))
        one.update()
    two.load_state_dict({name: value.clone() for name, value in one.state_dict().items()})

    one.update()
    two.update()

    assert all(torch.equal(one.weights()[name], value) for name, value in two.weights().items())
