"""Floors are runs like any other, and their numbers those that reports of the data name."""

from __future__ import annotations

import math
from typing import cast

import numpy as np
import pytest
import torch

from setgf.analysis.floors import floors
from setgf.data.store import FeatureStore, open_store
from setgf.data.synthetic import synthesise
from setgf.errors import ConfigError
from setgf.home import Home
from setgf.runs.reader import read_points
from setgf.terms import Dataset, Split
from setgf.training.floor import fit_floor
from setgf.worker import child
from tests.training.conftest import tiny_config
from tests.training.test_child import make_run, options, told
from tests.training.test_fit import WatchedStore


@pytest.fixture(scope="module", params=[Dataset.MOSI, Dataset.SIMS])
def made(request, tmp_path_factory):
    home = Home(tmp_path_factory.mktemp("floors"))
    synthesise(home, "made_up", request.param, num_samples=80, seed=3)
    return open_store(home, "made_up")


def test_the_median_is_the_floor_that_compare_and_the_data_report_name(made, recorder):
    result = fit_floor(tiny_config(model__name="median"), made, recorder())

    row = floors(made)[0]
    test = {name: result.metrics[f"test.{name}"] for name in row.metrics}
    assert test == pytest.approx(dict(row.metrics), nan_ok=True)
    assert result.metrics["test.mae"] == pytest.approx(made.manifest.report["floors"]["mae"])


def test_the_majority_is_that_of_the_finest_classes(made, recorder):
    kept = recorder()

    result = fit_floor(tiny_config(model__name="majority"), made, kept)

    finest = "acc7" if made.manifest.dataset is Dataset.MOSI else "acc5"
    assert result.metrics[f"test.{finest}"] == floors(made)[1].metrics[finest]
    assert len({row.fusion for row in kept.predictions[Split.TEST]}) == 1
    assert math.isnan(result.metrics["test.corr"])


def test_ridge_on_one_modality_is_what_the_data_report_names(made, recorder):
    kept = recorder()

    result = fit_floor(tiny_config(model__name="ridge"), made, kept)

    for modality, told_of in made.manifest.report["ridge"].items():
        found = {name: result.metrics[f"test.{modality}.{name}"] for name in told_of}
        assert found == pytest.approx(told_of, rel=1e-5)
    assert result.metrics["test.mae"] < min(
        result.metrics[f"test.{modality}.mae"] for modality in ("text", "audio", "vision")
    )


def test_ridge_on_text_alone_has_one_score(made, recorder):
    kept = recorder()
    config = tiny_config(model__name="ridge", data__modalities="text")

    result = fit_floor(config, made, kept)

    told_of = made.manifest.report["ridge"]["text"]["mae"]
    assert result.metrics["test.mae"] == pytest.approx(told_of, rel=1e-5)
    assert not any(name.startswith("test.text") for name in result.metrics)
    assert kept.predictions[Split.VALID][0].text is None


@pytest.mark.parametrize("model", ["majority", "median", "ridge"])
def test_a_floor_opens_the_test_split_last_and_repeats_to_the_bit(made, recorder, model):
    opened: list[Split] = []
    watched = cast(FeatureStore, WatchedStore(made, opened.append))
    kept = recorder()

    first = fit_floor(tiny_config(model__name=model), watched, kept)
    again = fit_floor(tiny_config(model__name=model, seed=7), made, recorder("again"))

    assert opened == [Split.TRAIN, Split.VALID, Split.TEST]
    assert kept.kinds() == ["started", "epoch", "finished"]
    assert first.weights_sha256 == again.weights_sha256
    scores = np.array([row.fusion for row in kept.predictions[Split.VALID]])
    labels = np.array([row.label for row in kept.predictions[Split.VALID]])
    assert first.metrics["valid.mae"] == pytest.approx(np.abs(scores - labels).mean())


def test_a_metric_the_data_set_does_not_have_is_refused(made, recorder):
    wrong = "acc2" if made.manifest.dataset is Dataset.MOSI else "acc7"

    with pytest.raises(ConfigError, match=f"`train.monitor` is `{wrong}`"):
        fit_floor(tiny_config(model__name="ridge", monitor=wrong), made, recorder())


def test_a_child_runs_a_floor_without_encoder_network_and_optimizer(home, monkeypatch):
    root = Home(home)
    synthesise(root, "made_up", Dataset.MOSI, num_samples=40, seed=3)
    run = make_run(root, model__name="ridge", text__encoder="/nowhere")
    attempt = run.begin_attempt(1)
    monkeypatch.setattr(torch.optim.Optimizer, "__init__", lambda *_: pytest.fail("optimizer"))

    assert child.main(options(root, run, 1)) == 0

    kinds = [event["kind"] for event in told(attempt)]
    assert kinds == ["started", "epoch", "predictions", "predictions", "finished"]
    assert len(read_points(run, "valid.mae")) == 1
    assert list(attempt.checkpoints.iterdir()) == []
