"""Waits before another attempt, when the wall clock was set back meanwhile."""

from __future__ import annotations

from sqlalchemy import Connection, select, update

from db.events import list_events
from db.jobs.readiness import IS_QUEUED
from db.records import JobState
from db.tables import jobs


def shorten_waits(connection: Connection, *, now: float) -> tuple[int, ...]:
    """Let jobs that wait for another attempt wait no longer than they were told to; returns them.

    Such a wait is a few seconds, stored as a moment of the wall clock. When the clock is set back
    afterwards, the moment the job was queued again lies ahead: that is the proof, and the wait
    begins anew from now. A start that a user has set is not touched.

    Args:
        connection: inside `Database.write()`.
        now: seconds since the epoch.
    """
    shortened: list[int] = []
    waiting = select(jobs.c.id, jobs.c.not_before).where(
        IS_QUEUED, jobs.c.attempt > 0, jobs.c.not_before > now
    )
    for job_id, not_before in connection.execute(waiting).all():
        last = next(iter(list_events(connection, job_id=job_id, limit=1)), None)
        if last is None or last.to_state != JobState.QUEUED or last.attempt is None:
            continue
        if not_before is None or not now < last.at <= not_before:
            continue
        is_same = (jobs.c.id == job_id) & (jobs.c.not_before == not_before) & IS_QUEUED
        connection.execute(
            update(jobs).where(is_same).values(not_before=now + not_before - last.at)
        )
        shortened.append(job_id)
    return tuple(shortened)
