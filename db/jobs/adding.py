"""Adding jobs: the statements of `db.job_adding` inside a transaction of `Database.write()`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from sqlalchemy import Connection

from db.job_adding import insert_group, insert_jobs
from db.jobs.listing import list_jobs
from db.postgres import finite
from db.records import Job, NewJob
from db.statements import EngineStatements


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
    if connection.dialect.name == "postgresql":
        new_jobs = [replace(new, config=finite(dict(new.config))) for new in new_jobs]
    ids = insert_jobs(
        EngineStatements(connection),
        new_jobs,
        actor=actor,
        now=now,
        group_name=group_name,
        group_kind=group_kind,
    )
    return list_jobs(connection, ids=ids)


def ensure_group(connection: Connection, name: str, kind: str, *, now: float) -> int:
    """Return the id of the group of this name, made when it is not there."""
    return insert_group(EngineStatements(connection), name, kind, now=now)


def kinds_of(after: Sequence[int], after_any: Sequence[int]) -> Mapping[int, str]:
    """Return what is waited for; of a job named both ways the success is."""
    return dict.fromkeys(after_any, "any") | dict.fromkeys(after, "ok")
