"""Looking at the queue."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection, select

from db.jobs.transitions import chunks
from db.records import Job, JobState
from db.rows import job_query, read_jobs
from db.tables import job_dependencies, jobs


def list_jobs(
    connection: Connection,
    states: Iterable[JobState] | None = None,
    ids: Iterable[int] | None = None,
    limit: int | None = None,
    *,
    cleared: bool = False,
) -> tuple[Job, ...]:
    """Return jobs by id, of the given states and ids; with a limit, the newest.

    Jobs that were cleared off the list are there only with `cleared`, or where `ids` names them.
    """
    query = job_query().order_by(jobs.c.id.desc()).limit(limit)
    if states is not None:
        query = query.where(jobs.c.state.in_([state.value for state in states]))
    if ids is None:
        shown = query if cleared else query.where(jobs.c.cleared_at.is_(None))
        return tuple(reversed(read_jobs(connection, shown)))
    found: list[Job] = []
    for part in chunks(sorted(set(ids), reverse=True)):
        found += read_jobs(connection, query.where(jobs.c.id.in_(part)))
        if limit is not None and len(found) >= limit:
            break
    return tuple(reversed(found[:limit]))


def dependencies(connection: Connection, job_id: int) -> tuple[tuple[int, str], ...]:
    """Return what a job waits for: ids, each with `ok` (its success) or `any` (its end)."""
    columns = (job_dependencies.c.depends_on, job_dependencies.c.kind)
    query = select(*columns).where(job_dependencies.c.job_id == job_id).order_by(columns[0])
    return tuple((needed, kind) for needed, kind in connection.execute(query))
