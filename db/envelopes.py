"""Series for the eye: every extreme kept, means beside them, at a cost that hardly grows.

A long series is read from the zoom pyramid, a shorter one from its points; either is cut into
buckets of equal width, of which the lowest and the highest point stay, and the mean and the count.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Union

import numpy as np

from db.digest import LEVELS
from db.records.curves import Buckets, Curve
from db.series_names import split_name

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from sqlalchemy import Connection

POINTS_AT_ONCE = 32_768
"""As many points are read and thinned here; of more the pyramid is read."""
_STEPS_A_QUERY = 900
_POINT = np.dtype([("step", "i8"), ("epoch", "i8"), ("value", "f8"), ("time", "i8")])
_BUCKET = np.dtype(
    [
        ("bucket", "i8"),
        ("low_step", "i8"),
        ("high_step", "i8"),
        ("low", "f8"),
        ("high", "f8"),
        ("total", "f8"),
        ("count", "i8"),
        ("bad", "i8"),
    ]
)
_HEADS = (
    "SELECT r.id, s.id, s.num_points, s.first_step, s.last_step, r.attempt, s.non_finite "
    "FROM series s JOIN runs r ON r.id = s.run_id WHERE s.split = ? "
    "AND s.branch = ? AND s.name = ? AND s.num_points > 0 AND s.run_id IN ({runs})"
)
_RUNS_A_QUERY = 500
_OF_SERIES = "series_id = ? AND attempt IN (SELECT number FROM attempts WHERE run_id = ?)"
"""All attempts by name: only so is the index on series, attempt and step of use."""
_COLUMNS = "step, epoch, coalesce(value, {nan}), time_ms"
_SQLITE_NAN = "'nan'"


Reading = Union["Connection", sqlite3.Connection]
"""A connection inside a read: of the engine, or of the standard library to a file."""


class Head:
    """What is known of a series before any point of it is read."""

    def __init__(self, row: Sequence[Any], name: str) -> None:
        self.run_id: str = row[0]
        self.name = name
        self.series_id, self.num_points, self.first_step, self.last_step = map(int, row[1:5])
        self.attempt, self.non_finite = int(row[5] or 0), int(row[6])


def read_heads(connection: Reading, run_ids: Sequence[str], name: str) -> tuple[Head, ...]:
    """Return the heads of the runs that have points of the series, in the order asked for."""
    found: dict[str, Head] = {}
    for begin in range(0, len(run_ids), _RUNS_A_QUERY):
        some = run_ids[begin : begin + _RUNS_A_QUERY]
        query = _HEADS.format(runs=", ".join("?" * len(some)))
        rows = _rows(connection, query, (*split_name(name), *some))
        found |= {row[0]: Head(row, name) for row in rows}
    return tuple(found[run_id] for run_id in run_ids if run_id in found)


def read_curve(
    connection: Reading, head: Head, columns: int, steps: tuple[int, int] | None = None
) -> Curve:
    """Return a series in about `columns` buckets, or all its points where they are few.

    Args:
        connection: to read by.
        head: the series.
        columns: buckets wanted; a series of up to twice as many points is not thinned.
        steps: first and last step to read; a whole number of buckets around them is read.
    """
    first, last = steps or (head.first_step, head.last_step)
    first, last = max(first, head.first_step), min(last, head.last_step)
    share = (last - first + 1) / max(head.last_step - head.first_step + 1, 1)
    if head.num_points * min(max(share, 0.0), 1.0) <= POINTS_AT_ONCE:
        return thinned(_curve(head, _points(connection, head, first, last)), columns)
    return _from_pyramid(connection, head, columns, (first, last))


def read_tail(connection: Reading, head: Head, after_step: int) -> Curve:
    """Return the points of a series beyond a step."""
    return _curve(head, _points(connection, head, after_step + 1, head.last_step))


def thinned(curve: Curve, columns: int) -> Curve:
    """Return the exact envelope of a curve of single points; of a short one, all of it."""
    steps, values = curve.steps, curve.values
    if len(steps) <= 2 * columns:
        return curve
    width = -(-(int(steps[-1]) - int(steps[0]) + 1) // columns)
    finite = np.isfinite(values)
    group = (steps - steps[0]) // width
    kept, place = steps[finite], group[finite]
    clean = values[finite]
    starts = np.flatnonzero(np.diff(place, prepend=-1))
    counts = np.diff(starts, append=len(place))
    if len(starts):
        lows, highs = _argument_of_ends(clean, starts, counts)
        ends = np.union1d(lows, highs)
        chosen = np.flatnonzero(finite)[ends]
        buckets = Buckets(
            starts=kept[starts],
            ends=kept[starts + counts - 1],
            means=np.add.reduceat(clean, starts) / counts,
            counts=counts,
        )
    else:
        none = np.zeros(0, np.int64)
        chosen, buckets = none, Buckets(starts=none, ends=none, means=clean, counts=none)
    return Curve(
        run_id=curve.run_id,
        series=curve.series,
        steps=steps[chosen],
        epochs=curve.epochs[chosen],
        values=values[chosen],
        times=curve.times[chosen],
        num_points=curve.num_points,
        buckets=buckets,
        bad_steps=steps[~finite],
    )


def _argument_of_ends(
    values: NDArray[np.float64], starts: NDArray[np.int64], counts: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return where the first lowest and the first highest value of each stretch lie."""
    found: list[NDArray[np.int64]] = []
    group = np.repeat(np.arange(len(starts)), counts)
    for ends in (np.minimum.reduceat(values, starts), np.maximum.reduceat(values, starts)):
        places = np.flatnonzero(values == ends[group])
        found.append(places[np.flatnonzero(np.diff(group[places], prepend=-1))])
    return found[0], found[1]


