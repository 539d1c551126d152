"""Classes of scores and labels. N samples, K classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from setgf.errors import MetricError
from setgf.metrics.checks import checked_pair
from setgf.metrics.formulas import Classes
from setgf.metrics.names import is_sims
from setgf.terms import Dataset

_SIMS_EDGES: Mapping[int, tuple[float, ...]] = {
    2: (0.0,),
    3: (-0.1, 0.1),
    5: (-0.7, -0.1, 0.1, 0.7),
}
"""Upper edges of all classes but the last; an edge belongs to the class below it."""

_CLASS_NAMES: Mapping[int, tuple[str, ...]] = {
    2: ("negative", "positive"),
    3: ("negative", "neutral", "positive"),
    5: ("negative", "weakly negative", "neutral", "weakly positive", "positive"),
    7: ("-3", "-2", "-1", "0", "1", "2", "3"),
}


def classify(dataset: Dataset, num_classes: int, values: npt.ArrayLike) -> Classes:
    """Return the class of every value, 0 the most negative; (N,) float -> (N,) int64 below K.

    Two classes are those of `acc2_has0` (zero counts as positive) on MOSI and MOSEI and those of
    `acc2` (zero counts as negative) on SIMS.

    Raises:
        MetricError: the protocol has no such number of classes.
    """
    v = np.asarray(values, dtype=np.float32).reshape(-1)
    if is_sims(dataset) and num_classes in _SIMS_EDGES:
        edges = np.asarray(_SIMS_EDGES[num_classes], dtype=np.float32)
        return np.searchsorted(edges, v, side="left").astype(np.int64)
    if not is_sims(dataset) and num_classes == 2:
        return (v >= 0).astype(np.int64)
    if not is_sims(dataset) and num_classes in (3, 5, 7):
        limit = num_classes // 2
        # np.round takes halves to the even neighbour, as the protocol does.
        return np.round(np.clip(v, -limit, limit)).astype(np.int64) + limit
    raise MetricError(
        f"{dataset} has no {num_classes}-class metric; it has "
        f"{', '.join(map(str, class_counts(dataset)))} classes."
    )


def class_counts(dataset: Dataset) -> tuple[int, ...]:
    """Return the numbers of classes the protocol scores: 2, 3, 5 and on MOSI and MOSEI 7."""
    return (2, 3, 5) if is_sims(dataset) else (2, 3, 5, 7)


def class_names(dataset: Dataset, num_classes: int) -> tuple[str, ...]:
    """Return the name of every class, the most negative first."""
    classify(dataset, num_classes, [])
    if num_classes == 2:
        return ("non-positive", "positive") if is_sims(dataset) else ("negative", "non-negative")
    return _CLASS_NAMES[num_classes]


def confusion(
    dataset: Dataset,
    num_classes: int,
    predictions: npt.ArrayLike,
    labels: npt.ArrayLike,
    *,
    sample_ids: Sequence[str] = (),
) -> Classes:
    """Return how many samples of each true class (row) got each class (column).

    Returns:
        (K, K) int64. Rows and columns from the most negative class; the diagonal is right.

    Raises:
        MetricError: as in `score` and `classify`.
    """
    p, y = checked_pair(predictions, labels, sample_ids)
    truth, predicted = classify(dataset, num_classes, y), classify(dataset, num_classes, p)
    counts = np.bincount(truth * num_classes + predicted, minlength=num_classes**2)
    return counts.reshape(num_classes, num_classes).astype(np.int64)
