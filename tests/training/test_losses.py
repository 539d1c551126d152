from __future__ import annotations

import pytest
import torch

from setgf.config import LossConfig
from setgf.model.ordinal import OrdinalHead
from setgf.model.output import ModelOutput
from setgf.terms import Branch, Dataset, Modality
from setgf.training.labels import Target
from setgf.training.losses import joint_loss

LABEL = torch.tensor([1.0, -2.0])
OUTPUT = ModelOutput(
    scores={Branch.FUSION: torch.tensor([2.0, -2.0]), Branch.TEXT: torch.tensor([0.0, 0.0])},
    consistency=torch.tensor(0.4),
)
TARGETS = {Modality.TEXT: Target(torch.tensor([1.0, 3.0]), torch.tensor([0.5, 1.0]))}


def test_the_joint_loss_is_the_weighted_sum_of_its_parts():
    config = LossConfig(unimodal_weight=2.0, consistency_weight=0.5)

    loss = joint_loss(OUTPUT, LABEL, TARGETS, config)

    assert loss.fusion.item() == pytest.approx(0.5)
    assert loss.tasks[Modality.TEXT].item() == pytest.approx((0.5 * 1 + 1.0 * 3) / 2)
    assert loss.total.item() == pytest.approx(0.5 + 2 * 1.75 + 0.5 * 0.4)


def test_parts_are_named_as_series():
    parts = joint_loss(OUTPUT, LABEL, TARGETS, LossConfig()).parts()

    assert list(parts) == ["train.loss", "train.joint_loss", "train.text.loss", "train.consistency"]
    assert parts["train.loss"].item() == pytest.approx(0.5)


def test_a_network_without_tasks_has_the_fusion_loss_alone():
    output = ModelOutput(scores={Branch.FUSION: torch.tensor([2.0, -2.0])})

    loss = joint_loss(output, LABEL, {}, LossConfig())

    assert loss.total.item() == loss.fusion.item() == pytest.approx(0.5)


def test_further_losses_of_a_network_are_added_and_named():
    output = ModelOutput(
        scores={Branch.FUSION: torch.tensor([2.0, -2.0])},
        losses={"similarity": torch.tensor(0.25), "reconstruction": torch.tensor(2.0)},
    )

    loss = joint_loss(output, LABEL, {}, LossConfig())

    assert loss.total.item() == pytest.approx(0.5 + 0.25 + 2.0)
    assert list(loss.parts()) == [
        "train.loss",
        "train.joint_loss",
        "train.similarity",
        "train.reconstruction",
    ]
    assert loss.parts()["train.reconstruction"].item() == 2.0


def test_tasks_have_weights_of_their_own():
    config = LossConfig(consistency_weight=0.0, text_weight=3.0)

    loss = joint_loss(OUTPUT, LABEL, TARGETS, config)

    assert loss.total.item() == pytest.approx(0.5 + 3 * 1.75)
    assert loss.parts()["train.text.loss"].item() == pytest.approx(1.75)


def test_an_ordinal_head_reads_the_fusion_feature_and_is_logged():
    output = ModelOutput(scores=OUTPUT.scores, features={Branch.FUSION: torch.ones(2, 4)})
    head = OrdinalHead(4, Dataset.MOSI)
    expected = head.loss(output, LABEL).item()

    loss = joint_loss(output, LABEL, {}, LossConfig(ordinal_weight=0.5), head=head)

    assert loss.total.item() == pytest.approx(0.5 + 0.5 * expected)
    assert loss.parts()["train.ordinal"].item() == pytest.approx(expected)
