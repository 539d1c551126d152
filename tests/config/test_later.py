"""Settings that came later, and fingerprints."""

from __future__ import annotations

import pytest

from setgf.config import ExperimentConfig, override
from setgf.config.later import LATER
from setgf.errors import ConfigError

CHANGED = {
    "labels.form": "standardised",
    "labels.limit": 3.0,
    "loss.text_weight": 2.0,
    "loss.audio_weight": 0.0,
    "loss.vision_weight": 0.5,
    "loss.task_weighting": "uniform",
    "loss.ordinal_weight": 0.1,
    "optim.lr_audio": 1e-3,
    "optim.lr_vision": 1e-3,
    "optim.weight_decay_text": 0.0,
    "optim.weight_decay_audio": 0.0,
    "optim.weight_decay_vision": 0.0,
    "optim.decay_on": "reference",
    "optim.accumulation": "reference",
    "optim.ema_decay": 0.999,
    "train.compile": True,
    "train.max_minutes": 60,
    "train.calibrate": True,
    "train.precision": "float16",
    "data.align_to_text": True,
    "model.fusion_head_dropout": 0.0,
}


def test_later_settings_at_rest_are_the_defaults():
    defaults = ExperimentConfig().to_dict()

    for section, leaves in LATER.items():
        assert {name: defaults[section][name] for name in leaves} == leaves


@pytest.mark.parametrize("name", list(CHANGED))
def test_a_later_setting_that_does_something_makes_another_experiment(name):
    config = override(ExperimentConfig(), {name: CHANGED[name]})

    assert config.fingerprint != ExperimentConfig().fingerprint


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"ema_decay": 1.0}, r"`optim\.ema_decay` must be 0 or more and below 1, but is 1\.0"),
        ({"weight_decay_audio": -0.5}, r"must be 0 or more, or -1 for `optim\.weight_decay`"),
        ({"text_head_dropout": 1.5}, r"must be between 0 and 1, or -1 for `model\.head_dropout`"),
        ({"lr_audio": -1}, r"`optim\.lr_audio` must be 0 or more"),
        ({"ordinal_weight": "inf"}, r"`loss\.ordinal_weight` must be 0 or more"),
        ({"task_weighting": "tanh", "labels.mode": "copy"}, "every unimodal loss would weigh 0"),
        ({"form": "standardised", "labels.mode": "copy"}, "only mode `fixed` has two forms"),
        ({"labels.limit": 3, "labels.mode": "human"}, "which generates no labels"),
        ({"max_minutes": -1}, r"`train\.max_minutes` must be 0 or more"),
        ({"precision": "float8"}, r"must be one of float32, bfloat16, float16, but is 'float8'"),
    ],
)
def test_values_that_are_not_allowed_are_refused_by_name(settings, message):
    with pytest.raises(ConfigError, match=message):
        override(ExperimentConfig(), settings)
