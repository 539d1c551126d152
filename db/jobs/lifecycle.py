"""What a worker does with an attempt it holds: start it, end it."""

from __future__ import annotations

from sqlalchemy import Connection

from db.errors import FencedError, JobStateError
from db.jobs.attempts import change_attempt, close_attempt
from db.jobs.transitions import change_state, get_job
from db.records import FailureClass, Job, JobState


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
    job = change_state(
        connection,
        job_id,
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

    Raises:
        FencedError: another attempt has the job, or this one is over already.
    """
    job = get_job(connection, job_id, lock=True)
    if job.attempt != attempt or not job.state.is_live:
        raise FencedError(
            f"Attempt {attempt} of job {job_id} is over: the job is {job.state} at attempt "
            f"{job.attempt}. Stop the child and write nothing more."
        )
    actor = job.worker_id or "worker"
    close_attempt(
        connection,
        job.run_id,
        attempt,
        outcome=outcome,
        now=now,
        exit_code=exit_code,
        failure_class=failure_class,
        error=error,
    )
    ended = change_state(
        connection,
        job_id,
        JobState(outcome),
        attempt=attempt,
        why=error or "",
        actor=actor,
        now=now,
        error=error,
    )
    then = _next_state(ended.state, requeue=requeue)
    if then is None:
        return ended
    allowance = job.max_attempts + (1 if ended.state is JobState.PAUSED else 0)
    return change_state(
        connection,
        job_id,
        then,
        attempt=attempt,
        why=error or "",
        actor=actor,
        now=now,
        not_before=not_before,
        max_attempts=allowance,
    )


def _next_state(state: JobState, *, requeue: bool) -> JobState | None:
    """Return where a job goes on to in the same transaction; None when it stays."""
    if state is JobState.SUCCEEDED:
        return None
    if requeue:
        return JobState.QUEUED
    return JobState.FAILED if state is JobState.LOST else None
