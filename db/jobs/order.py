"""The order of the queue: priority first, then position, then age."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from sqlalchemy import ColumnElement, Connection, func, select, update

from db.errors import JobStateError
from db.events import add_events
from db.jobs.actions import recorded
from db.jobs.history import job_event
from db.jobs.listing import get_job, get_jobs
from db.records import Job, JobState
from db.tables import jobs

_WAITING = (JobState.QUEUED, JobState.HELD)
_IS_WAITING: ColumnElement[bool] = jobs.c.state.in_([state.value for state in _WAITING])


def move(
    connection: Connection,
    job_id: int,
    *,
    actor: str,
    now: float,
    priority: int | None = None,
    before: int | None = None,
    after: int | None = None,
    first: bool = False,
    last: bool = False,
) -> Job:
    """Put a waiting job elsewhere in the queue.

    Args:
        connection: inside `Database.write()`.
        job_id: a queued or held job.
        actor: who moves it.
        now: seconds since the epoch.
        priority: its new priority; alone, or with `first` or `last` among those of it.
        before: put it right before this waiting job, with that one's priority.
        after: put it right behind this waiting job, with that one's priority.
        first: put it before all that wait.
        last: put it behind all that wait.

    Raises:
        JobStateError: the job, or the one it is put beside, does not wait.
        NotFoundError: no such job.
        ValueError: more than one place was named, or none.
    """
    named = [before is not None, after is not None, first, last]
    if sum(named) > 1 or not (any(named) or priority is not None):
        raise ValueError("A job is moved before or after one other, first, last, or to a priority.")
    job = get_job(connection, job_id, lock=True)
    _refuse_started(job, "moved")
    beside = before if after is None else after
    if beside is None:
        place = _among_all(connection, job, priority, first=first, last=last)
        words = "moved first" if first else "moved last" if last else f"priority {priority}"
    else:
        place = _beside(connection, job, beside, behind=after is not None)
        words = f"moved {'before' if after is None else 'after'} job {beside}"
    with recorded(connection, [job_id], what=f"job {job_id} {words}", actor=actor, now=now):
        connection.execute(
            update(jobs).where(jobs.c.id == job_id).values(priority=place[0], position=place[1])
        )
    add_events(connection, [job_event(job, why=words, actor=actor, now=now)])
    return get_job(connection, job_id)


def set_priority(
    connection: Connection, job_ids: Sequence[int], priority: int, actor: str, now: float
) -> tuple[Job, ...]:
    """Give jobs that are not over another priority; of live ones it counts when they wait again.

    Raises:
        NotFoundError: no such job.
        JobStateError: all of them are over.
    """
    found = get_jobs(connection, job_ids, lock=True)
    chosen = [job for job in found if not job.state.is_finished]
    if found and not chosen:
        raise JobStateError(
            f"Job {found[0].id} is {found[0].state}; only a job that is not over has a priority."
        )
    ids = [job.id for job in chosen]
    what = f"priority {priority} of {len(ids)} jobs" if len(ids) > 1 else f"priority {priority}"
    with recorded(connection, ids, what=what, actor=actor, now=now):
        connection.execute(update(jobs).where(jobs.c.id.in_(ids)).values(priority=priority))
    add_events(
        connection,
        [job_event(job, why=f"priority {priority}", actor=actor, now=now) for job in chosen],
    )
    return get_jobs(connection, job_ids)


def _among_all(
    connection: Connection, job: Job, priority: int | None, *, first: bool, last: bool
) -> tuple[int, float]:
    """Return priority and position of a job that is put first or last, or where it was."""
    if not (first or last):
        assert priority is not None
        return priority, job.position
    others = select(func.max(jobs.c.priority), func.min(jobs.c.priority)).where(
        _IS_WAITING, jobs.c.id != job.id
    )
    highest, lowest = connection.execute(others).one()
    if priority is None:
        others_end = cast("int | None", highest if first else lowest)
        ends = (job.priority, job.priority if others_end is None else others_end)
        priority = max(ends) if first else min(ends)
    end = func.min(jobs.c.position) if first else func.max(jobs.c.position)
    found = connection.execute(
        select(end).where(_IS_WAITING, jobs.c.priority == priority, jobs.c.id != job.id)
    ).scalar()
    if found is None:
        return priority, job.position
    if first:
        return priority, found - 1.0
    newest = connection.execute(select(func.max(jobs.c.id))).scalar_one()
    return priority, max(found, float(newest)) + 1.0


def _beside(connection: Connection, job: Job, target_id: int, *, behind: bool) -> tuple[int, float]:
    """Return priority and position right before or behind a job: mostly no other row changes."""
    if target_id == job.id:
        raise JobStateError(f"Job {job.id} can't be moved beside itself.")
    target = get_job(connection, target_id, lock=True)
    _refuse_started(target, "a place to move another to")
    place = _between(connection, job, target, behind=behind)
    if place is None:
        _spread(connection, target.priority)
        place = _between(connection, job, get_job(connection, target_id), behind=behind)
        assert place is not None
    return target.priority, place


def _between(connection: Connection, job: Job, target: Job, *, behind: bool) -> float | None:
    """Return a position between a job and its neighbour; None when they are too near."""
    query = select(jobs.c.position).where(
        _IS_WAITING,
        jobs.c.priority == target.priority,
        jobs.c.id.not_in([job.id, target.id]),
    )
    if behind:
        later = (jobs.c.position > target.position) | (
            (jobs.c.position == target.position) & (jobs.c.id > target.id)
        )
        order = (jobs.c.position, jobs.c.id)
    else:
        later = (jobs.c.position < target.position) | (
            (jobs.c.position == target.position) & (jobs.c.id < target.id)
        )
        order = (jobs.c.position.desc(), jobs.c.id.desc())
    neighbour = connection.execute(query.where(later).order_by(*order).limit(1)).scalar()
    if neighbour is None:
        if not behind:
            return target.position - 1.0
        newest = connection.execute(select(func.max(jobs.c.id))).scalar_one()
        # Not past the newest id: a job that is added later stays behind it.
        return target.position + (0.5 if target.position < newest + 1 else 1.0)
    middle = (neighbour + target.position) / 2
    low, high = sorted((neighbour, target.position))
    return middle if low < middle < high else None


def _spread(connection: Connection, priority: int) -> None:
    """Give the waiting jobs of a priority positions one apart, in the order they have."""
    query = select(jobs.c.id, jobs.c.position).where(_IS_WAITING, jobs.c.priority == priority)
    rows = connection.execute(query.order_by(jobs.c.position, jobs.c.id)).all()
    last = rows[-1].position
    for index, row in enumerate(rows):
        connection.execute(
            update(jobs)
            .where(jobs.c.id == row.id)
            .values(position=last - float(len(rows) - 1 - index))
        )


def _refuse_started(job: Job, what: str) -> None:
    if job.state not in _WAITING:
        raise JobStateError(
            f"Job {job.id} is {job.state}; only a queued or held job can be {what}."
        )
