"""What earlier jobs needed: the most memory of a kind of work, and how long it ran."""

from __future__ import annotations

from sqlalchemy import Connection, case, func, select

from db import upsert
from db.records import JobState, PastDuration
from db.tables import jobs, memory_peaks, runs

RECENT = 1_000
"""Succeeded jobs that durations are taken from: the newest."""


def memory_peak(connection: Connection, key: str) -> int | None:
    """Return the most memory, in MiB, that attempts of this kind held; None before the first."""
    query = select(memory_peaks.c.mib).where(memory_peaks.c.key == key)
    return connection.execute(query).scalar()


def store_memory_peak(connection: Connection, key: str, mib: int, now: float) -> None:
    """Store the memory an attempt held; the most of all attempts counts."""
    made = upsert.insert(connection, memory_peaks).values(
        key=key, mib=mib, attempts=1, measured_at=now
    )
    most = case(
        (made.excluded.mib > memory_peaks.c.mib, made.excluded.mib), else_=memory_peaks.c.mib
    )
    connection.execute(
        made.on_conflict_do_update(
            index_elements=["key"],
            set_={"mib": most, "attempts": memory_peaks.c.attempts + 1, "measured_at": now},
        )
    )


def past_durations(connection: Connection) -> tuple[PastDuration, ...]:
    """Return how long the newest succeeded jobs ran, one record a variant, data and device kind.

    Jobs of earlier versions have no running time; their first start to their end is taken.
    """
    newest = (
        select(jobs.c.id)
        .where(jobs.c.state == JobState.SUCCEEDED.value)
        .order_by(jobs.c.id.desc())
        .limit(RECENT)
    )
    on_gpu = (jobs.c.gpus > 0).label("on_gpu")
    seconds = case(
        (jobs.c.running_seconds > 0, jobs.c.running_seconds),
        else_=jobs.c.finished_at - jobs.c.started_at,
    )
    kind = (jobs.c.variant, jobs.c.model, jobs.c.data_name, on_gpu)
    query = (
        select(
            *kind,
            func.count().label("num_jobs"),
            func.avg(seconds).label("seconds"),
            func.avg(func.coalesce(runs.c.epoch, jobs.c.max_epochs)).label("epochs"),
        )
        .select_from(jobs.outerjoin(runs, runs.c.id == jobs.c.run_id))
        .where(jobs.c.id.in_(newest), seconds.is_not(None))
        .group_by(*kind)
        .order_by(*kind)
    )
    return tuple(
        PastDuration(
            variant=row.variant,
            model=row.model,
            data_name=row.data_name,
            on_gpu=bool(row.on_gpu),
            num_jobs=row.num_jobs,
            seconds=float(row.seconds),
            epochs=float(row.epochs),
        )
        for row in connection.execute(query)
    )
