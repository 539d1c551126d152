"""Who holds what: renew, find the dead, adopt. The attempt number is the fence."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, Connection, and_, bindparam, case, true, update

from db.clock import lease_clock
from db.errors import FencedError
from db.events import add_event
from db.jobs.attempts import change_attempt, get_attempt
from db.jobs.leases import hand_over, has_room, take_devices
from db.jobs.listing import get_job
from db.jobs.readiness import IS_LIVE, has_group_room, lock_group
from db.jobs.transitions import change_read
from db.records import Attempt, Job, JobState
from db.rows import attempt_columns, job_query, jobs_of, read_attempts
from db.tables import attempts, jobs

_RENEW = update(jobs).where(
    jobs.c.id == bindparam("of_job"),
    jobs.c.attempt == bindparam("of_attempt"),
    jobs.c.worker_id == bindparam("of_worker"),
    IS_LIVE,
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
        which = {"of_job": job_id, "of_attempt": attempt, "of_worker": worker_id}
        changed = connection.execute(
            _RENEW,
            {
                "lease_until": clock + lease_seconds,
                "lease_boot_until": None if boot_time is None else boot_time + lease_seconds,
                **which,
            },
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
        FencedError: another attempt, or another worker was first; or the attempt was given up, and
            its devices or its group's place have gone to others.
    """
    job = get_job(connection, job_id, lock=True)
    if job.state is JobState.LOST and job.attempt == attempt:
        job = _recover(connection, job, worker_id=worker_id, host=host, now=now)
    lease = {
        "lease_until": lease_clock(connection, now) + lease_seconds,
        "lease_boot_id": boot_id,
        "lease_boot_until": None if boot_time is None else boot_time + lease_seconds,
    }
    is_it = (jobs.c.id == job_id, jobs.c.attempt == attempt, IS_LIVE)
    is_held = jobs.c.worker_id.is_not_distinct_from(previous)
    changed = connection.execute(
        update(jobs).where(*is_it, is_held).values(worker_id=worker_id, **lease)
    )
    if changed.rowcount != 1:
        raise FencedError(
            f"Job {job_id} can't be taken over at attempt {attempt} from `{previous}`: it is "
            f"{job.state} at attempt {job.attempt}, held by `{job.worker_id}`."
        )
    _hand_over(connection, job, previous, worker_id=worker_id, host=host, now=now)
    return get_job(connection, job_id)


def _hand_over(
    connection: Connection, job: Job, previous: str | None, *, worker_id: str, host: str, now: float
) -> None:
    """Give attempt and devices to the worker that has taken a job over, and say so."""
    change_attempt(connection, job.run_id, job.attempt, worker_id=worker_id)
    hand_over(connection, job.id, host=host, worker_id=worker_id)
    add_event(
        connection,
        "job",
        now=now,
        why=f"taken over from {previous}",
        actor=worker_id,
        job_id=job.id,
        run_id=job.run_id,
        attempt=job.attempt,
        from_state=job.state.value,
        to_state=job.state.value,
    )


def _recover(connection: Connection, job: Job, *, worker_id: str, host: str, now: float) -> Job:
    """Make a lost job run again whose process turned up, if all it used is still free."""
    found = get_attempt(connection, job.run_id, job.attempt)
    lock_group(connection, job.id)
    share = job.gpus if 0 < job.gpus < 1 else 1.0
    if not has_group_room(connection, job) or not has_room(
        connection, found.devices, host=host, worker_id=worker_id, share=share
    ):
        raise FencedError(
            f"Attempt {job.attempt} of job {job.id} was given up, and what it used has gone to "
            "others. Stop the child and write nothing more."
        )
    take_devices(
        connection,
        found.devices,
        host=host,
        worker_id=worker_id,
        job_id=job.id,
        attempt=job.attempt,
        now=now,
        share=share,
    )
    recovered = change_read(
        connection,
        job,
        JobState.RUNNING,
        attempt=job.attempt,
        why="its process turned up again",
        actor=worker_id,
        now=now,
    )
    change_attempt(connection, job.run_id, job.attempt, ended_at=None, outcome=None)
    return recovered


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
