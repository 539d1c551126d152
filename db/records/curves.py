"""Series as they are drawn: numpy arrays, thinned to an exact envelope where they are long.

Letters: M points kept, B buckets, K points that are not finite.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Buckets:
    """The stretches of steps a long series was cut into, in order, without overlap."""

    starts: NDArray[np.int64]
    """(B,) first step."""
    ends: NDArray[np.int64]
    """(B,) last step."""
    means: NDArray[np.float64]
    """(B,) mean of the finite values; NaN where there are none."""
    counts: NDArray[np.int64]
    """(B,) finite values."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Curve:
    """One series of one run, in order of step."""

    run_id: str
    series: str
    steps: NDArray[np.int64]
    """(M,) of all points, or of the lowest and the highest of each bucket: real points."""
    epochs: NDArray[np.int64]
    """(M,)."""
    values: NDArray[np.float64]
    """(M,) with NaN and infinities where all points are kept, else finite ones alone."""
    times: NDArray[np.float64]
    """(M,) seconds since the epoch."""
    num_points: int
    """Points the series has; more than M where it was thinned."""
    buckets: Buckets | None = None
    """None where all points are kept."""
    bad_steps: NDArray[np.int64] | None = None
    """(K,) of a thinned series: where values are not finite."""

    def __eq__(self, other: object) -> bool:
        """Return whether both hold the same points."""
        if self is other:
            return True
        return isinstance(other, Curve) and (
            (self.run_id, self.series, self.num_points)
            == (other.run_id, other.series, other.num_points)
            and (self.buckets is None) == (other.buckets is None)
            and _same(self.steps, other.steps)
            and _same(self.values, other.values)
            and _same(self.times, other.times)
            and _same(self.epochs, other.epochs)
        )

    def __hash__(self) -> int:
        """Return a number that equal curves share."""
        return hash((self.run_id, self.series, self.num_points))


def _same(some: NDArray[np.generic], other: NDArray[np.generic]) -> bool:
    """Return whether two arrays are equal, NaN included."""
    if some is other:
        return True
    if some.shape != other.shape:
        return False
    return bool(((some == other) | ((some != some) & (other != other))).all())
