"""The claim: one guarded statement gives a job, and its devices, to one worker."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import Connection, bindparam, func, select, update

from db.clock import lease_clock
from db.events import add_event
from db.jobs.attempts import add_attempt
from db.jobs.leases import has_room, take_devices
from db.jobs.listing import get_job
from db.jobs.readiness import IS_QUEUED, is_ready, lock_group
from db.records import Attempt, Claim, JobState
from db.runs import follow_job
from db.tables import checkpoints, jobs

# On PostgreSQL a job that another is about to take is passed over instead of waited for.
_free = (
    select(jobs.c.id)
    .where(jobs.c.id == bindparam("of_job"), is_ready(bindparam("now")))
    .with_for_update(skip_locked=True)
)
_TAKE = (
    update(jobs)
    .where(jobs.c.id == _free.scalar_subquery(), IS_QUEUED)
    .values(
        state=JobState.STARTING.value,
        attempt=jobs.c.attempt + 1,
        worker_id=bindparam("worker_id"),
        lease_until=bindparam("lease_until"),
        lease_boot_id=bindparam("lease_boot_id"),
        lease_boot_until=bindparam("lease_boot_until"),
        reason="",
        error=None,
        finished_at=None,
    )
    .returning(jobs.c.attempt, jobs.c.run_id)
)
"""The one statement that takes a ready job: guarded, and it says what it took."""
_NEWEST_CHECKPOINT = select(func.max(checkpoints.c.attempt)).where(
    checkpoints.c.run_id == bindparam("of_run"), checkpoints.c.role == "last"
)


def claim(
    connection: Connection,
    job_id: int,
    *,
    worker_id: str,
    host: str,
    boot_id: str,
    devices: Sequence[str],
    lease_seconds: float,
    now: float,
    boot_time: float | None = None,
    share: float = 1.0,
) -> Claim | None:
    """Take a ready job with its devices, or none of it.

    None when another worker was first, a device is taken, or its group is paused or full.

    Args:
        connection: inside `Database.write()`.
        job_id: one of `candidates`.
        worker_id: who takes it.
        host: its machine.
        boot_id: of that machine.
        devices: names the child gets.
        lease_seconds: how long the job stays ours without a renewal.
        now: seconds since the epoch.
        boot_time: seconds since boot (CLOCK_BOOTTIME), so that a changed clock ends no lease.
        share: part of each device to hold, 1 for the whole.
    """
    lock_group(connection, job_id)
    if not has_room(connection, devices, host=host, worker_id=worker_id, share=share):
        return None
    taken = {
        "of_job": job_id,
        "now": now,
        "worker_id": worker_id,
        "lease_until": lease_clock(connection, now) + lease_seconds,
        "lease_boot_id": boot_id,
        "lease_boot_until": None if boot_time is None else boot_time + lease_seconds,
    }
    row = connection.execute(_TAKE, taken).first()
    if row is None:
        return None
    number, run_id = row
    take_devices(
        connection,
        devices,
        host=host,
        worker_id=worker_id,
        job_id=job_id,
        attempt=number,
        now=now,
        share=share,
    )
    begun = _begun(job_id, run_id, number, worker_id=worker_id, host=host, boot_id=boot_id)
    _record(connection, replace(begun, devices=tuple(devices), started_at=now))
    return Claim(
        job=get_job(connection, job_id),
        attempt=number,
        resume_from=resume_from(connection, run_id),
    )


def _record(connection: Connection, begun: Attempt) -> None:
    """Store an attempt with what follows from it: the state of its run, and an event."""
    now, worker_id = begun.started_at, begun.worker_id
    add_attempt(connection, begun)
    follow_job(connection, begun.run_id, JobState.STARTING, attempt=begun.number, now=now)
    add_event(
        connection,
        "job",
        now=now,
        why=f"claimed by {worker_id}",
        actor=worker_id or "worker",
        job_id=begun.job_id,
        run_id=begun.run_id,
        attempt=begun.number,
        from_state=JobState.QUEUED.value,
        to_state=JobState.STARTING.value,
    )


def resume_from(connection: Connection, run_id: str) -> str | None:
    """Return the folder name of the newest attempt that left a `last` checkpoint."""
    newest = connection.execute(_NEWEST_CHECKPOINT, {"of_run": run_id}).scalar()
    return None if newest is None else f"a{newest}"


def _begun(
    job_id: int, run_id: str, number: int, *, worker_id: str, host: str, boot_id: str
) -> Attempt:
    """Return an attempt of which nothing is known yet but who made it."""
    return Attempt(
        job_id=job_id,
        run_id=run_id,
        number=number,
        worker_id=worker_id,
        host=host,
        boot_id=boot_id,
        pid=None,
        pid_start=None,
        devices=(),
        started_at=0.0,
        ended_at=None,
        outcome=None,
        exit_code=None,
        failure_class=None,
        error=None,
        resume_step=0,
        log_path="",
        points_offset=0,
        events_offset=0,
    )
