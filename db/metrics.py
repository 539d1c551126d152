"""Writer of `series`, `points`, `pyramid`: ingest, exactly once, and what a resume replaces."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, bindparam, case, delete, insert, or_, select, update

from db import upsert
from db.digest import LEVELS, Digest, digest
from db.jobs.attempts import change_attempt, get_attempt, resume_limit
from db.records import Point
from db.rows import from_float, to_float
from db.series_names import split_name
from db.tables import points as points_table
from db.tables import pyramid, series


def ingest(
    connection: Connection,
    run_id: str,
    attempt: int,
    points: Sequence[Point],
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
    batches: dict[str, dict[int, Point]] = defaultdict(dict)
    for point in points:
        if limit is None or point.step <= limit:
            batches[point.series].setdefault(point.step, point)
    stored = 0
    known = _open_series(connection, run_id, tuple(batches))
    for name, batch in batches.items():
        stored += _store(connection, known[name], attempt, batch)
    change_attempt(connection, run_id, attempt, points_offset=points_offset)
    return stored


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


def _open_series(
    connection: Connection, run_id: str, names: Sequence[str]
) -> Mapping[str, Row[Any]]:
    """Return the rows of the series of these names, made when they are not there."""
    parts = {name: split_name(name) for name in names}
    if parts:
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
                for split, branch, name in parts.values()
            ],
        )
    query = select(*series.c).where(series.c.run_id == run_id).with_for_update()
    rows = {(row.split, row.branch, row.name): row for row in connection.execute(query)}
    return {name: rows[key] for name, key in parts.items()}


def _store(connection: Connection, row: Row[Any], attempt: int, batch: Mapping[int, Point]) -> int:
    """Store the points of one series that are not there, with its summary and its pyramid."""
    there = _steps_there(connection, row, attempt, batch)
    new = [point for step, point in batch.items() if step not in there]
    if not new:
        return 0
    connection.execute(
        insert(points_table),
        [
            {
                "series_id": row.id,
                "attempt": attempt,
                "step": point.step,
                "epoch": point.epoch,
                "value": from_float(point.value),
                "time": point.time,
            }
            for point in new
        ],
    )
    digests = digest((point.step, point.value) for point in new)
    _add_to_pyramid(connection, row.id, digests)
    whole = _digest_of(row)
    for (level, _), found in digests.items():
        if level == LEVELS[-1]:
            whole.merge(found)
    _write_summary(connection, row, whole, new)
    return len(new)


def _steps_there(
    connection: Connection, row: Row[Any], attempt: int, batch: Mapping[int, Point]
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


def _write_summary(
    connection: Connection, row: Row[Any], whole: Digest, new: Sequence[Point]
) -> None:
    first = min(point.step for point in new)
    last = max(new, key=lambda point: point.step)
    values: dict[str, Any] = {
        "minimum": whole.minimum,
        "minimum_step": whole.minimum_step,
        "maximum": whole.maximum,
        "maximum_step": whole.maximum_step,
        "num_points": whole.count,
        "non_finite": whole.non_finite,
    }
    if row.first_step is None or first < row.first_step:
        values["first_step"] = first
    if row.last_step is None or last.step > row.last_step:
        values |= {
            "last": from_float(last.value),
            "last_step": last.step,
            "last_epoch": last.epoch,
            "last_time": last.time,
        }
    connection.execute(update(series).where(series.c.id == row.id).values(values))


def _add_to_pyramid(
    connection: Connection, series_id: int, digests: Mapping[tuple[int, int], Digest]
) -> None:
    """Merge digests into the stored ones, by one statement."""
    statement = upsert.insert(connection, pyramid)
    new = statement.excluded
    lower = or_(pyramid.c.minimum.is_(None), new.minimum < pyramid.c.minimum)
    higher = or_(pyramid.c.maximum.is_(None), new.maximum > pyramid.c.maximum)
    statement = statement.on_conflict_do_update(
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
    connection.execute(
        statement,
        [
            {
                "series_id": series_id,
                "level": level,
                "bucket": bucket,
                "minimum": found.minimum,
                "minimum_step": found.minimum_step,
                "maximum": found.maximum,
                "maximum_step": found.maximum_step,
                "total": found.total,
                "num_points": found.count,
                "non_finite": found.non_finite,
            }
            for (level, bucket), found in digests.items()
        ],
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
        _add_to_pyramid(connection, series_id, remade)
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
        update(series)
        .where(series.c.id == bindparam("key"))
        .values(
            first_step=first.step if first else None,
            last=last.value if last else None,
            last_step=last.step if last else None,
            last_epoch=last.epoch if last else None,
            last_time=last.time if last else None,
            minimum=whole.minimum,
            minimum_step=whole.minimum_step,
            maximum=whole.maximum,
            maximum_step=whole.maximum_step,
            num_points=whole.count,
            non_finite=whole.non_finite,
        ),
        {"key": series_id},
    )
