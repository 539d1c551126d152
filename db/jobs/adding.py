"""Adding jobs: a few statements, however many they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, func, insert, select

from db.events import add_events
from db.jobs.actions import record_added
from db.jobs.groups import ensure_group
from db.jobs.listing import list_jobs
from db.jobs.readiness import IS_QUEUED
from db.jobs.transitions import get_jobs
from db.records import Job, JobState, NewJob
from db.run_settings import add_settings, store_tags_of
from db.tables import job_dependencies, jobs


def add_jobs(
    connection: Connection,
    new_jobs: Sequence[NewJob],
    *,
    actor: str,
    now: float,
    group_name: str | None = None,
    group_kind: str = "jobs",
) -> tuple[Job, ...]:
    """Add jobs at the end of the queue, in their order, all or none.

    Args:
        connection: inside `Database.write()`.
        new_jobs: the jobs.
        actor: who adds them.
        now: seconds since the epoch.
        group_name: group to put them in; made when it is not there.
        group_kind: `seeds`, `grid` or `jobs`, of a group made here.

    Raises:
        NotFoundError: a job in `after` or `after_any` does not exist.
    """
    if not new_jobs:
        return ()
    get_jobs(connection, [needed for new in new_jobs for needed in (*new.after, *new.after_any)])
    group_id = None
    if group_name is not None:
        group_id = ensure_group(connection, group_name, group_kind, now=now)
    last = _last_position(connection, {new.priority for new in new_jobs})
    rows = [
        _row(new, group_id=group_id, position=last + offset, now=now)
        for offset, new in enumerate(new_jobs, start=1)
    ]
    made = insert(jobs).returning(jobs.c.id, sort_by_parameter_order=True)
    ids = list(connection.execute(made, rows).scalars())
    _add_what_belongs_to_them(connection, new_jobs, ids, actor=actor, now=now)
    record_added(connection, ids, actor=actor, now=now)
    return list_jobs(connection, ids=ids)


def _last_position(connection: Connection, priorities: set[int]) -> float:
    """Return a position that no waiting job of these priorities is behind.

    Two looks into an index: the position of a job begins as about its id, and one that was moved to
    the end of the queue is behind those of its priority.
    """
    newest = connection.execute(select(func.max(jobs.c.id))).scalar() or 0
    ends = [
        select(jobs.c.position)
        .where(IS_QUEUED, jobs.c.priority == priority)
        .order_by(jobs.c.position.desc())
        .limit(1)
        for priority in priorities
    ]
    found = [connection.execute(query).scalar() for query in ends]
    return max([float(newest), *(position for position in found if position is not None)])


def _row(new: NewJob, *, group_id: int | None, position: float, now: float) -> Mapping[str, Any]:
    return {
        "run_id": new.run_id,
        "group_id": group_id,
        "name": new.name,
        "state": _first_state(new).value,
        "reason": "",
        "priority": new.priority,
        "position": position,
        "not_before": new.not_before,
        "attempt": 0,
        "max_attempts": new.max_attempts,
        "allowance": new.max_attempts,
        "config": dict(new.config),
        "fingerprint": new.fingerprint,
        "variant": new.variant,
        "dataset": new.dataset,
        "data_name": new.data_name,
        "model": new.model,
        "seed": new.seed,
        "gpus": new.gpus,
        "memory_mib": new.memory_mib,
        "time_limit": new.time_limit,
        "owner": new.owner,
        "max_epochs": new.max_epochs,
        "command": list(new.command),
        "created_at": now,
    }


def _first_state(new: NewJob) -> JobState:
    return JobState.HELD if new.held else JobState.QUEUED


def _add_what_belongs_to_them(
    connection: Connection,
    new_jobs: Sequence[NewJob],
    ids: Sequence[int],
    *,
    actor: str,
    now: float,
) -> None:
    """Store dependencies, settings, tags and events of jobs that were just added."""
    needed = [
        {"job_id": job_id, "depends_on": other, "kind": kind}
        for job_id, new in zip(ids, new_jobs, strict=True)
        for other, kind in kinds_of(new.after, new.after_any).items()
    ]
    if needed:
        connection.execute(insert(job_dependencies), needed)
    add_settings(connection, {new.run_id: new.settings for new in new_jobs})
    store_tags_of(connection, {new.run_id: new.tags for new in new_jobs})
    add_events(
        connection,
        [
            {
                "kind": "job",
                "at": now,
                "why": "added",
                "actor": actor,
                "job_id": job_id,
                "run_id": new.run_id,
                "to_state": _first_state(new).value,
            }
            for job_id, new in zip(ids, new_jobs, strict=True)
        ],
    )


def kinds_of(after: Sequence[int], after_any: Sequence[int]) -> Mapping[int, str]:
    """Return what is waited for; of a job named both ways the success is."""
    return dict.fromkeys(after_any, "any") | dict.fromkeys(after, "ok")
