"""The one table of transitions, and the one function that moves a job from state to state.

    held <-> queued --claim--> starting --> running --> succeeded | failed | cancelled
               ^                  |            |
               |                  +--> stopping --> cancelled | paused
               +-- paused | failed | cancelled | lost   (resume, retry)

A live job (starting, running, stopping) belongs to an attempt: only a caller that names the newest
attempt may move it. Succeeded is for ever; failed and cancelled are left only by a retry.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, func, select, update

from db.errors import FencedError, JobStateError, NotFoundError
from db.events import add_event
from db.jobs.attempts import close_attempt
from db.jobs.leases import free_devices
from db.records import Job, JobState
from db.rows import job_query, read_jobs
from db.runs import follow_job
from db.tables import jobs

_ENDS = frozenset(
    {
        JobState.SUCCEEDED,
        JobState.FAILED,
        JobState.CANCELLED,
        JobState.PAUSED,
        JobState.LOST,
        JobState.QUEUED,
    }
)
TRANSITIONS: Mapping[JobState, frozenset[JobState]] = {
    JobState.HELD: frozenset({JobState.QUEUED, JobState.CANCELLED}),
    JobState.QUEUED: frozenset(
        {JobState.HELD, JobState.STARTING, JobState.CANCELLED, JobState.FAILED}
    ),
    JobState.STARTING: _ENDS | {JobState.RUNNING, JobState.STOPPING},
    JobState.RUNNING: _ENDS | {JobState.STOPPING},
    JobState.STOPPING: _ENDS,
    JobState.PAUSED: frozenset({JobState.QUEUED, JobState.CANCELLED}),
    JobState.LOST: frozenset(
        {JobState.RUNNING, JobState.QUEUED, JobState.FAILED, JobState.CANCELLED}
    ),
    JobState.FAILED: frozenset({JobState.QUEUED}),
    JobState.CANCELLED: frozenset({JobState.QUEUED}),
    JobState.SUCCEEDED: frozenset(),
}
"""Where a job may go from each state."""

_CHANGEABLE = frozenset({"not_before", "error", "max_attempts", "lease_until"})


def change_state(
    connection: Connection,
    job_id: int,
    to: JobState,
    *,
    why: str,
    actor: str,
    now: float,
    attempt: int | None = None,
    worker_id: str | None = None,
    **columns: Any,
) -> Job:
    """Move a job to another state, with its run and its event, and return it.

    Args:
        connection: inside `Database.write()`.
        job_id: the job.
        to: the new state; `starting` is reached only by `claim`.
        why: reason in words, kept on the job and in the event.
        actor: who asks: a user or a worker.
        now: seconds since the epoch.
        attempt: the fence; needed to move a live job.
        worker_id: the worker that must hold the job; None does not ask.
        columns: also set `not_before`, `error`, `max_attempts` or `lease_until`.

    Raises:
        NotFoundError: no such job.
        JobStateError: the job's state does not allow it.
        FencedError: another attempt or another worker has the job.
    """
    unknown = set(columns) - _CHANGEABLE
    if unknown:
        raise TypeError(f"change_state can't set {', '.join(sorted(unknown))}")
    before = get_job(connection, job_id, lock=True)
    _check_fence(before, attempt, worker_id)
    if to not in TRANSITIONS[before.state] or to is JobState.STARTING:
        raise JobStateError(_refusal(before, to))
    changed = connection.execute(
        update(jobs)
        .where(
            jobs.c.id == job_id,
            jobs.c.state == before.state.value,
            jobs.c.attempt == before.attempt,
        )
        .values({"state": to.value, "reason": why, **_consequences(to, now), **columns})
    )
    if changed.rowcount != 1:
        raise FencedError(f"Job {job_id} was changed by another process meanwhile; look again.")
    if before.state.is_live and not to.is_live:
        outcome = "lost" if to is JobState.QUEUED else to.value
        close_attempt(connection, before.run_id, before.attempt, outcome=outcome, now=now)
        free_devices(connection, job_id)
    follow_job(connection, before.run_id, to, attempt=before.attempt, now=now)
    add_event(
        connection,
        "job",
        now=now,
        why=why,
        actor=actor,
        job_id=job_id,
        run_id=before.run_id,
        attempt=before.attempt or None,
        from_state=before.state.value,
        to_state=to.value,
    )
    return get_job(connection, job_id)


def get_job(connection: Connection, job_id: int, *, lock: bool = False) -> Job:
    """Return a job; `lock` keeps others from changing it until the transaction ends.

    Raises:
        NotFoundError: no such job.
    """
    if lock and connection.dialect.name != "sqlite":
        connection.execute(select(jobs.c.id).where(jobs.c.id == job_id).with_for_update())
    found = read_jobs(connection, job_query().where(jobs.c.id == job_id))
    if not found:
        raise NotFoundError(f"There is no job {job_id}. `setgf queue list --all` shows all jobs.")
    return found[0]


def _check_fence(job: Job, attempt: int | None, worker_id: str | None) -> None:
    if attempt is not None and attempt != job.attempt:
        raise FencedError(
            f"Attempt {attempt} no longer owns job {job.id}: attempt {job.attempt} does. "
            "Stop the child and write nothing more."
        )
    if worker_id is not None and job.state.is_live and worker_id != job.worker_id:
        raise FencedError(
            f"Worker `{worker_id}` no longer holds job {job.id}: `{job.worker_id}` does. "
            "Stop the child and write nothing more."
        )
    if attempt is None and job.state.is_live:
        raise JobStateError(
            f"Job {job.id} is {job.state}; only the worker that holds it may change it. "
            f"Ask for its end with `setgf queue cancel {job.id}`."
        )


def _consequences(to: JobState, now: float) -> dict[str, Any]:
    """Return what a new state changes besides itself."""
    if to is JobState.RUNNING:
        return {"started_at": func.coalesce(jobs.c.started_at, now), "finished_at": None}
    if to is JobState.STOPPING:
        return {}
    return {
        "worker_id": None,
        "lease_until": None,
        "lease_boot_id": None,
        "lease_boot_until": None,
        "finished_at": now if to.is_finished else None,
        "not_before": None,
    }


_VERBS = {
    JobState.QUEUED: ("queued again", (JobState.FAILED, JobState.CANCELLED, JobState.LOST)),
    JobState.CANCELLED: ("cancelled", (JobState.QUEUED, JobState.HELD, JobState.PAUSED)),
    JobState.HELD: ("held", (JobState.QUEUED,)),
}


def _refusal(job: Job, to: JobState) -> str:
    word, origins = _VERBS.get(
        to, (str(to), tuple(state for state in JobState if to in TRANSITIONS[state]))
    )
    listed = " or ".join(", ".join(origins).rsplit(", ", 1))
    return f"Job {job.id} is {job.state}; only a {listed} job can be {word}."
