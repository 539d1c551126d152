"""Accumulation as published, averages of weights, number formats, time limits."""

from __future__ import annotations

import math

import pytest
import torch

from setgf.config import build_config
from setgf.errors import ConfigError, StoppedError
from setgf.terms import Dataset, Split
from setgf.training.checkpoint import CheckpointFolder
from setgf.training.fit import fit
from tests.training.conftest import tiny_config

QUIET = {
    "labels__mode": "none",
    "consistency_weight": 0.0,
    "patience": 0,
    "attention_dropout": 0.0,
    "feedforward_dropout": 0.0,
    "head_dropout": 0.0,
    "text__dropout": 0.0,
    "group_by_length": False,
    "finetune": False,
    "clip_norm": 0.0,
}
"""No source of chance but the order of the samples, no weights but those of the gradient."""


def test_published_accumulation_sums_gradients_and_drops_the_partial_group(store, recorder):
    """36 samples in batches of 8: 5 micro-batches, groups of 2: the fifth learns nothing."""
    mean, summed = recorder("mean"), recorder("summed")
    settings = {**QUIET, "accumulation_steps": 2, "max_epochs": 1}

    fit(tiny_config(**settings), store, mean)
    result = fit(tiny_config(accumulation="reference", **settings), store, summed)

    assert result.steps == 2
    first = summed.series("train.gradient_norm")[1] / mean.series("train.gradient_norm")[1]
    assert first == pytest.approx(2.0, rel=1e-4)
    assert summed.series("train.loss")[1] == pytest.approx(mean.series("train.loss")[1])


def test_the_dropped_group_still_moves_labels(store, recorder):
    kept = recorder()
    settings = {"accumulation_steps": 2, "max_epochs": 2, "labels__mode": "reference"}

    fit(tiny_config(accumulation="reference", **settings), store, kept)

    annotated = torch.tensor(store.split(Split.TRAIN).labels)
    drifted = torch.from_numpy(kept.labels[2]["text"])
    assert (drifted != annotated).sum() > 32  # more than those of the four full batches


def test_published_accumulation_that_would_never_step_is_refused(store, recorder):
    config = tiny_config(accumulation="reference", accumulation_steps=6)

    with pytest.raises(ConfigError, match=r"all 36 samples make less than one group of 6 x 8"):
        fit(config, store, recorder())


def test_averaged_weights_are_evaluated_and_kept_as_the_best(store, recorder):
    plain, averaged = recorder("plain"), recorder("averaged")
    settings = {"max_epochs": 2, "patience": 0, "labels__mode": "copy", "batch_size": 18}

    fit(tiny_config(**settings), store, plain)
    result = fit(tiny_config(ema_decay=0.99, **settings), store, averaged)

    # What is trained stays as it was; what is judged does not.
    assert averaged.series("train.loss") == plain.series("train.loss")
    assert averaged.series("valid.mae") != plain.series("valid.mae")
    assert result.metrics["valid.mae"] == pytest.approx(result.best_valid, abs=0)
    last = _newest(averaged)["session"]
    best = torch.load(next(averaged.checkpoints.glob("best-*.pt")), weights_only=True)["network"]
    if result.best_epoch == 2:
        assert all(
            torch.equal(best[name], last["average"][name]) for name in last["average"] if name
        )
    assert not torch.equal(
        last["average"]["heads.heads.fusion.third.bias"],
        last["network"]["heads.heads.fusion.third.bias"],
    )


def _newest(kept):
    return torch.load(max(kept.checkpoints.glob("last-*.pt")), weights_only=True)


def test_float16_trains_with_a_loss_scale_and_says_that_a_cpu_is_slow_at_it(store, recorder):
    kept = recorder()

    result = fit(tiny_config(precision="float16", max_epochs=1, batch_size=18), store, kept)

    assert math.isfinite(result.metrics["valid.mae"])
    assert set(kept.series("train.loss_scale")) == set(kept.series("train.loss"))
    assert any("`train.precision` is `float16`" in w["message"] for w in kept.find("warning"))


def test_training_ends_with_the_epoch_in_which_the_time_is_up(store, recorder):
    kept = recorder()

    result = fit(
        tiny_config(max_minutes=1e-9, max_epochs=9, patience=0, batch_size=18), store, kept
    )

    assert result.epochs == 1
    assert kept.kinds()[-1] == "finished"


def test_the_time_of_earlier_attempts_counts(store, recorder):
    config = tiny_config(max_minutes=60.0, max_epochs=4, patience=0, batch_size=18)
    first = recorder("a1", stop_at=3)
    with pytest.raises(StoppedError):
        fit(config, store, first)
    entry, folder = _newest_entry(first, config, store)
    state = folder.load(entry)
    assert 0 < state["session"]["seconds"] < 600
    state["session"]["seconds"] = 3601.0
    assert entry.best is not None
    best = folder.find(entry.best)
    folder.publish((best, folder.write(state, role="last", epoch=2, step=3, best=entry.best)))

    result = fit(config, store, recorder("a2"), resume_from=first.checkpoints)

    assert result.epochs == 2  # the epoch it was in is ended


def _newest_entry(kept, config, store):
    folder = CheckpointFolder(
        kept.checkpoints,
        fingerprint=config.fingerprint,
        data_fingerprint=store.manifest.fingerprint,
    )
    return next(folder.candidates()), folder


@pytest.mark.parametrize(("model", "preset"), [("self_mm", "mosi_paper"), ("tetfn", "mosi_tetfn")])
def test_published_settings_train_their_model(store, recorder, model, preset):
    small = {"text.encoder": "tiny", "optim.batch_size": 4, "train.max_epochs": 1}
    config = build_config(
        dataset=Dataset.MOSI,
        preset=preset,
        settings={**small, "model.name": model, "data.name": "made_up", "train.device": "cpu"},
    )
    kept = recorder()

    result = fit(config, store, kept)

    assert result.steps == 2  # nine micro-batches in groups of four; the last group is partial
    assert math.isfinite(result.metrics["test.mae"])
    first = {name: kept.points[f"train.{name}", 1][1] for name in ("lr", "lr_text", "lr_audio")}
    expected = config.optim.lr, config.optim.lr_text, config.optim.lr_audio
    assert tuple(first.values()) == pytest.approx(expected)
