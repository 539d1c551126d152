"""Who works on what: claim, renew, find the dead, adopt. The attempt number is the fence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    case,
    exists,
    func,
    literal_column,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.sql.dml import ReturningUpdate

from db.clock import lease_clock
from db.errors import FencedError
from db.events import add_event
from db.jobs.attempts import add_attempt, change_attempt
from db.jobs.leases import hand_over, take_devices
from db.jobs.transitions import change_state, get_job
from db.records import Attempt, Claim, Job, JobState
from db.rows import attempt_columns, job_query, jobs_of, read_attempts
from db.runs import follow_job
from db.tables import attempts, checkpoints, job_dependencies, jobs
from db.tables.queue import LIVE_STATES

# Literal words, not parameters: only then does SQLite use the partial indexes.
IS_QUEUED: ColumnElement[bool] = jobs.c.state == literal_column("'queued'")
IS_LIVE: ColumnElement[bool] = jobs.c.state.in_(
    [literal_column(f"'{state}'") for state in LIVE_STATES]
)

_ENDED = [state.value for state in JobState if state.is_finished]
_needed = jobs.alias("needed")
_IS_WAITING = exists(
    select(1)
    .select_from(job_dependencies.join(_needed, _needed.c.id == job_dependencies.c.depends_on))
    .where(
        job_dependencies.c.job_id == jobs.c.id,
        _needed.c.state != JobState.SUCCEEDED.value,
        or_(job_dependencies.c.kind == "ok", _needed.c.state.not_in(_ENDED)),
    )
    .correlate(jobs)
)
"""A job that it waits for has not succeeded, or where any end will do is not over."""


def is_ready(now: float) -> ColumnElement[bool]:
    """Return the condition that a job may start: queued, its time come, what it waits for done."""
    return and_(IS_QUEUED, or_(jobs.c.not_before.is_(None), jobs.c.not_before <= now), ~_IS_WAITING)


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
    """Take a ready job with its devices; None when another worker was first or a device is taken.

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
    with connection.begin_nested() as savepoint:
        row = connection.execute(
            _taking(job_id, worker_id=worker_id, now=now).values(
                lease_until=lease_clock(connection, now) + lease_seconds,
                lease_boot_id=boot_id,
                lease_boot_until=None if boot_time is None else boot_time + lease_seconds,
            )
        ).first()
        if row is None:
            return None
        number, run_id = row
        if not take_devices(
            connection,
            devices,
            host=host,
            worker_id=worker_id,
            job_id=job_id,
            attempt=number,
            now=now,
            share=share,
        ):
            savepoint.rollback()
            return None
    begun = _begun(job_id, run_id, number, worker_id=worker_id, host=host, boot_id=boot_id)
    add_attempt(connection, replace(begun, devices=tuple(devices), started_at=now))
    follow_job(connection, run_id, JobState.STARTING, attempt=number, now=now)
    add_event(
        connection,
        "job",
        now=now,
        why=f"claimed by {worker_id}",
        actor=worker_id,
        job_id=job_id,
        run_id=run_id,
        attempt=number,
        from_state=JobState.QUEUED.value,
        to_state=JobState.STARTING.value,
    )
    return Claim(
        job=get_job(connection, job_id),
        attempt=number,
        resume_from=resume_from(connection, run_id),
    )


def resume_from(connection: Connection, run_id: str) -> str | None:
    """Return the folder name of the newest attempt that left a `last` checkpoint."""
    newest = connection.execute(
        select(func.max(checkpoints.c.attempt)).where(
            checkpoints.c.run_id == run_id, checkpoints.c.role == "last"
        )
    ).scalar()
    return None if newest is None else f"a{newest}"


def _taking(job_id: int, *, worker_id: str, now: float) -> ReturningUpdate[int, str]:
    """Return the one statement that takes a ready job: guarded, and it says what it took."""
    # On PostgreSQL a job that another is about to take is passed over instead of waited for.
    free = select(jobs.c.id).where(jobs.c.id == job_id, is_ready(now))
    return (
        update(jobs)
        .where(
            jobs.c.id == free.with_for_update(skip_locked=True).scalar_subquery(),
            IS_QUEUED,
        )
        .values(
            state=JobState.STARTING.value,
            attempt=jobs.c.attempt + 1,
            worker_id=worker_id,
            reason="",
            error=None,
            finished_at=None,
        )
        .returning(jobs.c.attempt, jobs.c.run_id)
    )


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


