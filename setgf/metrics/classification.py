"""Metrics of a model that predicts one of three classes (`msa.md` 2.3)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from setgf.errors import MetricError
from setgf.metrics.formulas import accuracy, weighted_f1


def score_classes(
    logits: npt.ArrayLike, labels: npt.ArrayLike, *, reference_bug: bool = False
) -> dict[str, float]:
    """Score a 3-class classifier as MMSA's classification mode does (`msa.md` 2.3).

    Neutral joins negative in `acc2_has0`: the opposite side from regression.

    Args:
        logits: (N, 3) float. Negative, neutral, positive.
        labels: (N,) int. 0 negative, 1 neutral, 2 positive.
        reference_bug: compare `non0` predictions 0 and 1 with labels 0 and 2, as MMSA does, so that
            no positive sample is ever right.

    Raises:
        MetricError: shapes or values are not those.
    """
    scores, truth = np.asarray(logits, dtype=np.float64), np.asarray(labels).reshape(-1)
    if scores.shape != (len(truth), 3) or not len(truth):
        raise MetricError(
            f"Logits must be one row of 3 a label, but have shape {scores.shape} "
            f"for {len(truth)} labels."
        )
    if not np.isfinite(scores).all() or not np.isin(truth, (0, 1, 2)).all():
        raise MetricError("Logits must be finite and labels 0, 1 or 2.")
    classes, sign = scores.argmax(axis=1), scores[:, [0, 2]].argmax(axis=1)
    has_sign = truth != 1
    signed_truth = truth if reference_bug else truth // 2
    return {
        "acc2_has0": accuracy(sign, truth // 2),
        "acc2_non0": accuracy(sign[has_sign], signed_truth[has_sign]),
        "f1_has0": weighted_f1(truth // 2, sign),
        "f1_non0": weighted_f1(signed_truth[has_sign], sign[has_sign]),
        "acc3": accuracy(classes, truth),
        "f1": weighted_f1(truth, classes),
    }
