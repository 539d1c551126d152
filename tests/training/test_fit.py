from __future__ import annotations

import math
import re
from dataclasses import replace
from typing import cast

import pytest
import torch

from setgf.data.store import FeatureStore
from setgf.data.synthetic import synthesise
from setgf.errors import ConfigError, DivergedError
from setgf.home import Home
from setgf.terms import Branch, Dataset, Split
from setgf.training.fit import fit
from tests.training.conftest import tiny_config


class WatchedStore:
    """A store that tells which splits were opened, and when."""

    def __init__(self, store, opened):
        self.store = store
        self.opened = opened

    def __getattr__(self, name):
        return getattr(self.store, name)

    def split(self, split):
        self.opened(split)
        return self.store.split(split)


def test_a_run_learns_eight_samples_by_heart(tmp_path, recorder):
    sizes = {Split.TRAIN: 8, Split.VALID: 2, Split.TEST: 2}
    store = synthesise(Home(tmp_path), "eight", Dataset.MOSI, sizes=sizes, seed=1)
    config = tiny_config(
        max_epochs=40, patience=0, lr=5e-3, lr_text=2e-3, schedule="constant", labels__mode="copy",
        attention_dropout=0.0, feedforward_dropout=0.0, head_dropout=0.0, text__dropout=0.0,
        weight_decay=0.0,
    )  # fmt: skip
    kept = recorder()

    fit(config, store, kept)

    losses = kept.series("train.loss")
    assert losses[1] > 0.5
    assert losses[40] < 0.1


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(store, recorder):
    config = tiny_config(max_epochs=2)

    first = fit(config, store, recorder("first"))
    second = fit(config, store, recorder("second"))
    other = fit(replace(config, seed=7), store, recorder("other"))

    assert first.weights_sha256 == second.weights_sha256
    assert first.metrics == pytest.approx(second.metrics, abs=0, nan_ok=True)
    assert first.weights_sha256 != other.weights_sha256


@pytest.mark.parametrize(
    ("model", "mode"),
    [
        ("setgf", "fixed"),
        ("setgf", "reference"),
        ("setgf", "copy"),
        ("setgf", "none"),
        ("self_mm", "fixed"),
        ("self_mm", "reference"),
        ("text_only", "fixed"),
    ],
)
def test_every_model_trains_in_every_label_mode(store, recorder, model, mode):
    kept = recorder()

    result = fit(tiny_config(model__name=model, labels__mode=mode, max_epochs=2), store, kept)

    assert math.isfinite(result.metrics["test.mae"])
    has_tasks = model != "text_only" and mode != "none"
    assert ("test.audio.mae" in result.metrics) == has_tasks
    assert bool(kept.series("train.audio.loss")) == has_tasks
    assert bool(kept.series("labels.text.mean_shift")) == (
        has_tasks and mode in ("fixed", "reference")
    )


def test_human_labels_train_on_sims(tmp_path, recorder):
    store = synthesise(Home(tmp_path), "sims", Dataset.SIMS, num_samples=24, seed=1)
    kept = recorder()

    result = fit(tiny_config(labels__mode="human", max_epochs=2), store, kept)

    assert math.isfinite(result.metrics["test.vision.mae"])
    assert set(kept.series("train.vision.loss")) == set(kept.series("train.loss"))


def test_human_labels_on_data_without_them_are_refused(store, recorder):
    with pytest.raises(ConfigError, match="has no human label for each modality"):
        fit(tiny_config(labels__mode="human"), store, recorder())


def test_the_recorder_hears_of_everything_in_order(store, recorder):
    kept = recorder()

    result = fit(tiny_config(max_epochs=3, patience=0), store, kept)

    kinds = kept.kinds()
    assert kinds[0] == "started"
    assert kinds[-1] == "finished"
    assert kinds.count("epoch") == 3
    assert kept.find("started")[0]["resume_step"] == 0
    assert kept.find("started")[0]["train_size"] == 36
    assert result.steps == 15  # 36 samples in batches of 8: 5 steps an epoch
    assert sorted(kept.series("train.loss")) == list(range(1, 16))
    assert sorted(kept.series("valid.mae")) == [5, 10, 15]
    assert kept.points["valid.mae", 10][0] == 2
    for step in (5, 10, 15):
        waited, spent = (kept.points[f"train.{n}", step][1] for n in ("data_seconds", "seconds"))
        assert 0 < waited < spent
    assert kept.find("started")[0]["data_is_kept"]
    assert kept.find("started")[0]["tokens"]["transcripts"] == 36
    (cut_off,) = kept.find("warning")
    assert "have more than 12 word pieces and lose their end" in cut_off["message"]
    for name in ("train.joint_loss", "train.text.loss", "train.lr", "train.lr_text"):
        assert len(kept.series(name)) == 15
    best = next(fields for fields in kept.find("epoch") if fields["epoch"] == result.best_epoch)
    assert best["valid"] == result.best_valid == result.metrics["valid.mae"]
    assert best["best"]
    assert kept.find("finished")[0]["weights_sha256"] == result.weights_sha256
    assert kept.find("finished")[0]["metrics"] == dict(result.metrics)


def test_predictions_of_the_best_epoch_are_saved_with_every_branch(store, recorder):
    kept = recorder()

    result = fit(tiny_config(), store, kept)

    assert set(kept.predictions) == {Split.VALID, Split.TEST}
    rows = kept.predictions[Split.TEST]
    assert [row.sample_id for row in rows] == list(store.split(Split.TEST).ids)
    mae = sum(abs(row.fusion - row.label) for row in rows) / len(rows)
    assert mae == pytest.approx(result.metrics["test.mae"], abs=1e-6)
    assert all(getattr(row, branch.value) is not None for row in rows for branch in Branch)


