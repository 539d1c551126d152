"""The formulas, on arrays that were checked: N samples, float64, nothing rounded, NaN undefined."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Classes = npt.NDArray[np.int64]

UNDEFINED = float("nan")


def accuracy(first: Classes, second: Classes) -> float:
    """Return the share of equal classes; (N,), (N,) int64 -> 0 to 1."""
    return float((first == second).mean()) if len(first) else UNDEFINED


def weighted_f1(truth: Classes, predicted: Classes) -> float:
    """Return the F1 of every true class, weighted by its size; a class never predicted gives 0."""
    if not len(truth):
        return UNDEFINED
    total = 0.0
    for label, size in zip(*np.unique(truth, return_counts=True), strict=True):
        hits = np.count_nonzero((truth == label) & (predicted == label))
        total += float(size) * 2 * hits / (float(size) + np.count_nonzero(predicted == label))
    return float(total / len(truth))


def correlation(p: Floats, y: Floats) -> float:
    """Return Pearson's r; (N,), (N,) float64 -> -1 to 1. NaN where a side is constant (float32)."""
    if any((v == v[0]).all() for v in (p.astype(np.float32), y.astype(np.float32))):
        return UNDEFINED
    # Scaling first keeps squares of tiny and huge values in range.
    a, b = (values / np.abs(values).max() for values in (p, y))
    a, b = a - a.mean(), b - b.mean()
    r = (a @ b) / np.sqrt((a @ a) * (b @ b))
    return float(np.clip(r, -1.0, 1.0))
