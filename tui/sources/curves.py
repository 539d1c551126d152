"""Curves from the run database; of a curve that grows only what is new is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from db.envelopes import Head, Reading, read_curve, read_heads, read_tail
from db.records import Buckets, Curve

COLUMNS = 500
"""Buckets of a long series: more than the dots across a chart of 200 cells hold apart."""
MAX_KEPT = 400


@dataclass(frozen=True, slots=True)
class _Kept:
    """A curve as it was read, and what the database said of it then."""

    attempt: int
    num_points: int
    last_step: int
    curve: Curve


class CurveSource:
    """Answers from memory what can't have changed."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], _Kept] = {}
        self._parts: dict[tuple[str, str, tuple[int, int]], tuple[int, Curve]] = {}

    def read(
        self,
        connection: Reading,
        run_ids: Sequence[str],
        series: str,
        windows: Mapping[str, tuple[int, int]],
    ) -> tuple[Curve, ...]:
        """Return a series of several runs; runs without points of it are left out.

        Args:
            connection: inside a read.
            run_ids: the runs, in the order of the answer.
            series: `train.loss`.
            windows: by run, steps to read more finely, where a run's curve is thinned.
        """
        curves: list[Curve] = []
        for head in read_heads(connection, run_ids, series):
            curve = self._whole(connection, head)
            window = windows.get(head.run_id)
            if window is not None and curve.buckets is not None:
                curve = self._finer(connection, head, curve, window)
            curves.append(curve)
        return tuple(curves)

    def _whole(self, connection: Reading, head: Head) -> Curve:
        """Return the curve: as kept, with the points that came since, or read anew."""
        key = (head.run_id, head.name)
        kept = self._kept.get(key)
        state = (head.attempt, head.num_points, head.last_step)
        if kept is not None and (kept.attempt, kept.num_points, kept.last_step) == state:
            return kept.curve
        curve = None
        if kept is not None and kept.attempt == head.attempt and kept.last_step < head.last_step:
            tail = read_tail(connection, head, kept.last_step)
            is_all = kept.num_points + len(tail.steps) == head.num_points
            if is_all and len(kept.curve.steps) + len(tail.steps) <= 4 * COLUMNS:
                curve = extended(kept.curve, tail)
        if curve is None:
            curve = read_curve(connection, head, COLUMNS)
        if len(self._kept) >= MAX_KEPT:
            self._kept.clear()
        self._kept[key] = _Kept(*state, curve)
        return curve

    def _finer(
        self, connection: Reading, head: Head, whole: Curve, window: tuple[int, int]
    ) -> Curve:
        """Return the curve with the buckets around a window replaced by finer ones."""
        assert whole.buckets is not None
        starts, ends = whole.buckets.starts, whole.buckets.ends
        inside = np.flatnonzero((ends >= window[0]) & (starts <= window[1]))
        if len(inside) == 0 or len(inside) > COLUMNS // 2:
            return whole
        steps = (int(starts[inside[0]]), int(ends[inside[-1]]))
        key = (head.run_id, head.name, steps)
        known = self._parts.get(key)
        if known is None or known[0] != head.num_points:
            if len(self._parts) >= MAX_KEPT // 10:
                self._parts.clear()
            known = (head.num_points, read_curve(connection, head, COLUMNS, steps))
            self._parts[key] = known
        return spliced(whole, known[1], steps)


def _buckets_of(curve: Curve) -> Buckets:
    """Return the buckets of a curve; a single point is a bucket of its own."""
    if curve.buckets is not None:
        return curve.buckets
    return Buckets(
        starts=curve.steps,
        ends=curve.steps,
        means=curve.values,
        counts=np.isfinite(curve.values).astype(np.int64),
    )


def _bad_steps(curve: Curve) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    if curve.bad_steps is not None:
        return curve.bad_steps
    return curve.steps[~np.isfinite(curve.values)]


def extended(curve: Curve, tail: Curve) -> Curve:
    """Return a curve with later single points behind it."""
    if not len(tail.steps):
        return replace(curve, num_points=tail.num_points)
    return _joined([curve, tail], num_points=tail.num_points)


def spliced(whole: Curve, part: Curve, steps: tuple[int, int]) -> Curve:
    """Return a thinned curve with the stretch between two steps taken from a finer reading."""
    before = _stretch(whole, whole.steps < steps[0], steps[0], is_before=True)
    after = _stretch(whole, whole.steps > steps[1], steps[1], is_before=False)
    return _joined([before, part, after], num_points=whole.num_points)


def _stretch(
    curve: Curve,
    chosen: np.ndarray[tuple[int], np.dtype[np.bool_]],
    edge: int,
    *,
    is_before: bool,
) -> Curve:
    buckets, bad = _buckets_of(curve), _bad_steps(curve)
    kept = buckets.ends < edge if is_before else buckets.starts > edge
    return replace(
        curve,
        steps=curve.steps[chosen],
        epochs=curve.epochs[chosen],
        values=curve.values[chosen],
        times=curve.times[chosen],
        buckets=Buckets(
            starts=buckets.starts[kept],
            ends=buckets.ends[kept],
            means=buckets.means[kept],
            counts=buckets.counts[kept],
        ),
        bad_steps=bad[bad < edge] if is_before else bad[bad > edge],
    )


def _joined(parts: Sequence[Curve], *, num_points: int) -> Curve:
    """Return curves one behind the other; of single points only if all are."""
    is_thinned = any(part.buckets is not None for part in parts)
    buckets = [_buckets_of(part) for part in parts]
    values = np.concatenate([part.values for part in parts])
    kept = np.isfinite(values) if is_thinned else np.ones(len(values), dtype=np.bool_)
    joined = Buckets(
        starts=np.concatenate([one.starts for one in buckets]),
        ends=np.concatenate([one.ends for one in buckets]),
        means=np.concatenate([one.means for one in buckets]),
        counts=np.concatenate([one.counts for one in buckets]),
    )
    return replace(
        parts[0],
        steps=np.concatenate([part.steps for part in parts])[kept],
        epochs=np.concatenate([part.epochs for part in parts])[kept],
        values=values[kept],
        times=np.concatenate([part.times for part in parts])[kept],
        num_points=num_points,
        buckets=joined if is_thinned else None,
        bad_steps=np.concatenate([_bad_steps(part) for part in parts]) if is_thinned else None,
    )