def test_the_test_split_is_opened_only_when_the_best_epoch_is_fixed(store, recorder):
    kept = recorder()
    opened: list[tuple[Split, int]] = []
    watched = WatchedStore(store, lambda split: opened.append((split, len(kept.find("epoch")))))

    fit(tiny_config(max_epochs=3, patience=0), cast(FeatureStore, watched), kept)

    assert [epochs for split, epochs in opened if split is Split.TEST] == [3]
    assert {split for split, epochs in opened if epochs < 3} == {Split.TRAIN, Split.VALID}


def test_training_stops_after_patience_epochs_without_gain(store, recorder):
    kept = recorder()

    result = fit(tiny_config(max_epochs=20, patience=2, lr=1e-12, lr_text=1e-12), store, kept)

    assert result.epochs <= result.best_epoch + 2 < 20
    assert result.metrics["valid.mae"] == result.best_valid


def test_a_monitor_that_the_data_does_not_have_is_refused(store, recorder):
    with pytest.raises(ConfigError, match=r"`train.monitor` is `acc2`, which is not defined"):
        fit(tiny_config(monitor="acc2"), store, recorder())


@pytest.mark.parametrize("monitor", ["corr", "loss"])
def test_the_best_epoch_follows_the_direction_of_the_monitored_metric(store, recorder, monitor):
    kept = recorder()

    result = fit(tiny_config(monitor=monitor, max_epochs=3, patience=0), store, kept)

    values = list(kept.series(f"valid.{monitor}").values())
    known = [value for value in values if not math.isnan(value)]
    expected = min(known) if monitor == "loss" else max(known)
    assert result.best_valid == pytest.approx(expected)
    assert values[result.best_epoch - 1] == result.best_valid


def test_divergence_stops_the_run_and_names_samples(store, recorder):
    kept = recorder()
    config = tiny_config(lr=1e30, warmup_ratio=0.0, clip_norm=0.0)

    with pytest.raises(DivergedError, match="Training diverged at step") as caught:
        fit(config, store, kept)

    ids = set(store.split(Split.TRAIN).ids)
    assert ids & set(re.findall(r"[\w$]+", str(caught.value)))
    assert "finished" not in kept.kinds()
    for path in kept.checkpoints.glob("*.pt"):
        state = torch.load(path, weights_only=True)
        weights = state.get("session", state)["network"]
        assert all(torch.isfinite(value).all() for value in weights.values())


def test_a_left_over_group_of_micro_batches_makes_a_step_of_its_own(store, recorder):
    kept = recorder()

    result = fit(tiny_config(accumulation_steps=2, max_epochs=2), store, kept)

    assert result.steps == 6  # 5 micro-batches an epoch: 2 + 2 + 1


def test_accumulated_micro_batches_train_as_one_batch_does(store, recorder):
    """The mean over samples, not the sum over batches: 36 = 4 * 8 + 4."""
    settings = {
        "max_epochs": 2, "labels__mode": "copy", "consistency_weight": 0.0, "patience": 0,
        "attention_dropout": 0.0, "feedforward_dropout": 0.0, "head_dropout": 0.0,
        "text__dropout": 0.0, "group_by_length": False, "encoder": "tiny", "finetune": False,
    }  # fmt: skip
    together, apart = recorder("together"), recorder("apart")

    fit(tiny_config(batch_size=36, **settings), store, together)
    fit(tiny_config(batch_size=8, accumulation_steps=5, **settings), store, apart)

    assert len(apart.series("train.loss")) == 2
    for name in ("train.loss", "train.joint_loss", "train.gradient_norm"):
        assert apart.series(name) == pytest.approx(together.series(name), rel=1e-4)


def test_progress_is_told_after_every_step(store, recorder):
    seen = []

    fit(tiny_config(max_epochs=2), store, recorder(), on_progress=seen.append)

    assert [progress.step for progress in seen if progress.batch] == sorted(
        progress.step for progress in seen
    )
    assert seen[-1].epoch == 2
    assert seen[-1].batch == seen[-1].num_batches == 5
    assert seen[-1].best_epoch in (1, 2)


def test_a_frozen_encoder_is_neither_trained_nor_stored(store, recorder):
    kept = recorder()

    fit(tiny_config(finetune=False, max_epochs=2), store, kept)

    (best,) = kept.checkpoints.glob("best-*.pt")
    names = torch.load(best, weights_only=True)["network"]
    assert names
    assert not [name for name in names if name.startswith("text_encoder.transformer")]


def test_half_precision_trains(store, recorder):
    result = fit(tiny_config(precision="bfloat16", max_epochs=1), store, recorder())

    assert result.metrics["valid.mae"] < 3


@pytest.mark.parametrize("mode", ["reference", "fixed"])
def test_generated_labels_are_kept_after_every_epoch(store, recorder, mode):
    kept = recorder(mode)
    fit(tiny_config(labels__mode=mode, model__name="setgf"), store, kept)

    annotated = store.split(Split.TRAIN).labels
    assert sorted(kept.labels) == [1, 2, 3]
    for task, drifted in kept.labels[3].items():
        shift = float(abs(drifted - annotated).mean())
        logged = list(kept.series(f"labels.{task}.mean_shift").values())[-1]
        assert shift == pytest.approx(logged, abs=1e-5) and shift > 0


def test_labels_that_never_change_are_not_kept(store, recorder):
    kept = recorder()
    fit(tiny_config(labels__mode="copy"), store, kept)
    assert kept.labels == {}
