"""Looking at the queue."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

from sqlalchemy import Connection, bindparam, select

from db.errors import NotFoundError
from db.records import Job, JobState
from db.rows import job_query, read_jobs
from db.tables import job_dependencies, jobs

_CHUNK = 5_000
"""Ids in one statement: databases bound their number."""
_T = TypeVar("_T")
# Made once: putting a statement together costs more than running it.
_BY_ID = job_query().where(jobs.c.id == bindparam("of_job"))
_LOCK = select(jobs.c.id).where(jobs.c.id == bindparam("of_job")).with_for_update()


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


def get_jobs(
    connection: Connection, job_ids: Iterable[int], *, lock: bool = False
) -> tuple[Job, ...]:
    """Return jobs in the order of their ids as given, each once; `lock` as of `get_job`.

    Raises:
        NotFoundError: one is not there.
    """
    ids = tuple(dict.fromkeys(job_ids))
    found: dict[int, Job] = {}
    for part in chunks(ids):
        if lock and connection.dialect.name != "sqlite":
            locked = select(jobs.c.id).where(jobs.c.id.in_(part)).order_by(jobs.c.id)
            connection.execute(locked.with_for_update())
        rows = read_jobs(connection, job_query().where(jobs.c.id.in_(part)))
        found |= {job.id: job for job in rows}
    for job_id in ids:
        if job_id not in found:
            raise _no_job(job_id)
    return tuple(found[job_id] for job_id in ids)


def chunks(ids: Sequence[_T]) -> Iterator[Sequence[_T]]:
    """Return ids in parts that fit into one statement."""
    return (ids[begin : begin + _CHUNK] for begin in range(0, len(ids), _CHUNK))


def get_job(connection: Connection, job_id: int, *, lock: bool = False) -> Job:
    """Return a job; `lock` keeps others from changing it until the transaction ends.

    Raises:
        NotFoundError: no such job.
    """
    if lock and connection.dialect.name != "sqlite":
        connection.execute(_LOCK, {"of_job": job_id})
    found = read_jobs(connection, _BY_ID, {"of_job": job_id})
    if not found:
        raise _no_job(job_id)
    return found[0]


def _no_job(job_id: int) -> NotFoundError:
    return NotFoundError(f"There is no job {job_id}. `setgf queue list --all` shows all jobs.")
