"""The one table of transitions, and the one function that moves a job from state to state.

    held <-> queued --claim--> starting --> running --> succeeded | failed | cancelled
               ^                  |            |
               |                  +--> stopping --> cancelled | paused | queued | failed
               +-- paused | failed | cancelled | lost   (resume, retry)

A live job (starting, running, stopping) belongs to an attempt: only a caller that names the newest
attempt may move it. A stopping job has an aim: what it is to become. Succeeded is for ever; failed
and cancelled are left only by a retry, or where a user takes back what made them so (`undo`): from
there comes the way from queued back to paused, and from cancelled back to held or paused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, update

from db.errors import FencedError, JobStateError
from db.events import add_events
from db.jobs.attempts import close_attempt
from db.jobs.history import job_event
from db.jobs.leases import free_devices
from db.jobs.listing import chunks, get_job
from db.records import Job, JobState
from db.rows import job_after
from db.runs import follow_job, follow_jobs
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
        {
            JobState.HELD,
            JobState.STARTING,
            JobState.CANCELLED,
            JobState.FAILED,
            JobState.PAUSED,
            JobState.LOST,
        }
    ),
    JobState.STARTING: _ENDS | {JobState.RUNNING, JobState.STOPPING},
    JobState.RUNNING: _ENDS | {JobState.STOPPING},
    JobState.STOPPING: _ENDS | {JobState.STOPPING},
    JobState.PAUSED: frozenset({JobState.QUEUED, JobState.CANCELLED}),
    JobState.LOST: frozenset(
        {JobState.RUNNING, JobState.QUEUED, JobState.FAILED, JobState.CANCELLED}
    ),
    JobState.FAILED: frozenset({JobState.QUEUED}),
    JobState.CANCELLED: frozenset({JobState.QUEUED, JobState.HELD, JobState.PAUSED, JobState.LOST}),
    JobState.SUCCEEDED: frozenset(),
}
"""Where a job may go from each state."""

AIMS = ("cancelled", "paused", "queued", "failed")
"""What a stopping job can be on its way to."""
_CHANGEABLE = frozenset(
    {"not_before", "error", "max_attempts", "lease_until", "running_seconds", "is_alone"}
)
_ONE = (
    update(jobs)
    .where(
        jobs.c.id == bindparam("of_job"),
        jobs.c.state == bindparam("from_state"),
        jobs.c.attempt == bindparam("of_attempt"),
    )
    .returning(*jobs.c)
)
"""Made once: putting a statement together costs more than running it."""


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
    aim: str | None = None,
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
        aim: what a job that is now stopping is to become, one of `AIMS`; a stopping job can be
            given another one.
        columns: also set `not_before`, `error`, `max_attempts`, `lease_until`, `running_seconds` or
            `is_alone`.

    Raises:
        NotFoundError: no such job.
        JobStateError: the job's state does not allow it.
        FencedError: another attempt or another worker has the job.
    """
    before = get_job(connection, job_id, lock=True)
    return change_read(
        connection,
        before,
        to,
        why=why,
        actor=actor,
        now=now,
        attempt=attempt,
        worker_id=worker_id,
        aim=aim,
        **columns,
    )


def change_read(
    connection: Connection,
    before: Job,
    to: JobState,
    *,
    why: str,
    actor: str,
    now: float,
    attempt: int | None = None,
    worker_id: str | None = None,
    aim: str | None = None,
    **columns: Any,
) -> Job:
    """Do what `change_state` does to a job that was read, and locked, in this transaction."""
    _check_columns(to, aim, columns)
    _check_fence(before, attempt, worker_id)
    _check_step(before, to)
    values = {"state": to.value, "reason": why, **_consequences(to, now), **columns}
    if to is JobState.STOPPING:
        values["aim"] = aim
    elif to is JobState.RUNNING and before.started_at is None:
        values["started_at"] = now
    which = {"of_job": before.id, "from_state": before.state.value, "of_attempt": before.attempt}
    row = connection.execute(_ONE, values | which).first()
    if row is None:
        raise _overtaken(before.id)
    after = job_after(row, before)
    if before.state.is_live and not to.is_live:
        outcome = "lost" if to is JobState.QUEUED else to.value
        close_attempt(connection, before.run_id, before.attempt, outcome=outcome, now=now)
        free_devices(connection, before.id)
    follow_job(connection, before.run_id, to, attempt=before.attempt, now=now, error=after.error)
    add_events(connection, [job_event(before, why=why, actor=actor, now=now, to=to)])
    return after


def change_waiting(
    connection: Connection,
    before: Sequence[Job],
    to: JobState,
    *,
    why: str,
    actor: str,
    now: float,
    **columns: Any,
) -> None:
    """Move many jobs that nobody works on to another state: a few statements for all of them.

    Args:
        connection: inside `Database.write()`.
        before: the jobs as read with `get_jobs(..., lock=True)` in this transaction.
        to: the new state.
        why: reason in words.
        actor: who asks.
        now: seconds since the epoch.
        columns: as of `change_state`; SQL expressions too.

    Raises:
        JobStateError: the state of one does not allow it, or it is live.
        FencedError: another process was faster.
    """
    _check_columns(to, None, columns)
    for job in before:
        _check_fence(job, None, None)
        _check_step(job, to)
    _move(connection, before, to, why=why, now=now, columns=columns)
    follow_jobs(connection, [job.run_id for job in before], to, now=now)
    add_events(connection, [job_event(job, why=why, actor=actor, now=now, to=to) for job in before])


def _move(
    connection: Connection,
    before: Sequence[Job],
    to: JobState,
    *,
    why: str,
    now: float,
    columns: Mapping[str, Any],
) -> None:
    """Change the rows; each is found as it was read, or nothing is stored."""
    values = {"state": to.value, "reason": why, **_consequences(to, now), **columns}
    alike: dict[tuple[JobState, int], list[int]] = {}
    for job in before:
        alike.setdefault((job.state, job.attempt), []).append(job.id)
    for (state, attempt), ids in alike.items():
        for part in chunks(ids):
            changed = connection.execute(
                update(jobs)
                .where(jobs.c.id.in_(part), jobs.c.state == state.value, jobs.c.attempt == attempt)
                .values(values)
            )
            if changed.rowcount != len(part):
                raise _overtaken(part[0])


def _overtaken(job_id: int) -> FencedError:
    return FencedError(f"Job {job_id} was changed by another process meanwhile; look again.")


def _check_columns(to: JobState, aim: str | None, columns: Mapping[str, Any]) -> None:
    unknown = set(columns) - _CHANGEABLE
    if unknown:
        raise TypeError(f"change_state can't set {', '.join(sorted(unknown))}")
    if aim is not None and (to is not JobState.STOPPING or aim not in AIMS):
        raise ValueError(f"`aim` is of a stopping job and one of {', '.join(AIMS)}, not `{aim}`")


def _check_step(job: Job, to: JobState) -> None:
    if to not in TRANSITIONS[job.state] or to is JobState.STARTING:
        raise JobStateError(_refusal(job, to))


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
        return {"finished_at": None, "cleared_at": None}
    if to is JobState.STOPPING:
        return {}
    values: dict[str, Any] = {} if to.is_finished else {"cleared_at": None}
    return values | {
        "aim": None,
        "frozen_at": None,
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
