"""From stored points to the lines of a chart: choice of x, smoothing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from db.records import Points

Floats = npt.NDArray[np.float64]

SMOOTHING_LEVELS = (0.0, 0.6, 0.8, 0.9, 0.95, 0.98)
MIN_POINTS_TO_SMOOTH = 40


class XAxis(StrEnum):
    """What the horizontal axis counts."""

    STEP = "step"
    EPOCH = "epoch"
    TIME = "time"


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """One line of a chart."""

    key: str
    """What it stands for: usually a run id or a series name."""
    label: str
    slot: int
    """Colour and marker, see `palette`."""
    x: Floats
    """(N,), not decreasing."""
    y: Floats
    """(N,), NaN and infinities allowed."""
    smooth: Floats | None = None
    """(N,) smoothed values: drawn strongly, with `y` faint behind."""

    @property
    def last(self) -> float | None:
        """Newest value, unsmoothed; None without points."""
        return float(self.y[-1]) if len(self.y) else None

    def value_at(self, x: float) -> float | None:
        """Return the value of the point nearest to `x`; None when `x` is beyond the line."""
        if not len(self.x) or x < self.x[0] - 1e-9 or x > self.x[-1] + 1e-9:
            return None
        after = int(np.searchsorted(self.x, x))
        before = max(after - 1, 0)
        after = min(after, len(self.x) - 1)
        near = before if x - self.x[before] <= self.x[after] - x else after
        return float(self.y[near])


def same_lines(some: Sequence[Line], others: Sequence[Line]) -> bool:
    """Return whether two charts would draw the same lines."""
    return len(some) == len(others) and all(
        (a.key, a.label, a.slot) == (b.key, b.label, b.slot)
        and (a.smooth is None) == (b.smooth is None)
        and np.array_equal(a.x, b.x)
        and np.array_equal(a.y, b.y, equal_nan=True)
        and (a.smooth is None or np.array_equal(a.smooth, b.smooth, equal_nan=True))  # pyright: ignore[reportArgumentType]
        for a, b in zip(some, others, strict=True)
    )


def smooth(values: Floats, weight: float) -> Floats:
    """Return the exponential moving average, unbiased at its start; gaps stay gaps.

    Args:
        values: (N,) values; non-finite ones do not enter the average.
        weight: share of the past, 0 to 1 (0 changes nothing).
    """
    if weight <= 0:
        return values.copy()
    smoothed = np.full(len(values), np.nan)
    average, mass = 0.0, 0.0
    for index, value in enumerate(values.tolist()):
        if not math.isfinite(value):
            continue
        average = weight * average + (1 - weight) * value
        mass = weight * mass + (1 - weight)
        smoothed[index] = average / mass
    return smoothed


def line_from_points(
    points: Points,
    *,
    label: str,
    slot: int,
    x_axis: XAxis = XAxis.STEP,
    smoothing: float = 0.0,
    key: str | None = None,
) -> Line:
    """Return the line of a series; smoothing leaves short series (one point an epoch) alone."""
    y = np.asarray(points.values, dtype=np.float64)
    drawn = None
    if smoothing > 0 and len(y) >= MIN_POINTS_TO_SMOOTH:
        drawn = smooth(y, smoothing)
    x = _horizontal(points, x_axis)
    return Line(key or points.run_id, label, slot, x, y, drawn)


def _horizontal(points: Points, x_axis: XAxis) -> Floats:
    if x_axis is XAxis.STEP:
        return np.asarray(points.steps, dtype=np.float64)
    if x_axis is XAxis.TIME:
        times = np.asarray(points.times, dtype=np.float64)
        return np.maximum.accumulate(times - times[0]) if len(times) else times
    return _epochs(points)


def _epochs(points: Points) -> Floats:
    """Return fractional epochs: the points of an epoch are spread evenly up to its end."""
    epochs = np.asarray(points.epochs, dtype=np.float64)
    if not len(epochs):
        return epochs
    starts = np.flatnonzero(np.diff(epochs, prepend=epochs[0] - 1))
    sizes = np.diff(starts, append=len(epochs))
    usual = max(int(sizes.max()), 1)
    # The newest epoch may not be over: its points get the room of a full one.
    room = np.where(np.arange(len(sizes)) == len(sizes) - 1, usual, sizes)
    place = np.arange(len(epochs)) - np.repeat(starts, sizes)
    spread = epochs - 1 + (place + 1) / np.repeat(room, sizes)
    if usual == 1:
        return np.maximum.accumulate(epochs)
    return np.maximum.accumulate(spread)
