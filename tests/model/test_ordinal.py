"""The auxiliary head that orders the classes."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from setgf.metrics.classes import classify
from setgf.model.ordinal import OrdinalHead, levels
from setgf.model.output import ModelOutput
from setgf.model.registry import network_names
from setgf.terms import Branch, Dataset
from tests.model.builders import make_batch, small_network


@pytest.mark.parametrize(("dataset", "num_classes"), [(Dataset.MOSI, 7), (Dataset.SIMSV2, 5)])
def test_levels_count_up_to_the_class_of_the_protocol(dataset, num_classes):
    limit = 1.5 * dataset.label_limit
    edges = torch.tensor([-2.5, -1.5, -0.7, -0.5, -0.1, 0.0, 0.1, 0.5, 0.7, 1.5, 2.5])
    label = torch.cat([edges, torch.linspace(-limit, limit, 301)])

    found = levels(label, dataset)

    assert found.shape == (len(label), num_classes - 1)
    assert (found[:, :-1] >= found[:, 1:]).all()  # above class k + 1 means above class k
    expected = classify(dataset, num_classes, label.numpy())
    np.testing.assert_array_equal(found.sum(1).numpy(), expected)


@pytest.mark.parametrize("width", [2, None], ids=["feature", "score"])
def test_the_head_learns_the_order_of_classes_from_one_direction(width: int | None):
    torch.manual_seed(0)
    head = OrdinalHead(width, Dataset.MOSI)
    label = torch.linspace(-3, 3, 61)
    feature = torch.stack([label, torch.ones_like(label)], -1)
    output = ModelOutput(scores={Branch.FUSION: label}, features={Branch.FUSION: feature})
    optimizer = torch.optim.Adam(head.parameters(), lr=0.2)
    before = head.loss(output, label).item()

    for _ in range(200):
        optimizer.zero_grad()
        head.loss(output, label).backward()
        optimizer.step()

    assert head.loss(output, label).item() < 0.25 * before
    assert ((head(output) > 0).sum(1) == levels(label, Dataset.MOSI).sum(1)).float().mean() > 0.9
    assert (head.thresholds.diff() < 0).all()


@pytest.mark.parametrize("model", network_names())
def test_every_network_has_the_head_where_it_has_a_weight_and_only_there(model: str):
    assert small_network({"model.name": model}).ordinal is None

    network = small_network({"model.name": model, "loss.ordinal_weight": 0.1})

    assert network.ordinal is not None
    network.ordinal.loss(network(make_batch()), torch.tensor([1.0, -2.0, 0.4])).backward()
    for name, parameter in network.ordinal.named_parameters():
        assert parameter.grad is not None and parameter.grad.any(), name
    reached = [name for name, p in network.named_parameters() if p.grad is not None]
    assert any(not name.startswith("ordinal.") for name in reached)
    assert {name for name in network.state_dict() if name.startswith("ordinal.")} == {
        "ordinal.direction.weight",
        "ordinal.thresholds",
    }