def _from_pyramid(connection: Reading, head: Head, columns: int, steps: tuple[int, int]) -> Curve:
    """Return the envelope of a stretch of steps from the coarsest level that is fine enough."""
    first, last = steps
    fitting = [level for level in LEVELS if (last - first) >> level >= columns]
    level = fitting[-1] if fitting else LEVELS[0]
    rows = _bucket_rows(connection, head, level, (first >> level, last >> level))
    width = -(-((last >> level) - (first >> level) + 1) // columns)
    bad = rows["bucket"][rows["bad"] > 0] << level
    rows = rows[rows["count"] > 0]
    starts = np.flatnonzero(np.diff((rows["bucket"] - (first >> level)) // width, prepend=-1))
    sizes = np.diff(starts, append=len(rows))
    lows = rows["low_step"][_argument_of_ends(rows["low"], starts, sizes)[0]]
    highs = rows["high_step"][_argument_of_ends(rows["high"], starts, sizes)[1]]
    counts = np.add.reduceat(rows["count"], starts)
    points = _points_at(connection, head, np.union1d(lows, highs).tolist())
    curve = _curve(head, points)
    return Curve(
        run_id=curve.run_id,
        series=curve.series,
        steps=curve.steps,
        epochs=curve.epochs,
        values=curve.values,
        times=curve.times,
        num_points=head.num_points,
        buckets=Buckets(
            starts=np.maximum(rows["bucket"][starts] << level, head.first_step),
            ends=np.minimum(
                ((rows["bucket"][starts + sizes - 1] + 1) << level) - 1, head.last_step
            ),
            means=np.add.reduceat(rows["total"], starts) / counts,
            counts=counts,
        ),
        bad_steps=np.clip(bad, head.first_step, head.last_step),
    )


def _bucket_rows(
    connection: Reading, head: Head, level: int, buckets: tuple[int, int]
) -> NDArray[Any]:
    """Return the buckets of a level in order; those without a finite value have count 0."""
    rows = _rows(
        connection,
        "SELECT bucket, coalesce(minimum_step, 0), coalesce(maximum_step, 0), "
        "coalesce(minimum, 0), coalesce(maximum, 0), total, num_points - non_finite, non_finite "
        "FROM pyramid WHERE series_id = ? AND level = ? AND bucket BETWEEN ? AND ? "
        "ORDER BY bucket",
        (head.series_id, level, *buckets),
    )
    return np.fromiter(map(tuple, rows), _BUCKET)


def _points(connection: Reading, head: Head, first: int, last: int) -> NDArray[Any]:
    """Return the points from one step to another, in order of step."""
    rows = _rows(
        connection,
        f"SELECT {_point_columns(connection)} FROM points WHERE {_OF_SERIES} "
        "AND step BETWEEN ? AND ? ORDER BY attempt, step",
        (head.series_id, head.run_id, first, last),
    )
    found = np.fromiter(map(tuple, rows), _POINT)
    if np.any(np.diff(found["step"]) < 0):  # an earlier attempt stored points late
        found = found[np.argsort(found["step"], kind="stable")]
    return found


def _points_at(connection: Reading, head: Head, steps: Sequence[int]) -> NDArray[Any]:
    """Return the points of a series at these steps, in order."""
    parts: list[NDArray[Any]] = []
    for begin in range(0, len(steps), _STEPS_A_QUERY):
        some = ", ".join(map(str, steps[begin : begin + _STEPS_A_QUERY]))
        rows = _rows(
            connection,
            f"SELECT {_point_columns(connection)} FROM points WHERE {_OF_SERIES} "
            f"AND step IN ({some}) ORDER BY step",
            (head.series_id, head.run_id),
        )
        parts.append(np.fromiter(map(tuple, rows), _POINT))
    return np.concatenate(parts) if parts else np.zeros(0, _POINT)


def _point_columns(connection: Reading) -> str:
    """Return the columns of a point; null is NaN."""
    is_sqlite = isinstance(connection, sqlite3.Connection) or connection.dialect.name == "sqlite"
    return _COLUMNS.format(nan=_SQLITE_NAN if is_sqlite else "'NaN'::float8")


def _rows(connection: Reading, statement: str, values: tuple[int | str, ...]) -> Any:
    """Read past SQLAlchemy, which spends more on a row than SQLite does."""
    if isinstance(connection, sqlite3.Connection):
        return connection.execute(statement, values)
    if connection.dialect.name == "sqlite":
        raw = connection.connection.driver_connection
        assert isinstance(raw, sqlite3.Connection)
        return raw.execute(statement, values)
    return connection.exec_driver_sql(statement.replace("?", "%s"), values)


def _curve(head: Head, points: NDArray[Any]) -> Curve:
    return Curve(
        run_id=head.run_id,
        series=head.name,
        steps=points["step"].copy(),
        epochs=points["epoch"].copy(),
        values=points["value"].copy(),
        times=points["time"] / 1000.0,
        num_points=head.num_points,
    )
