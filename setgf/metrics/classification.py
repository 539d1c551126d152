"""Models that predict one of three classes: labels, scores and metrics (`msa.md` 2.3).

The class of a label is its sign: 0 negative, 1 neutral (exactly 0), 2 positive. Files that have
`classification_labels` of their own are checked against that at import. N samples.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from setgf.errors import MetricError
from setgf.metrics.formulas import Classes, Floats, accuracy, weighted_f1

CLASS_SHARE = 0.9
"""Of the predicted class in a score; the rest is what the model expects."""
_HALF = 0.5


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


def class_labels(labels: npt.ArrayLike) -> Classes:
    """Return the class of labels (N,) on the label scale: 0 negative, 1 neutral, 2 positive."""
    return np.sign(np.asarray(labels, dtype=np.float64)).astype(np.int64).reshape(-1) + 1


def probabilities(logits: npt.ArrayLike) -> Floats:
    """Return the probability of every class, (N, 3), of logits (N, 3)."""
    return np.exp(_log_probabilities(logits))


def cross_entropy(logits: npt.ArrayLike, labels: npt.ArrayLike) -> float:
    """Return the mean over samples of -log p(class), for logits (N, 3) and classes (N,)."""
    truth = np.asarray(labels, dtype=np.int64)
    return float(-_log_probabilities(logits)[np.arange(len(truth)), truth].mean())


def class_scores(logits: npt.ArrayLike) -> npt.NDArray[np.float32]:
    """Return one number a sample that holds its class and how sure the model is.

    score = 0.9 * class + 0.1 * (p(positive) - p(negative)), where the class with the largest logit
    is -1, 0 or 1. Negative is -1 to -0.9, neutral -0.05 to 0.05, positive 0.9 to 1: the three bins
    of every data set's `acc3` tell the class, and the sign tells positive from negative.

    Args:
        logits: (N, 3) float. Negative, neutral, positive.
    """
    raw = np.asarray(logits, dtype=np.float64)
    shares = probabilities(raw)
    expected = shares[:, 2] - shares[:, 0]
    return (CLASS_SHARE * (raw.argmax(axis=1) - 1) + (1 - CLASS_SHARE) * expected).astype(
        np.float32
    )


def logits_of_scores(scores: npt.ArrayLike) -> Floats:
    """Return (N, 3) that `score_classes` counts as it does the logits of `class_scores` (N,).

    Scores that are plain classes, -1, 0 and 1, are read as well.
    """
    held = np.asarray(scores, dtype=np.float64).reshape(-1)
    return np.stack([-held, np.full(len(held), _HALF), held], axis=1)


def majority_classes(labels: npt.ArrayLike) -> Mapping[str, int]:
    """Return, for every metric of `score_classes`, the class that is right most often.

    Args:
        labels: (N,) on the label scale.
    """
    sizes = np.bincount(class_labels(labels), minlength=3)
    three = int(sizes.argmax())
    has0 = 2 if sizes[2] > sizes[0] + sizes[1] else 0
    non0 = 2 if sizes[2] > sizes[0] else 0
    return {
        "acc3": three,
        "f1": three,
        "acc2_has0": has0,
        "f1_has0": has0,
        "acc2_non0": non0,
        "f1_non0": non0,
    }


def _log_probabilities(logits: npt.ArrayLike) -> Floats:
    raw = np.asarray(logits, dtype=np.float64)
    shifted = raw - raw.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
