"""Reading series: whole, from a step on, or thinned to an exact envelope."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Integer, Row, Select, func, literal_column, select
from sqlalchemy.dialects.postgresql import distinct_on

from db.digest import LEVELS, Digest
from db.errors import NotFoundError
from db.records import Points
from db.rows import to_float, to_seconds
from db.series_names import join_name, split_name
from db.tables import attempts, points, pyramid, runs, series

_BUCKETS_A_COLUMN = 8
"""With fewer, columns of whole buckets would be much fewer than asked for."""
_AT_ONCE = 500
"""Steps looked up by one statement."""


def list_series(connection: Connection, run_id: str) -> tuple[str, ...]:
    """Return the names of a run's series, in order."""
    query = select(series.c.split, series.c.branch, series.c.name)
    rows = connection.execute(query.where(series.c.run_id == run_id))
    return tuple(sorted(join_name(*row) for row in rows))


def read_points(
    connection: Connection,
    run_id: str,
    name: str,
    *,
    max_points: int | None = None,
    after_step: int = 0,
) -> Points:
    """Return one series in order of step.

    With `max_points`, a longer series is cut into columns of equal width, and the lowest and the
    highest point of each column are returned: real points, so no spike is lost. NaN and infinities
    are left out of a thinned series. `after_step` returns only later points.

    Raises:
        NotFoundError: no such run, or it has no such series.
    """
    row = series_row(connection, run_id, name)
    if row.first_step is None:
        rows: Iterable[Sequence[Any]] = ()
    elif max_points is None or row.num_points <= max_points:
        rows = connection.execute(_whole(row.id, after_step))
    else:
        rows = _envelope(connection, row, max_points, after_step)
    steps, epochs, values, times = tuple(zip(*rows, strict=True)) or ((), (), (), ())
    return Points(
        run_id=run_id,
        series=name,
        steps=steps,
        epochs=epochs,
        values=tuple(map(to_float, values)),
        times=tuple(map(to_seconds, times)),
    )


def series_row(connection: Connection, run_id: str, name: str) -> Row[Any]:
    """Return the row of a series.

    Raises:
        NotFoundError: no such run, or it has no such series.
    """
    split, branch, inner = split_name(name)
    row = connection.execute(
        select(*series.c).where(
            series.c.run_id == run_id,
            series.c.split == split,
            series.c.branch == branch,
            series.c.name == inner,
        )
    ).first()
    if row is not None:
        return row
    if connection.execute(select(runs.c.id).where(runs.c.id == run_id)).first() is None:
        raise NotFoundError(f"There is no run `{run_id}`.")
    known = list_series(connection, run_id)
    listed = ", ".join(f"`{one}`" for one in known) or "no series yet"
    raise NotFoundError(f"Run `{run_id}` has no series `{name}`; it has {listed}.")


def _whole(series_id: int, after_step: int) -> Select[int, int, float | None, int]:
    query = select(points.c.step, points.c.epoch, points.c.value, points.c.time_ms).where(
        points.c.series_id == series_id
    )
    if after_step:
        query = query.where(points.c.step > after_step)
    return query.order_by(points.c.step, points.c.attempt)


def _envelope(
    connection: Connection, row: Row[Any], max_points: int, after_step: int
) -> Iterable[Sequence[Any]]:
    """Return the lowest and highest points of at most `max_points // 2` columns."""
    first = max(row.first_step, after_step + 1)
    columns = max(max_points // 2, 1)
    width = -(-(row.last_step - first + 1) // columns)
    fitting = [level for level in LEVELS if 1 << level <= width]
    if fitting and not after_step:
        fine = [level for level in fitting if width >= _BUCKETS_A_COLUMN << level]
        level = fine[-1] if fine else fitting[0]
        ends = _from_pyramid(connection, row, level, columns)
    else:
        ends = _from_points(connection, row.id, first, width)
    return _points_at(connection, row.id, ends)


def _from_pyramid(connection: Connection, row: Row[Any], level: int, columns: int) -> Sequence[int]:
    """Return the steps of the ends of each column; a column is a whole number of buckets."""
    first = row.first_step >> level
    width = -(-((row.last_step >> level) - first + 1) // columns)
    column = literal_column(f"(bucket - {int(first)}) / {int(width)}", Integer)
    steps: set[int | None] = set()
    for query in _ends_of_buckets(connection.dialect.name, column):
        query = query.where(pyramid.c.series_id == row.id, pyramid.c.level == level)
        steps.update(found[0] for found in connection.execute(query))
    return sorted(step for step in steps if step is not None)


def _ends_of_buckets(
    dialect: str, column: ColumnElement[int]
) -> Sequence[Select[*tuple[Any, ...]]]:
    """Return the queries for the steps of the lowest and of the highest value of each column."""
    low, high = pyramid.c.minimum, pyramid.c.maximum
    if dialect == "sqlite":  # a column beside min or max is that of the row which has it
        return (
            select(pyramid.c.minimum_step, func.min(low)).group_by(column),
            select(pyramid.c.maximum_step, func.max(high)).group_by(column),
        )
    first_of_each = distinct_on(column)
    return (
        select(pyramid.c.minimum_step).ext(first_of_each).order_by(column, low.asc().nulls_last()),
        select(pyramid.c.maximum_step)
        .ext(first_of_each)
        .order_by(column, high.desc().nulls_last()),
    )


def _from_points(connection: Connection, series_id: int, first: int, width: int) -> Sequence[int]:
    query = select(points.c.step, points.c.value).where(
        points.c.series_id == series_id, points.c.step >= first
    )
    found: dict[int, Digest] = {}
    for step, value in connection.execute(query):
        found.setdefault((step - first) // width, Digest()).add(step, to_float(value))
    return _ends(found)


def _ends(columns: Mapping[int, Digest]) -> Sequence[int]:
    steps = {step for one in columns.values() for step in (one.minimum_step, one.maximum_step)}
    return sorted(step for step in steps if step is not None)


def _points_at(
    connection: Connection, series_id: int, steps: Sequence[int]
) -> Iterable[Sequence[Any]]:
    """Yield the points of a series at these steps, in order."""
    numbers = (
        select(attempts.c.number)
        .join(series, series.c.run_id == attempts.c.run_id)
        .where(series.c.id == series_id)
    )
    for begin in range(0, len(steps), _AT_ONCE):
        some = steps[begin : begin + _AT_ONCE]
        query = _whole(series_id, 0).where(points.c.attempt.in_(numbers), points.c.step.in_(some))
        yield from connection.execute(query)
