"""Writer of `series`, `points`, `pyramid`: ingest, exactly once, and what a resume replaces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Protocol

from sqlalchemy import Connection, Row, bindparam, case, delete, or_, select, update
from sqlalchemy.dialects.sqlite import Insert

from db import postgres, upsert
from db.digest import LEVELS, Digest, digest
from db.jobs.attempts import change_attempt, get_attempt, resume_limit
from db.rows import from_float, to_float, to_milliseconds, to_seconds
from db.series_names import split_name
from db.tables import points as points_table
from db.tables import pyramid, series


class LoggedPoint(Protocol):
    """One value as it was logged (`db.records.Point`, or what a journal's reader returns)."""

    @property
    def series(self) -> str:
        """Name of the series."""
        ...

    @property
    def step(self) -> int:
        """Optimizer step."""
        ...

    @property
    def epoch(self) -> int:
        """Epoch, from 1."""
        ...

    @property
    def value(self) -> float:
        """Any float, NaN and infinities included."""
        ...

    @property
    def time(self) -> float:
        """Seconds since the epoch, UTC."""
        ...


def ingest(
    connection: Connection,
    run_id: str,
    attempt: int,
    points: Sequence[LoggedPoint],
    *,
    points_offset: int,
) -> int:
    """Store points read from an attempt's journal up to `points_offset`; return how many are new.

    The offset is stored in the same transaction, so a batch counts once however often it is handed
    in: a batch that ends at or before the stored offset is skipped, and so are, in any other, the
    points that are there (by series, attempt, step) or that a later attempt has replaced.

    Raises:
        NotFoundError: the attempt is not in the database.
    """
    if points_offset <= get_attempt(connection, run_id, attempt).points_offset:
        return 0
    limit = resume_limit(connection, run_id, attempt)
    batches: dict[str, dict[int, LoggedPoint]] = {}
    for point in points:
        if limit is None or point.step <= limit:
            batches.setdefault(point.series, {}).setdefault(point.step, point)
    new = _Batch()
    known = _open_series(connection, run_id, tuple(batches))
    for name, batch in batches.items():
        there = _steps_there(connection, known[name], attempt, batch)
        new.add(known[name], attempt, [batch[step] for step in batch if step not in there])
    new.store(connection)
    change_attempt(connection, run_id, attempt, points_offset=points_offset)
    return len(new.points)


def supersede(connection: Connection, run_id: str, attempt: int, resume_step: int) -> int:
    """Store that an attempt went on from `resume_step`; drop what earlier ones logged after it.

    Later ingests of earlier attempts skip such points too, so a step of a series is there once.

    Returns:
        Number of points dropped.

    Raises:
        NotFoundError: the attempt is not in the database.
    """
    change_attempt(connection, run_id, attempt, resume_step=resume_step)
    dropped = 0
    of_run = select(series.c.id).where(series.c.run_id == run_id)
    for series_id in connection.execute(of_run).scalars().all():
        gone = connection.execute(
            delete(points_table).where(
                points_table.c.series_id == series_id,
                points_table.c.attempt < attempt,
                points_table.c.step > resume_step,
            )
        ).rowcount
        if gone:
            _rebuild(connection, series_id, resume_step + 1)
        dropped += gone
    return dropped


_PointRow = tuple[int, int, int, int, float | None, int]


class _Batch:
    """Rows to store, of all series together: three statements, however many series there are."""

    def __init__(self) -> None:
        self.points: list[_PointRow] = []
        self._pyramid: list[dict[str, Any]] = []
        self._summaries: list[dict[str, Any]] = []

    def add(self, row: Row[Any], attempt: int, new: Sequence[LoggedPoint]) -> None:
        """Take in new points of the series in `row`."""
        if not new:
            return
        series_id = row.id
        self.points += [
            (series_id, attempt, p.step, p.epoch, from_float(p.value), to_milliseconds(p.time))
            for p in new
        ]
        digests = digest((point.step, point.value) for point in new)
        self._pyramid += _pyramid_rows(series_id, digests)
        whole = _digest_of(row)
        for (level, _), found in digests.items():
            if level == LEVELS[-1]:
                whole.merge(found)
        self._summaries.append(_summary(row, whole, new))

    def store(self, connection: Connection) -> None:
        """Store the rows."""
        if self.points:
            _insert_points(connection, self.points)
            connection.execute(_merge_into_pyramid(connection.dialect.name), self._pyramid)
            connection.execute(_UPDATE_SUMMARY, self._summaries)


POINT_TYPES = ("int4", "int4", "int4", "int4", "float8", "int8")
"""PostgreSQL's types of the columns of `points`."""


def _insert_points(connection: Connection, rows: list[_PointRow]) -> None:
    """Insert points past SQLAlchemy, which spends more on a row than the database does."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(
            "INSERT INTO points (series_id, attempt, step, epoch, value, time_ms) "
            "VALUES (?, ?, ?, ?, ?, ?)",
            rows,
        )
        return
    postgres.copy_rows(connection, "points", points_table.c.keys(), POINT_TYPES, rows)


def _open_series(
    connection: Connection, run_id: str, names: Sequence[str]
) -> Mapping[str, Row[Any]]:
    """Return the rows of the series of these names, made when they are not there."""
    parts = {name: split_name(name) for name in names}
    query = select(*series.c).where(series.c.run_id == run_id).with_for_update()
    rows = {(row.split, row.branch, row.name): row for row in connection.execute(query)}
    missing = [key for key in parts.values() if key not in rows]
    if missing:
        connection.execute(
            upsert.insert(connection, series).on_conflict_do_nothing(),
            [
                {
                    "run_id": run_id,
                    "split": split,
                    "branch": branch,
                    "name": name,
                    "num_points": 0,
                    "non_finite": 0,
                }
                for split, branch, name in missing
            ],
        )
        rows = {(row.split, row.branch, row.name): row for row in connection.execute(query)}
    return {name: rows[key] for name, key in parts.items()}


def _steps_there(
    connection: Connection, row: Row[Any], attempt: int, batch: Mapping[int, LoggedPoint]
) -> set[int]:
    """Return the steps of `batch` that the attempt has stored; a step after the last can't be."""
    if row.last_step is None or min(batch) > row.last_step:
        return set()
    query = select(points_table.c.step).where(
        points_table.c.series_id == row.id,
        points_table.c.attempt == attempt,
        points_table.c.step.between(min(batch), max(batch)),
    )
    return set(connection.execute(query).scalars())


def _digest_of(row: Row[Any]) -> Digest:
    return Digest(
        minimum=row.minimum,
        minimum_step=row.minimum_step,
        maximum=row.maximum,
        maximum_step=row.maximum_step,
        count=row.num_points,
        non_finite=row.non_finite,
    )


def _summary(row: Row[Any], whole: Digest, new: Sequence[LoggedPoint]) -> dict[str, Any]:
    """Return the summary of the series in `row` with new points in it."""
    first = min(point.step for point in new)
    last = max(new, key=lambda point: point.step)
    is_later = row.last_step is None or last.step > row.last_step
    return {
        "key": row.id,
        "first_step": first if row.first_step is None else min(first, row.first_step),
        "last": from_float(last.value) if is_later else row.last,
        "last_step": last.step if is_later else row.last_step,
        "last_epoch": last.epoch if is_later else row.last_epoch,
        "last_time": to_seconds(to_milliseconds(last.time)) if is_later else row.last_time,
        **_columns(whole),
    }


def _columns(found: Digest) -> dict[str, Any]:
    """Return a digest as columns of a summary; of the pyramid with its total."""
    return {
        "minimum": found.minimum,
        "minimum_step": found.minimum_step,
        "maximum": found.maximum,
        "maximum_step": found.maximum_step,
        "num_points": found.count,
        "non_finite": found.non_finite,
    }


_SUMMARY_COLUMNS = (
    "first_step",
    "last",
    "last_step",
    "last_epoch",
    "last_time",
    *_columns(Digest()),
)
_UPDATE_SUMMARY = (
    update(series)
    .where(series.c.id == bindparam("key"))
    .values({name: bindparam(name) for name in _SUMMARY_COLUMNS})
)


def _pyramid_rows(
    series_id: int, digests: Mapping[tuple[int, int], Digest]
) -> list[dict[str, Any]]:
    return [
        {
            "series_id": series_id,
            "level": level,
            "bucket": bucket,
            "total": found.total,
            **_columns(found),
        }
        for (level, bucket), found in digests.items()
    ]


@cache
def _merge_into_pyramid(dialect: str) -> Insert:
    """Return the statement that merges digests into the stored ones."""
    statement = upsert.insert_for(dialect, pyramid)
    new = statement.excluded
    lower = or_(pyramid.c.minimum.is_(None), new.minimum < pyramid.c.minimum)
    higher = or_(pyramid.c.maximum.is_(None), new.maximum > pyramid.c.maximum)
    return statement.on_conflict_do_update(
        index_elements=[pyramid.c.series_id, pyramid.c.level, pyramid.c.bucket],
        set_={
            "minimum": case((lower, new.minimum), else_=pyramid.c.minimum),
            "minimum_step": case((lower, new.minimum_step), else_=pyramid.c.minimum_step),
            "maximum": case((higher, new.maximum), else_=pyramid.c.maximum),
            "maximum_step": case((higher, new.maximum_step), else_=pyramid.c.maximum_step),
            "total": pyramid.c.total + new.total,
            "num_points": pyramid.c.num_points + new.num_points,
            "non_finite": pyramid.c.non_finite + new.non_finite,
        },
    )


def _rebuild(connection: Connection, series_id: int, from_step: int) -> None:
    """Make the pyramid anew from `from_step` on, and the summary, after points were removed."""
    for level in LEVELS:
        connection.execute(
            delete(pyramid).where(
                pyramid.c.series_id == series_id,
                pyramid.c.level == level,
                pyramid.c.bucket >= from_step >> level,
            )
        )
    coarse = LEVELS[-1]
    rows = connection.execute(
        select(points_table.c.step, points_table.c.value).where(
            points_table.c.series_id == series_id,
            points_table.c.step >= (from_step >> coarse) << coarse,
        )
    )
    remade = {
        (level, bucket): found
        for (level, bucket), found in digest(
            (step, to_float(value)) for step, value in rows
        ).items()
        if bucket >= from_step >> level
    }
    if remade:
        connection.execute(
            _merge_into_pyramid(connection.dialect.name), _pyramid_rows(series_id, remade)
        )
    _remake_summary(connection, series_id)


def _remake_summary(connection: Connection, series_id: int) -> None:
    whole = Digest()
    tops = select(*pyramid.c).where(pyramid.c.series_id == series_id, pyramid.c.level == LEVELS[-1])
    for row in connection.execute(tops):
        whole.merge(_digest_of(row))
    ends = select(*points_table.c).where(points_table.c.series_id == series_id).limit(1)
    first = connection.execute(ends.order_by(points_table.c.step)).first()
    last = connection.execute(ends.order_by(points_table.c.step.desc())).first()
    connection.execute(
        _UPDATE_SUMMARY,
        {
            "key": series_id,
            "first_step": first.step if first else None,
            "last": last.value if last else None,
            "last_step": last.step if last else None,
            "last_epoch": last.epoch if last else None,
            "last_time": to_seconds(last.time_ms) if last else None,
            **_columns(whole),
        },
    )
