"""From stored points to the lines of a chart: choice of x, smoothing, gaps.

Letters: N points of a line, S values of its smoothed form, K values that are not finite.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from db.records import Curve, Points
from tui.plotting.choices import SMOOTHING_LEVELS, XAxis
from tui.plotting.smoothing import smooth

__all__ = ["SMOOTHING_LEVELS", "Band", "Line", "XAxis", "curve_of", "smooth"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

MIN_POINTS_TO_SMOOTH = 40
MIN_POINTS_FOR_GAPS, GAP_STRIDES = 16, 12
"""A stretch without points this many usual strides wide is a gap."""
NOTHING = np.zeros(0)
NO_PLACES = np.zeros(0, np.int64)


def _nothing() -> Floats:
    return NOTHING


def _no_places() -> Ints:
    return NO_PLACES


@dataclass(frozen=True, slots=True, eq=False)
class Band:
    """Mean and standard deviation over the seeds of a group."""

    low: Floats
    """(N,) mean less one standard deviation; NaN where there are fewer than two seeds."""
    high: Floats
    """(N,)."""
    sizes: Ints
    """(N,) seeds with a value there."""


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
    """(S,) smoothed values: drawn strongly, with `y` faint behind."""
    smooth_x: Floats | None = None
    """(S,) where they lie; None for `x`."""
    bad_x: Floats = field(default_factory=_nothing)
    """(K,) where values are not finite, beyond those in `y`."""
    breaks: Ints = field(default_factory=_no_places)
    """Indices of the points behind which points are missing: no line leads on from them."""
    num_points: int = 0
    """Points the series has; more than N where it was thinned; 0 for N."""
    band: Band | None = None
    best_x: float | None = None
    """Where the best epoch ends."""
    is_baseline: bool = False
    """Drawn dashed: what the others are held against."""
    baseline_of: str = ""
    """Key of the one line it is held against; empty for all of them."""

    @property
    def last(self) -> float | None:
        """Newest value, unsmoothed; None without points."""
        return float(self.y[-1]) if len(self.y) else None

    def value_at(self, x: float) -> float | None:
        """Return the value of the point nearest to `x`; None when `x` is beyond the line."""
        return _nearest(self.x, self.y, x)

    def smooth_at(self, x: float) -> float | None:
        """Return the smoothed value nearest to `x`; None where there is none."""
        if self.smooth is None:
            return None
        return _nearest(self.x if self.smooth_x is None else self.smooth_x, self.smooth, x)

    def band_at(self, x: float) -> tuple[float, int] | None:
        """Return the standard deviation and the number of seeds at the point nearest to `x`."""
        if self.band is None:
            return None
        half = _nearest(self.x, (self.band.high - self.band.low) / 2, x)
        number = _nearest(self.x, self.band.sizes.astype(np.float64), x)
        return None if half is None or number is None else (half, int(number))

    @property
    def total(self) -> int:
        """Points the series has."""
        return self.num_points or len(self.x)

    @property
    def num_bad(self) -> int:
        """Values that are not finite; where it was thinned, buckets with such values."""
        return len(self.bad_x) + int(np.count_nonzero(~np.isfinite(self.y)))


def _nearest(xs: Floats, ys: Floats, x: float) -> float | None:
    if not len(xs) or x < xs[0] - 1e-9 or x > xs[-1] + 1e-9:
        return None
    after = int(np.searchsorted(xs, x))
    before = max(after - 1, 0)
    after = min(after, len(xs) - 1)
    return float(ys[before if x - xs[before] <= xs[after] - x else after])


_ARRAYS = ("x", "y", "smooth", "smooth_x", "bad_x", "breaks")
_VALUES = ("key", "label", "slot", "num_points", "best_x", "is_baseline", "baseline_of")


def same_lines(some: Sequence[Line], others: Sequence[Line]) -> bool:
    """Return whether two charts would draw the same lines."""
    return len(some) == len(others) and all(map(_same_line, some, others))


def _same_line(one: Line, other: Line) -> bool:
    if one is other:
        return True
    if any(getattr(one, name) != getattr(other, name) for name in _VALUES):
        return False
    if (one.band is None) != (other.band is None):
        return False
    pairs = [(getattr(one, name), getattr(other, name)) for name in _ARRAYS]
    if one.band is not None and other.band is not None:
        pairs += [(one.band.low, other.band.low), (one.band.high, other.band.high)]
    return all(
        a is b or (a is not None and b is not None and np.array_equal(a, b, equal_nan=True))
        for a, b in pairs
    )


def curve_of(points: Points) -> Curve:
    """Return points as a curve with all of them."""
    return Curve(
        run_id=points.run_id,
        series=points.series,
        steps=np.asarray(points.steps, dtype=np.int64),
        epochs=np.asarray(points.epochs, dtype=np.int64),
        values=np.asarray(points.values, dtype=np.float64),
        times=np.asarray(points.times, dtype=np.float64),
        num_points=len(points.steps),
    )


def line_from_points(points: Points, **options: object) -> Line:
    """Return the line of a series with all its points; options are those of `line_of`."""
    return line_of(curve_of(points), **options)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def line_of(
    curve: Curve,
    *,
    label: str,
    slot: int,
    x_axis: XAxis = XAxis.STEP,
    smoothing: float = 0.0,
    key: str | None = None,
    best_epoch: int | None = None,
    is_baseline: bool = False,
    baseline_of: str = "",
) -> Line:
    """Return the line of a curve; smoothing leaves short series (one point an epoch) alone."""
    x = horizontal(curve, x_axis)
    smoothed, smooth_x = _smoothed(curve, x, smoothing)
    bad = NOTHING if curve.bad_steps is None else place_steps(curve, x, curve.bad_steps)
    return Line(
        key=key or curve.run_id,
        label=label,
        slot=slot,
        x=x,
        y=curve.values,
        smooth=smoothed,
        smooth_x=smooth_x,
        bad_x=bad,
        breaks=_gaps(x) if curve.buckets is None else NO_PLACES,
        num_points=curve.num_points,
        best_x=end_of_epoch(curve, x, best_epoch),
        is_baseline=is_baseline,
        baseline_of=baseline_of,
    )


def _smoothed(curve: Curve, x: Floats, weight: float) -> tuple[Floats | None, Floats | None]:
    """Return the smoothed values and where they lie; None where there is nothing to smooth."""
    if weight <= 0 or curve.num_points < MIN_POINTS_TO_SMOOTH:
        return None, None
    if curve.buckets is None:
        return smooth(curve.values, weight), None
    buckets = curve.buckets
    middle = (buckets.starts + buckets.ends) / 2
    return smooth(buckets.means, weight, buckets.counts), place_steps(curve, x, middle)


def place_steps(curve: Curve, x: Floats, steps: Floats | Ints) -> Floats:
    """Return where steps lie on the axis whose values at the curve's own steps are `x`."""
    if not len(x):
        return NOTHING
    return np.asarray(np.interp(steps, curve.steps, x), dtype=np.float64)  # pyright: ignore[reportUnknownArgumentType]


