"""Jobs that wait in vain, for the success of one that has failed."""

from __future__ import annotations

from sqlalchemy import Connection, bindparam, func, literal_column, select, update

from db.events import add_events
from db.jobs.listing import list_jobs
from db.jobs.readiness import IS_QUEUED
from db.records import Job, JobState
from db.runs import follow_jobs
from db.tables import job_dependencies, jobs

_needed = jobs.alias("needed")
_QUERY = (
    select(jobs.c.id, jobs.c.run_id, jobs.c.attempt, func.min(_needed.c.id))
    .select_from(
        jobs.join(job_dependencies, job_dependencies.c.job_id == jobs.c.id).join(
            _needed, _needed.c.id == job_dependencies.c.depends_on
        )
    )
    .where(
        IS_QUEUED,
        job_dependencies.c.kind == literal_column("'ok'"),
        _needed.c.state.in_([literal_column("'failed'"), literal_column("'cancelled'")]),
    )
    .group_by(jobs.c.id, jobs.c.run_id, jobs.c.attempt)
    .order_by(jobs.c.id)
)


def fail_blocked(connection: Connection, *, now: float) -> tuple[Job, ...]:
    """Fail the queued jobs that wait for the success of one that failed or was cancelled, and those
    that wait for them; else a worker told to drain the queue would wait for ever."""
    failed: list[int] = []
    while blocked := connection.execute(_QUERY).all():
        states = _states(connection, {cause for *_, cause in blocked})
        whys = {
            job_id: f"job {cause}, which it waits for, is {states[cause]}"
            for job_id, _, _, cause in blocked
        }
        connection.execute(
            update(jobs)
            .where(jobs.c.id == bindparam("of_job"), IS_QUEUED)
            .values(
                state=JobState.FAILED.value,
                reason=bindparam("why"),
                error=bindparam("why"),
                finished_at=now,
                not_before=None,
            ),
            [{"of_job": job_id, "why": why} for job_id, why in whys.items()],
        )
        follow_jobs(connection, [run_id for _, run_id, _, _ in blocked], JobState.FAILED, now=now)
        add_events(
            connection,
            [
                {
                    "kind": "job",
                    "at": now,
                    "why": whys[job_id],
                    "actor": "queue",
                    "job_id": job_id,
                    "run_id": run_id,
                    "attempt": attempt or None,
                    "from_state": JobState.QUEUED.value,
                    "to_state": JobState.FAILED.value,
                }
                for job_id, run_id, attempt, _ in blocked
            ],
        )
        failed += whys
    return list_jobs(connection, ids=failed) if failed else ()


def _states(connection: Connection, ids: set[int]) -> dict[int, str]:
    query = select(jobs.c.id, jobs.c.state).where(jobs.c.id.in_(ids))
    return {row.id: row.state for row in connection.execute(query)}
