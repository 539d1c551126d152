"""Which jobs may start: queued, their time come, what they wait for done, their group open."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    and_,
    bindparam,
    exists,
    func,
    literal_column,
    or_,
    select,
)

from db.records import Job, JobState
from db.rows import job_query, read_jobs
from db.tables import groups, job_dependencies, jobs
from db.tables.queue import LIVE_STATES

# Literal words, not parameters: only then does SQLite use the partial indexes.
IS_QUEUED: ColumnElement[bool] = jobs.c.state == literal_column("'queued'")
IS_LIVE: ColumnElement[bool] = jobs.c.state.in_(
    [literal_column(f"'{state}'") for state in LIVE_STATES]
)

_ENDED: list[ColumnElement[Any]] = [
    literal_column(f"'{state}'") for state in JobState if state.is_finished
]
_needed = jobs.alias("needed")
_IS_WAITING = exists(
    select(1)
    .select_from(job_dependencies.join(_needed, _needed.c.id == job_dependencies.c.depends_on))
    .where(
        job_dependencies.c.job_id == jobs.c.id,
        _needed.c.state != literal_column(f"'{JobState.SUCCEEDED}'"),
        or_(job_dependencies.c.kind == "ok", _needed.c.state.not_in(_ENDED)),
    )
    .correlate(jobs)
)
"""A job that it waits for has not succeeded, or where any end will do is not over."""

_member = jobs.alias("member")
_NUM_LIVE = (
    select(func.count())
    .select_from(_member)
    .where(
        _member.c.state.in_([literal_column(f"'{state}'") for state in LIVE_STATES]),
        # Not through the index of groups, which leads through all the finished jobs of one.
        _member.c.group_id + 0 == groups.c.id,
    )
    .correlate(groups)
    .scalar_subquery()
)
_closed = select(groups.c.id).where(
    or_(
        groups.c.paused_at.is_not(None),
        and_(groups.c.parallelism.is_not(None), groups.c.parallelism <= _NUM_LIVE),
    )
)
_IS_OPEN = or_(jobs.c.group_id.is_(None), jobs.c.group_id.not_in(_closed))
"""Its group is neither paused nor full. The closed groups are found once a statement."""


def is_ready(now: float | BindParameter[Any]) -> ColumnElement[bool]:
    """Return the condition that a job may start: queued, its time come, what it waits for done, its
    group neither paused nor full."""
    has_come = or_(jobs.c.not_before.is_(None), jobs.c.not_before <= now)
    return and_(IS_QUEUED, has_come, _IS_OPEN, ~_IS_WAITING)


_CANDIDATES = (
    job_query()
    .where(is_ready(bindparam("now")))
    .order_by(jobs.c.priority.desc(), jobs.c.position, jobs.c.id)
    .limit(bindparam("most"))
)
_ROOM = select(groups.c.id, (groups.c.parallelism - _NUM_LIVE).label("room")).where(
    groups.c.id.in_(bindparam("known", expanding=True)), groups.c.parallelism.is_not(None)
)


def candidates(connection: Connection, *, now: float, limit: int = 32) -> tuple[Job, ...]:
    """Return the jobs that may start now, in the order they should.

    Of a group with a limit there are no more than it has room for, so that its jobs don't hide
    those that come after them.
    """
    values = {"now": now, "most": limit}
    found = read_jobs(connection, _CANDIDATES, values)
    room = _room(connection, {job.group_id for job in found})
    filled: set[int] = set()
    while True:
        chosen = _fitting(found, room)
        if len(chosen) == len(found) or len(found) < limit:
            return chosen
        filled |= {group for group, left in room.items() if _count(found, group) > left}
        kept = or_(
            jobs.c.group_id.is_(None),
            jobs.c.group_id.not_in(filled),
            jobs.c.id.in_([job.id for job in chosen]),
        )
        found = read_jobs(connection, _CANDIDATES.where(kept), values)
        room |= _room(connection, {job.group_id for job in found} - set(room))


def next_start(connection: Connection, *, now: float) -> float | None:
    """Return when the next delayed job may start; None when none is delayed."""
    query = select(func.min(jobs.c.not_before)).where(IS_QUEUED, jobs.c.not_before > now)
    return connection.execute(query).scalar()


_mine = select(jobs.c.group_id).where(jobs.c.id == bindparam("of_job")).scalar_subquery()
_LOCK_GROUP = (
    select(groups.c.id)
    .where(groups.c.id == _mine, groups.c.parallelism.is_not(None))
    .with_for_update(key_share=True)
)


def has_group_room(connection: Connection, job: Job) -> bool:
    """Return False when the group of a job has as many live ones as it may."""
    return job.group_id is None or _room(connection, {job.group_id}).get(job.group_id, 1) > 0


def lock_group(connection: Connection, job_id: int) -> None:
    """Wait until no other is about to take a job of the same limited group.

    SQLite has one writer anyway. On PostgreSQL two workers could each count the other's job as
    waiting.
    """
    if connection.dialect.name == "sqlite":
        return
    connection.execute(_LOCK_GROUP, {"of_job": job_id})


def _room(connection: Connection, ids: set[int | None]) -> dict[int, int]:
    """Return how many more jobs may be live in those of the groups that have a limit."""
    known = [group for group in ids if group is not None]
    if not known:
        return {}
    return {row.id: row.room for row in connection.execute(_ROOM, {"known": known})}


def _fitting(found: Sequence[Job], room: Mapping[int, int]) -> tuple[Job, ...]:
    """Return the jobs in order, of each group only the first that it has room for."""
    left = dict(room)
    chosen: list[Job] = []
    for job in found:
        group = job.group_id
        if group is not None and group in left:
            left[group] -= 1
        if group is None or left.get(group, 0) >= 0:
            chosen.append(job)
    return tuple(chosen)


def _count(found: Sequence[Job], group: int) -> int:
    return sum(job.group_id == group for job in found)
