"""Scores brought to the scale of the labels by what validation says."""

from __future__ import annotations

import numpy as np
import pytest

from setgf.terms import Branch, Dataset, Split
from setgf.training.calibration import fit_calibration
from setgf.training.evaluate import Evaluation
from setgf.training.fit import fit
from tests.training.conftest import tiny_config


def judged(scores, labels, dataset=Dataset.MOSI) -> Evaluation:
    return Evaluation(
        dataset=dataset,
        ids=tuple(str(row) for row in range(len(labels))),
        labels=np.asarray(labels, np.float32),
        scores={Branch.FUSION: np.asarray(scores, np.float32)},
    )


def noisy(num: int = 200):
    source = np.random.default_rng(5)
    labels = source.uniform(-3, 3, num)
    return 0.4 * labels + 0.3 + source.normal(0, 0.2, num), labels


def test_squeezed_and_shifted_scores_are_brought_back():
    labels = np.linspace(-3, 3, 41)

    found = fit_calibration(judged(0.5 * labels - 0.2, labels))

    assert (found.slope, found.intercept) == pytest.approx((2.0, 0.4), abs=1e-4)


def test_no_other_slope_and_intercept_are_better():
    scores, labels = noisy()
    found = fit_calibration(judged(scores, labels))

    def error(slope: float, intercept: float) -> float:
        return float(np.abs(slope * scores + intercept - labels).mean())

    best = error(found.slope, found.intercept)
    assert best < error(1.0, 0.0)
    for slope in np.linspace(0, 4, 81):
        for intercept in np.linspace(-2, 2, 41):
            assert best <= error(slope, intercept) + 1e-6


def test_equal_scores_keep_their_slope_and_move_to_the_median():
    found = fit_calibration(judged([1.0, 1.0, 1.0], [0.0, 2.5, 3.0]))

    assert (found.slope, found.intercept) == (1.0, 1.5)


def test_scores_that_point_the_wrong_way_are_not_turned_around():
    labels = np.linspace(-3, 3, 41)

    assert fit_calibration(judged(-labels, labels)).slope == pytest.approx(0.0, abs=1e-6)


def test_a_calibrated_result_stands_beside_the_plain_one_and_never_in_its_place(store, recorder):
    plain, both = recorder("plain"), recorder("both")

    without = fit(tiny_config(max_epochs=1, batch_size=18), store, plain)
    result = fit(tiny_config(max_epochs=1, batch_size=18, calibrate=True), store, both)

    own = {name: v for name, v in result.metrics.items() if ".calibrated." in name}
    assert {name: v for name, v in result.metrics.items() if name not in own} == pytest.approx(
        dict(without.metrics), abs=0, nan_ok=True
    )
    assert own["valid.calibrated.mae"] <= result.metrics["valid.mae"]
    rows = both.predictions[Split.TEST]
    slope, intercept = own["valid.calibrated.slope"], own["valid.calibrated.intercept"]
    error = [abs(slope * row.fusion + intercept - row.label) for row in rows]
    assert own["test.calibrated.mae"] == pytest.approx(sum(error) / len(error), abs=1e-5)
    assert both.find("epoch")[0]["valid"] == plain.find("epoch")[0]["valid"]