def renew_leases(
    connection: Connection,
    worker_id: str,
    held: Sequence[tuple[int, int]],
    *,
    lease_seconds: float,
    now: float,
    boot_time: float | None = None,
) -> tuple[int, ...]:
    """Move on the leases of (job id, attempt) pairs; return the ids of the jobs still ours.

    A missing id means: another attempt owns it, stop its child and write nothing more.
    """
    ours: list[int] = []
    clock = lease_clock(connection, now) if held else now
    for job_id, attempt in held:
        changed = connection.execute(
            update(jobs)
            .where(
                jobs.c.id == job_id,
                jobs.c.attempt == attempt,
                jobs.c.worker_id == worker_id,
                IS_LIVE,
            )
            .values(
                lease_until=clock + lease_seconds,
                lease_boot_until=None if boot_time is None else boot_time + lease_seconds,
            )
        )
        if changed.rowcount == 1:
            ours.append(job_id)
    return tuple(ours)


def live_jobs(connection: Connection, host: str | None = None) -> tuple[tuple[Job, Attempt], ...]:
    """Return the jobs that are starting, running or stopping with their attempts, by id."""
    return _with_attempts(connection, true() if host is None else attempts.c.host == host)


def expired(
    connection: Connection,
    *,
    now: float,
    boot_id: str | None = None,
    boot_time: float | None = None,
) -> tuple[tuple[Job, Attempt], ...]:
    """Return the live jobs whose lease is over, with their attempts.

    Leases of this boot (`boot_id`) are compared by `boot_time`, all others by the wall clock: the
    server's on PostgreSQL, else `now`.
    On this host the process table decides whether such an attempt is really dead.
    """
    by_wall = jobs.c.lease_until < lease_clock(connection, now)
    if boot_id is None or boot_time is None:
        return _with_attempts(connection, by_wall)
    is_this_boot = and_(jobs.c.lease_boot_id == boot_id, jobs.c.lease_boot_until.is_not(None))
    return _with_attempts(
        connection, case((is_this_boot, jobs.c.lease_boot_until < boot_time), else_=by_wall)
    )


def adopt(
    connection: Connection,
    job_id: int,
    attempt: int,
    worker_id: str,
    *,
    previous: str | None,
    host: str,
    boot_id: str,
    lease_seconds: float,
    now: float,
    boot_time: float | None = None,
) -> Job:
    """Take over a live attempt, or a lost one that turned up again, whose worker is dead.

    Args:
        connection: inside `Database.write()`.
        job_id: the job.
        attempt: its newest attempt.
        worker_id: who takes over.
        previous: the worker that held it when that was decided: two adopters can't both succeed.
        host: machine of the new worker.
        boot_id: of that machine.
        lease_seconds: of the new lease.
        now: seconds since the epoch.
        boot_time: seconds since boot.

    Raises:
        FencedError: another attempt, or another worker was first.
    """
    job = get_job(connection, job_id, lock=True)
    if job.state is JobState.LOST:
        job = change_state(
            connection,
            job_id,
            JobState.RUNNING,
            attempt=attempt,
            why="its process turned up again",
            actor=worker_id,
            now=now,
        )
        change_attempt(connection, job.run_id, attempt, ended_at=None, outcome=None)
    changed = connection.execute(
        update(jobs)
        .where(
            jobs.c.id == job_id,
            jobs.c.attempt == attempt,
            jobs.c.worker_id.is_not_distinct_from(previous),
            IS_LIVE,
        )
        .values(
            worker_id=worker_id,
            lease_until=lease_clock(connection, now) + lease_seconds,
            lease_boot_id=boot_id,
            lease_boot_until=None if boot_time is None else boot_time + lease_seconds,
        )
    )
    if changed.rowcount != 1:
        raise FencedError(
            f"Job {job_id} can't be taken over at attempt {attempt} from `{previous}`: it is "
            f"{job.state} at attempt {job.attempt}, held by `{job.worker_id}`."
        )
    change_attempt(connection, job.run_id, attempt, worker_id=worker_id)
    hand_over(connection, job_id, host=host, worker_id=worker_id)
    add_event(
        connection,
        "job",
        now=now,
        why=f"taken over from {previous}",
        actor=worker_id,
        job_id=job_id,
        run_id=job.run_id,
        attempt=attempt,
        from_state=job.state.value,
        to_state=job.state.value,
    )
    return get_job(connection, job_id)


def _with_attempts(
    connection: Connection, condition: ColumnElement[bool]
) -> tuple[tuple[Job, Attempt], ...]:
    query = (
        job_query()
        .add_columns(*attempt_columns())
        .join(
            attempts,
            and_(attempts.c.run_id == jobs.c.run_id, attempts.c.number == jobs.c.attempt),
        )
        .where(IS_LIVE, condition)
        .order_by(jobs.c.id)
    )
    rows = connection.execute(query).all()
    return tuple(zip(jobs_of(connection, rows), read_attempts(rows), strict=True))
