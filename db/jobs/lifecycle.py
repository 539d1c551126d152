"""What a worker does with an attempt it holds: start it, freeze it, end it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, update

from db.errors import FencedError, JobStateError
from db.events import add_event
from db.jobs.attempts import change_attempt, close_attempt, get_attempt
from db.jobs.listing import get_job
from db.jobs.transitions import change_read
from db.records import Attempt, FailureClass, Job, JobState
from db.tables import jobs


def start_attempt(
    connection: Connection,
    job_id: int,
    attempt: int,
    *,
    pid: int,
    pid_start: int | None,
    log_path: str,
    now: float,
) -> Job:
    """Store the shim's process of a claimed attempt and move the job to running.

    Raises:
        FencedError: another attempt has the job.
        JobStateError: the job is not starting.
    """
    before = get_job(connection, job_id, lock=True)
    if before.attempt == attempt and before.state is not JobState.STARTING:
        raise JobStateError(f"Job {job_id} is {before.state}; only a starting job can be started.")
    job = change_read(
        connection,
        before,
        JobState.RUNNING,
        attempt=attempt,
        why="",
        actor=before.worker_id or "worker",
        now=now,
    )
    change_attempt(connection, job.run_id, attempt, pid=pid, pid_start=pid_start, log_path=log_path)
    return job


def finish_attempt(
    connection: Connection,
    job_id: int,
    attempt: int,
    *,
    outcome: str,
    now: float,
    exit_code: int | None = None,
    failure_class: FailureClass | None = None,
    error: str | None = None,
    requeue: bool = False,
    not_before: float | None = None,
    peak_memory_mib: int | None = None,
    peak_gpu_mib: int | None = None,
    frozen_seconds: float = 0.0,
    running_seconds: float | None = None,
    alone: bool | None = None,
) -> Job:
    """End an attempt: store how, free its devices and move the job on, in one transaction.

    Args:
        connection: inside `Database.write()`.
        job_id: the job.
        attempt: the fence.
        outcome: `succeeded`, `failed`, `cancelled`, `lost` or `paused`.
        now: seconds since the epoch.
        exit_code: of the child; negative for a signal; None when it is not known.
        failure_class: why it failed.
        error: one sentence for people; kept on the job and the attempt.
        requeue: go back to the queue. A lost attempt that does not makes the job failed. A paused
            one that does is given back: nothing went wrong, so it does not count.
        not_before: earliest next start.
        peak_memory_mib: most memory of the machine its processes held.
        peak_gpu_mib: most memory of one GPU its processes held.
        frozen_seconds: time it was frozen, where that is more than `set_frozen` has been told of.
        running_seconds: time it has run, by the worker's own clock; None takes the wall clock from
            the claim on, frozen time left out, and 0 of an attempt whose process never started.
        alone: whether the next attempt gets whole devices; None leaves that as it is.

    Raises:
        FencedError: another attempt has the job, or this one is over already.
    """
    job = get_job(connection, job_id, lock=True)
    _check_is_live(job, attempt)
    told: dict[str, Any] = {
        "attempt": attempt,
        "why": error or "",
        "actor": job.worker_id or "worker",
        "now": now,
    }
    attempt_row = get_attempt(connection, job.run_id, attempt)
    frozen = max(frozen_seconds, _frozen_seconds(job, attempt_row, now))
    close_attempt(
        connection,
        job.run_id,
        attempt,
        outcome=outcome,
        now=now,
        exit_code=exit_code,
        failure_class=failure_class,
        error=error,
        peak_memory_mib=peak_memory_mib,
        peak_gpu_mib=peak_gpu_mib,
        frozen_seconds=frozen,
    )
    ran = _wall_seconds(attempt_row, frozen, now) if running_seconds is None else running_seconds
    more: dict[str, Any] = {} if alone is None else {"is_alone": alone}
    ended = change_read(
        connection,
        job,
        JobState(outcome),
        **told,
        error=error,
        running_seconds=job.running_seconds + ran,
        **more,
    )
    return _move_on(connection, ended, told, requeue=requeue, not_before=not_before)


def set_frozen(connection: Connection, job_id: int, attempt: int, frozen: bool, now: float) -> Job:
    """Store that the processes of a running attempt are stopped where they are, or go on.

    Time frozen is added to the attempt when it goes on; a job in that state already stays as it is.

    Raises:
        FencedError: another attempt has the job, or this one is over.
    """
    job = get_job(connection, job_id, lock=True)
    _check_is_live(job, attempt)
    if frozen == (job.frozen_at is not None):
        return job
    if not frozen:
        seconds = _frozen_seconds(job, get_attempt(connection, job.run_id, attempt), now)
        change_attempt(connection, job.run_id, attempt, frozen_seconds=seconds)
    connection.execute(
        update(jobs).where(jobs.c.id == job_id).values(frozen_at=now if frozen else None)
    )
    add_event(
        connection,
        "job",
        now=now,
        why="frozen" if frozen else "thawed",
        actor=job.worker_id or "worker",
        job_id=job_id,
        run_id=job.run_id,
        attempt=attempt,
        from_state=job.state.value,
        to_state=job.state.value,
    )
    return get_job(connection, job_id)


def _move_on(
    connection: Connection,
    ended: Job,
    told: Mapping[str, Any],
    *,
    requeue: bool,
    not_before: float | None,
) -> Job:
    """Bring a job whose attempt has ended back to the queue, or where else it belongs."""
    then = _next_state(ended.state, requeue=requeue)
    if then is None:
        return ended
    allowance = ended.max_attempts + (1 if ended.state is JobState.PAUSED else 0)
    return change_read(
        connection, ended, then, **told, not_before=not_before, max_attempts=allowance
    )


def _check_is_live(job: Job, attempt: int) -> None:
    if job.attempt != attempt or not job.state.is_live:
        raise FencedError(
            f"Attempt {attempt} of job {job.id} is over: the job is {job.state} at attempt "
            f"{job.attempt}. Stop the child and write nothing more."
        )


def _frozen_seconds(job: Job, attempt: Attempt, now: float) -> float:
    """Return how long an attempt has been frozen until now."""
    current = 0.0 if job.frozen_at is None else max(now - job.frozen_at, 0.0)
    return attempt.frozen_seconds + current


def _wall_seconds(attempt: Attempt, frozen: float, now: float) -> float:
    """Return how long an attempt has run by the wall clock."""
    return 0.0 if attempt.pid is None else max(now - attempt.started_at - frozen, 0.0)


def _next_state(state: JobState, *, requeue: bool) -> JobState | None:
    """Return where a job goes on to in the same transaction; None when it stays."""
    if state is JobState.SUCCEEDED:
        return None
    if requeue:
        return JobState.QUEUED
    return JobState.FAILED if state is JobState.LOST else None
