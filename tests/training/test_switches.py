"""Every switch of training changes the numbers it names, and no other, in the very first step."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from setgf.data.batch import open_batches
from setgf.data.prefetch import BatchFeed
from setgf.data.synthetic import synthesise
from setgf.home import Home
from setgf.terms import Dataset, Split
from setgf.training.epoch import epoch_batches, merge, train_step
from setgf.training.setup import build_session
from tests.training.conftest import tiny_config

STILL = {
    "attention_dropout": 0.0,
    "feedforward_dropout": 0.0,
    "head_dropout": 0.0,
    "text__dropout": 0.0,
    "finetune": False,
    "accumulation_steps": 2,
    "labels__mode": "copy",
}
LOSSES = {f"train.{name}loss" for name in ("", "text.", "audio.", "vision.")}
SUM = {"train.joint_loss", "train.gradient_norm"}
SWITCHES: dict[str, tuple[dict[str, Any], set[str]]] = {
    "accumulation": ({"accumulation": "reference"}, {"train.gradient_norm"}),
    "calibrate": ({"calibrate": True}, set()),
    "decay_on": ({"decay_on": "reference", "weight_decay": 0.5}, set()),
    "ema_decay": ({"ema_decay": 0.9}, set()),
    "label form": ({"labels__mode": "fixed", "form": "standardised"}, set()),
    "label limit": ({"labels__mode": "fixed", "labels__limit": 0.1}, set()),
    "lr_audio": ({"lr_audio": 0.1}, {"train.lr_audio"}),
    "lr_vision": ({"lr_vision": 0.1}, {"train.lr_vision"}),
    "max_minutes": ({"max_minutes": 1.0}, set()),
    "ordinal_weight": ({"ordinal_weight": 0.1}, {"train.ordinal", *SUM}),
    "optimizer": ({"optimizer": "adam"}, set()),
    "task_weighting": ({"labels__mode": "reference"}, {*LOSSES - {"train.loss"}, *SUM}),
    "text_weight": ({"text_weight": 2.0}, SUM),
    "unimodal_weight": ({"unimodal_weight": 0.5}, SUM),
    "vision_weight 0": ({"vision_weight": 0.0}, {"train.vision.loss", *SUM}),
    "weight_decay_audio": ({"weight_decay_audio": 0.3}, {"train.lr_audio"}),
}


def first_step(store, settings: dict[str, Any]) -> dict[str, float]:
    config = tiny_config(**{**STILL, **settings})
    source = open_batches(store, Split.TRAIN, config.data, tokenizer_folder=None)
    session = build_session(config, source)
    session.network.train()
    group = epoch_batches(session, source)[:2]
    order = [np.concatenate(merged) for merged in merge(session, group)]
    with BatchFeed(source, order) as feed:
        numbers = train_step(session, feed, group)
    return dict(zip(numbers.names, numbers.values.tolist(), strict=True)) | numbers.rates


@pytest.fixture(scope="module")
def plain(store):
    return first_step(store, {})


@pytest.mark.parametrize("switch", list(SWITCHES))
def test_a_switch_changes_what_it_names_and_nothing_else(store, plain, switch):
    settings, expected = SWITCHES[switch]

    found = first_step(store, settings)

    names = found.keys() | plain.keys()
    changed = {
        name
        for name in names
        if found.get(name, math.nan) != pytest.approx(plain.get(name, math.nan), rel=1e-5)
    }
    assert changed == expected


def test_a_set_with_human_labels_tells_how_far_generated_ones_agree(tmp_path):
    sims = synthesise(Home(tmp_path), "sims", Dataset.SIMS, num_samples=24, seed=1)
    config = tiny_config(**{**STILL, "labels__mode": "fixed"})
    source = open_batches(sims, Split.TRAIN, config.data, tokenizer_folder=None)

    values = build_session(config, source).labels.describe()

    human = source.data.unimodal_labels
    assert human is not None
    for task, labels in human.items():
        expected = np.corrcoef(labels, source.data.labels)[0, 1]
        assert values[f"labels.{task}.human_correlation"] == pytest.approx(expected, abs=1e-6)
