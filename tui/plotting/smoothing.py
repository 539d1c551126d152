"""Exponential moving averages that know how many points a value stands for."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


def smooth(values: Floats, weight: float, counts: Ints | None = None) -> Floats:
    """Return the exponential moving average, unbiased at its start; gaps stay gaps.

    A value that stands for n points counts as n points of that value: the average of a thinned
    series is that of the whole one, whatever the zoom.

    Args:
        values: (N,) values; non-finite ones do not enter the average.
        weight: share of the past a point leaves, 0 to 1 (0 changes nothing).
        counts: (N,) points behind each value; None for one each.
    """
    if weight <= 0:
        return values.copy()
    finite = np.isfinite(values)
    kept = np.power(weight, 1 if counts is None else counts, where=finite, out=np.ones(len(values)))
    average, mass = np.where(finite, values, 0.0) * (1 - kept), 1 - kept
    # A scan in log2(N) passes: after each, a place holds the sum of twice as many terms.
    shift = 1
    while shift < len(values):
        before = kept[shift:].copy()
        average[shift:] += before * average[:-shift].copy()
        mass[shift:] += before * mass[:-shift].copy()
        kept[shift:] = before * kept[:-shift].copy()
        shift *= 2
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(finite, average / mass, np.nan)
