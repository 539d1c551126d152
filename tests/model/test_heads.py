from __future__ import annotations

from typing import Any

import pytest
import torch

from setgf.model.heads import BranchHeads, ScoreHead, unimodal_tasks
from setgf.terms import Branch
from tests.model.builders import small_config


@torch.no_grad()
def test_a_head_is_three_layers_and_its_feature_is_the_first() -> None:
    head = ScoreHead(4, 3, dropout=0.5).eval()
    vector = torch.randn(2, 4)

    score, feature = head(vector)

    torch.testing.assert_close(feature, head.first(vector).clamp(min=0))
    expected = head.third(head.second(feature).clamp(min=0))
    torch.testing.assert_close(score, expected[:, 0])


def test_a_batch_of_one_stays_a_batch() -> None:
    score, feature = ScoreHead(4, 3, dropout=0)(torch.randn(1, 4))

    assert score.shape == (1,)
    assert feature.shape == (1, 3)


def test_each_branch_has_the_width_of_its_setting() -> None:
    heads = BranchHeads(dict.fromkeys(Branch, 5), small_config().model)

    _, features = heads(dict.fromkeys(Branch, torch.randn(2, 5)))

    widths = {branch.value: feature.shape[1] for branch, feature in features.items()}
    assert widths == {"fusion": 12, "text": 10, "audio": 8, "vision": 6}


@pytest.mark.parametrize(
    ("settings", "tasks"),
    [
        ({}, ["text", "audio", "vision"]),
        ({"loss.tasks": "vision,text"}, ["text", "vision"]),
        ({"loss.tasks": ""}, []),
        ({"data.modalities": "text,audio"}, ["text", "audio"]),
        ({"labels.mode": "none"}, []),
        ({"loss.unimodal_weight": 0}, []),
    ],
)
def test_a_unimodal_head_exists_for_every_task_that_is_trained(
    settings: dict[str, Any], tasks: list[str]
) -> None:
    assert [str(task) for task in unimodal_tasks(small_config(settings))] == tasks
