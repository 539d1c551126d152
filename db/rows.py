"""Rows become records here and nowhere else."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, exists, select

from db.records import Attempt, Command, Event, FailureClass, Job, JobState, Verb
from db.tables import attempts, events, groups, jobs, runs, tags

_LAST_SECOND = 1e15
"""Its milliseconds still fit 64 bits."""


def to_float(value: float | None) -> float:
    """Return a stored number; null is NaN."""
    return math.nan if value is None else value


def from_float(value: float | None) -> float | None:
    """Return a number as it is stored; NaN is null on every database."""
    return None if value is None or math.isnan(value) else value


def to_milliseconds(seconds: float) -> int:
    """Return a moment as points keep it; one that no clock can have shown is the epoch.

    >>> to_milliseconds(1.0014), to_milliseconds(float("nan")), to_milliseconds(1e300)
    (1001, 0, 0)
    """
    return int(seconds * 1000 + 0.5) if 0 <= seconds < _LAST_SECOND else 0


def to_seconds(milliseconds: int) -> float:
    """Return a stored moment in seconds since the epoch."""
    return milliseconds / 1000


def tags_of(
    connection: Connection, run_ids: Sequence[str] | Select[str]
) -> Mapping[str, tuple[str, ...]]:
    """Return the tags of runs by run id, in order; runs without one are left out."""
    query = select(tags.c.run_id, tags.c.tag).where(tags.c.run_id.in_(run_ids))
    found: dict[str, tuple[str, ...]] = {}
    for run_id, tag in connection.execute(query.order_by(tags.c.run_id, tags.c.tag)):
        found[run_id] = (*found.get(run_id, ()), tag)
    return found


def job_query() -> Select[Any]:
    """Return the query whose rows `read_jobs` takes; add where, order and limit."""
    source = jobs.outerjoin(groups, groups.c.id == jobs.c.group_id).outerjoin(
        runs, runs.c.id == jobs.c.run_id
    )
    has_tags = exists(select(1).where(tags.c.run_id == jobs.c.run_id).correlate(jobs))
    return select(
        *jobs.c,
        groups.c.name.label("group_name"),
        runs.c.epoch.label("run_epoch"),
        has_tags.label("has_tags"),
    ).select_from(source)


def read_jobs(
    connection: Connection, query: Select[Any], values: Mapping[str, Any] | None = None
) -> tuple[Job, ...]:
    """Return the jobs of a `job_query`; `values` are those of its parameters."""
    return jobs_of(connection, connection.execute(query, values).all())


def jobs_of(connection: Connection, rows: Sequence[Row[Any]]) -> tuple[Job, ...]:
    """Return the jobs in rows of a `job_query`."""
    tagged = [row.run_id for row in rows if row.has_tags]
    found = tags_of(connection, tagged) if tagged else _NO_TAGS
    return tuple(_job(row, found.get(row.run_id, ())) for row in rows)


def job_after(row: Row[Any], before: Job) -> Job:
    """Return a job from its changed row of `jobs` and from what it was before."""
    values = row._mapping  # pyright: ignore[reportPrivateUsage]  # noqa: SLF001 (documented name)
    return replace(
        before,
        **{name: values[name] for name in _JOB_CHANGEABLE},
        state=JobState(values["state"]),
    )


def attempt_columns() -> tuple[ColumnElement[Any], ...]:
    """Return the columns of an attempt under names of their own: `attempt_host` and so on."""
    return tuple(column.label(f"attempt_{column.name}") for column in attempts.c)


def read_attempts(rows: Iterable[Row[Any]]) -> tuple[Attempt, ...]:
    """Return the attempts in rows that hold `attempt_columns`."""
    return tuple(_attempt(row) for row in rows)


def read_commands(rows: Iterable[Row[Any]]) -> tuple[Command, ...]:
    """Return the commands in rows of the table `commands`."""
    return tuple(
        Command(
            id=row.id,
            job_id=row.job_id,
            worker_id=row.worker_id,
            verb=Verb(row.verb),
            arguments=row.arguments,
            actor=row.actor,
            created_at=row.created_at,
            handled_at=row.handled_at,
            result=row.result,
        )
        for row in rows
    )


def read_events(rows: Iterable[Row[Any]]) -> tuple[Event, ...]:
    """Return the events in rows of the table `events`."""
    names = tuple(events.c.keys())
    return tuple(Event(**dict(zip(names, row, strict=True))) for row in rows)


_JOB_PLAIN = [
    "id",
    "run_id",
    "group_id",
    "group_name",
    "name",
    "reason",
    "priority",
    "position",
    "not_before",
    "attempt",
    "max_attempts",
    "config",
    "fingerprint",
    "variant",
    "dataset",
    "data_name",
    "model",
    "seed",
    "gpus",
    "max_epochs",
    "created_at",
    "started_at",
    "finished_at",
    "worker_id",
    "lease_until",
    "error",
    "memory_mib",
    "is_alone",
    "time_limit",
    "aim",
    "frozen_at",
    "running_seconds",
    "cleared_at",
    "owner",
]


_JOB_CHANGEABLE = [
    "reason",
    "priority",
    "position",
    "not_before",
    "attempt",
    "max_attempts",
    "started_at",
    "finished_at",
    "worker_id",
    "lease_until",
    "error",
    "is_alone",
    "aim",
    "frozen_at",
    "running_seconds",
    "cleared_at",
]
"""What a change of state can change."""
_NO_TAGS: Mapping[str, tuple[str, ...]] = {}


def _job(row: Row[Any], job_tags: tuple[str, ...]) -> Job:
    values = row._mapping  # pyright: ignore[reportPrivateUsage]  # noqa: SLF001 (documented name)
    return Job(
        **{name: values[name] for name in _JOB_PLAIN},
        state=JobState(values["state"]),
        command=tuple(values["command"]),
        epoch=values["run_epoch"] or 0,
        tags=job_tags,
    )


_ATTEMPT_PLAIN = [
    "job_id",
    "run_id",
    "number",
    "worker_id",
    "host",
    "boot_id",
    "pid",
    "pid_start",
    "started_at",
    "ended_at",
    "outcome",
    "exit_code",
    "error",
    "log_path",
    "points_offset",
    "events_offset",
    "engine",
    "engine_ref",
    "peak_memory_mib",
    "peak_gpu_mib",
    "frozen_seconds",
]


def _attempt(row: Row[Any]) -> Attempt:
    values = row._mapping  # pyright: ignore[reportPrivateUsage]  # noqa: SLF001 (documented name)
    failure_class = values["attempt_failure_class"]
    return Attempt(
        **{name: values[f"attempt_{name}"] for name in _ATTEMPT_PLAIN},
        devices=tuple(values["attempt_devices"]),
        failure_class=FailureClass(failure_class) if failure_class else None,
        resume_step=values["attempt_resume_step"] or 0,
    )
