"""Metrics of a model that predicts a score (`msa.md` 2.1, 2.2)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from setgf.metrics.checks import checked_pair
from setgf.metrics.classes import classify
from setgf.metrics.formulas import Floats, accuracy, correlation, weighted_f1
from setgf.metrics.names import is_sims
from setgf.terms import Dataset


def score(
    dataset: Dataset,
    predictions: npt.ArrayLike,
    labels: npt.ArrayLike,
    *,
    sample_ids: Sequence[str] = (),
) -> dict[str, float]:
    """Return every metric of the data set's protocol, unrounded; NaN where undefined.

    Args:
        dataset: decides the protocol.
        predictions: (N,) float. Scores on the label scale.
        labels: (N,) float. Annotated labels.
        sample_ids: (N,) names for errors; row numbers from 1 are named without them.

    Raises:
        MetricError: no samples, unequal numbers of them, or a value that is NaN or infinite.
    """
    p, y = checked_pair(predictions, labels, sample_ids)
    return _score_sims(dataset, p, y) if is_sims(dataset) else _score_mosi(dataset, p, y)


def _score_mosi(dataset: Dataset, p: Floats, y: Floats) -> dict[str, float]:
    p32, y32 = p.astype(np.float32), y.astype(np.float32)
    nonzero = y32 != 0
    has0 = classify(dataset, 2, y), classify(dataset, 2, p)
    non0 = (y32[nonzero] > 0).astype(np.int64), (p32[nonzero] > 0).astype(np.int64)
    return {
        "acc2_has0": accuracy(*has0),
        "acc2_non0": accuracy(*non0),
        "f1_has0": weighted_f1(*has0),
        "f1_non0": weighted_f1(*non0),
        **{
            f"acc{k}": accuracy(classify(dataset, k, p), classify(dataset, k, y)) for k in (3, 5, 7)
        },
        "mae": float(np.abs(p - y).mean()),
        "corr": correlation(p, y),
    }


def _score_sims(dataset: Dataset, p: Floats, y: Floats) -> dict[str, float]:
    limit = dataset.label_limit
    p, y = np.clip(p, -limit, limit), np.clip(y, -limit, limit)
    return {
        **{
            f"acc{k}": accuracy(classify(dataset, k, p), classify(dataset, k, y)) for k in (2, 3, 5)
        },
        "f1": weighted_f1(classify(dataset, 2, y), classify(dataset, 2, p)),
        "mae": float(np.abs(p - y).mean()),
        "corr": correlation(p, y),
    }