def end_of_epoch(curve: Curve, x: Floats, epoch: int | None) -> float | None:
    """Return where the last point of an epoch lies; None where there is none of it."""
    if epoch is None or not len(x):
        return None
    place = int(np.searchsorted(curve.epochs, epoch, side="right")) - 1
    if place < 0 or (curve.buckets is None and curve.epochs[place] != epoch):
        return None
    return float(x[place])


def _gaps(x: Floats) -> Ints:
    """Return the indices behind which points are missing: the run was away, or lost them."""
    if len(x) < MIN_POINTS_FOR_GAPS:
        return NO_PLACES
    strides = np.diff(x)
    usual = float(np.quantile(strides, 0.9))
    return np.flatnonzero(strides > GAP_STRIDES * usual) if usual > 0 else NO_PLACES


def horizontal(curve: Curve, x_axis: XAxis) -> Floats:
    """Return the (M,) places of a curve's points on an axis, not decreasing."""
    if x_axis is XAxis.STEP:
        return curve.steps.astype(np.float64)
    if x_axis is XAxis.EPOCH:
        return _epochs(curve)
    times = np.maximum.accumulate(curve.times) if len(curve.times) else curve.times
    return times if x_axis is XAxis.CLOCK or not len(times) else times - times[0]


def _epochs(curve: Curve) -> Floats:
    """Return fractional epochs: the points of an epoch are spread evenly up to its end."""
    epochs, steps = curve.epochs.astype(np.float64), curve.steps.astype(np.float64)
    if not len(epochs):
        return epochs
    starts = np.flatnonzero(np.diff(epochs, prepend=epochs[0] - 1))
    if len(starts) == len(epochs):
        return np.maximum.accumulate(epochs)
    lasts = np.append(starts[1:], len(epochs)) - 1
    # An epoch reaches from the last step of the one before to its own; the newest may not be over.
    before = np.append(steps[0] - 1, steps[lasts[:-1]])
    lengths = np.maximum(steps[lasts] - before, 1)
    lengths[-1] = max(float(lengths.max()), 1.0)
    group = np.repeat(np.arange(len(starts)), lasts - starts + 1)
    spread = epochs - 1 + (steps - before[group]) / lengths[group]
    return np.maximum.accumulate(spread)
