"""Slope and intercept that bring scores to the scale of the labels, fitted on validation.

Regression to the mean squeezes scores; stretching them moves MAE and the accuracies of many classes
while the correlation stays. It is a result of its own, never in the place of the plain one:
validation is looked at once more, and `valid.calibrated.*` is better than it should be.

Shapes: N samples of a split.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from setgf.terms import Branch, Split
from setgf.training.evaluate import Evaluation

NAME = "calibrated"
"""Stands where the name of a branch would: `test.calibrated.mae`."""
_MAX_SLOPE = 4.0
_TOLERANCE = 1e-7
_GOLDEN = (5**0.5 - 1) / 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """calibrated score = slope * score + intercept."""

    slope: float
    """Between 0 and 4."""
    intercept: float

    def apply(self, evaluation: Evaluation) -> NDArray[np.float32]:
        """Return the calibrated fusion score (N,)."""
        return (self.slope * evaluation.scores[Branch.FUSION] + self.intercept).astype(np.float32)

    def metrics(self, evaluation: Evaluation, split: Split) -> dict[str, float]:
        """Return every metric of the calibrated fusion score by series name, and the fit itself."""
        changed = self.apply(evaluation)
        calibrated = replace(evaluation, scores={Branch.FUSION: changed})
        named = {f"{split}.{NAME}.{name}": v for name, v in calibrated.metrics().items()}
        if split is Split.VALID:
            named[f"{split}.{NAME}.slope"] = self.slope
            named[f"{split}.{NAME}.intercept"] = self.intercept
        return named


def calibration_of(metrics: Mapping[str, float]) -> Calibration | None:
    """Return the calibration that `Calibration.metrics` told of; None where there was none."""
    slope = metrics.get(f"{Split.VALID}.{NAME}.slope")
    intercept = metrics.get(f"{Split.VALID}.{NAME}.intercept")
    if slope is None or intercept is None:
        return None
    return Calibration(slope=slope, intercept=intercept)


def fit_calibration(evaluation: Evaluation) -> Calibration:
    """Return the calibration with the least mean absolute error on a split.

    For a given slope the best intercept is the median of what is left, and the error is convex in
    the slope: golden section finds its minimum. Scores that are all equal keep slope 1.
    """
    scores = evaluation.scores[Branch.FUSION].astype(np.float64)
    labels = evaluation.labels.astype(np.float64)
    if np.ptp(scores) == 0:
        return Calibration(slope=1.0, intercept=float(np.median(labels - scores)))
    low, high = 0.0, _MAX_SLOPE
    while high - low > _TOLERANCE:
        left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
        if _error(left, scores, labels) <= _error(right, scores, labels):
            high = right
        else:
            low = left
    slope = (low + high) / 2
    return Calibration(slope=slope, intercept=float(np.median(labels - slope * scores)))


def _error(slope: float, scores: NDArray[np.float64], labels: NDArray[np.float64]) -> float:
    left = labels - slope * scores
    return float(np.abs(left - np.median(left)).mean())
