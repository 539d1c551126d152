"""The published settings the package ships."""

from __future__ import annotations

import pytest

from setgf.config import ExperimentConfig, build_config, preset_names
from setgf.terms import Dataset

PUBLISHED = [name for name in preset_names() if name.endswith(("_paper", "_mmsa", "_tetfn"))]


def of(preset: str) -> ExperimentConfig:
    return build_config(dataset=Dataset(preset.split("_")[0]), preset=preset, settings={})


def test_every_data_set_has_its_published_settings():
    assert {name for name in PUBLISHED if name.endswith("_paper")} == {
        f"{dataset}_paper" for dataset in Dataset
    }
    assert {name for name in PUBLISHED if name.endswith("_tetfn")} == {
        f"{dataset}_tetfn" for dataset in Dataset
    }
    assert set(PUBLISHED) >= {"mosi_mmsa", "mosei_mmsa", "sims_mmsa"}


@pytest.mark.parametrize("preset", PUBLISHED)
def test_published_settings_train_as_the_public_code_does(preset):
    config = of(preset)

    assert (config.optim.optimizer, config.optim.decay_on) == ("adam", "reference")
    assert (config.optim.accumulation, config.optim.accumulation_steps) == ("reference", 4)
    assert (config.optim.schedule, config.optim.warmup_ratio) == ("constant", 0.0)
    assert config.optim.clip_norm == 0.0
    assert (config.labels.mode, config.loss.task_weighting) == ("reference", "auto")
    assert (config.train.monitor, config.train.patience) == ("loss", 8)
    assert not config.data.normalise and config.data.max_frames == 0
    assert config.text.pooling == "first" and config.text.dropout == 0.0
    is_chinese = preset.startswith("sims")
    assert config.text.encoder == ("bert-base-chinese" if is_chinese else "bert-base-uncased")


@pytest.mark.parametrize(
    ("preset", "rates", "decays", "hidden", "widths", "dropouts", "batch", "zero", "limit"),
    [
        (
            "mosi_paper",
            (5e-5, 1e-3, 1e-4, 1e-3),
            (1e-3, 1e-2, 1e-3, 1e-3),
            (32, 64),
            (128, 64, 16, 32),
            (0.1, 0.0, 0.1, 0.1),
            32,
            False,
            0.0,
        ),
        (
            "simsv2_paper",
            (5e-5, 1e-3, 1e-3, 1e-3),
            (1e-2, 0.0, 0.0, 1e-3),
            (16, 64),
            (128, 64, 32, 32),
            (0.0, 0.0, 0.1, 0.0),
            16,
            True,
            3.0,
        ),
    ],
)
def test_values_are_those_of_the_table(
    preset, rates, decays, hidden, widths, dropouts, batch, zero, limit
):
    """Text, audio, vision and other; fusion, text, audio and vision (`msa.md` 3.5)."""
    config = of(preset)
    optim, model = config.optim, config.model

    assert (optim.lr_text, optim.lr_audio, optim.lr_vision, optim.lr) == rates
    assert decays == (
        optim.weight_decay_text,
        optim.weight_decay_audio,
        optim.weight_decay_vision,
        optim.weight_decay,
    )
    assert (model.audio_hidden, model.vision_hidden) == hidden
    assert widths == (
        model.fusion_width,
        model.text_width,
        model.audio_width,
        model.vision_width,
    )
    assert dropouts == (
        model.fusion_head_dropout,
        model.text_head_dropout,
        model.audio_head_dropout,
        model.vision_head_dropout,
    )
    assert (optim.batch_size, config.labels.exclude_zero) == (batch, zero)
    assert config.labels.limit == limit
