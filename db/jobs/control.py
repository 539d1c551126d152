"""What users ask of jobs: cancel, retry, hold, release, pause, resume, freeze, thaw, requeue.

A job that waits changes at once. A live one is changed by its worker: what is asked of it is a row
in `commands`, which waits when no worker is up. Jobs in other states are left as they are, as long
as there is one to change. Every function returns the jobs as they stand now, in the order of the
ids, and raises `NotFoundError` for an id that is not there and `JobStateError` when no job of them
is in a state to be changed; then nothing was changed.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from db.commands import add_command, pending_commands, settle_commands, withdraw_commands
from db.errors import JobStateError
from db.jobs.actions import recorded
from db.jobs.listing import chunks, get_jobs
from db.jobs.transitions import change_waiting
from db.records import Job, JobState, Verb
from db.runs import trashed_runs
from db.tables import jobs

_LIVE = tuple(state for state in JobState if state.is_live)
_UNFINISHED = tuple(state for state in JobState if not state.is_finished)
_OVER = (JobState.FAILED, JobState.CANCELLED, JobState.LOST, JobState.PAUSED)


def cancel(
    connection: Connection, job_ids: Sequence[int], actor: str, now: float
) -> tuple[Job, ...]:
    """Cancel jobs: a waiting one at once, a live one by a command to its worker."""
    chosen = _choose(connection, job_ids, _UNFINISHED, "a job that is not over can be cancelled")
    waiting = [job for job in chosen if not job.state.is_live]
    _change(connection, waiting, JobState.CANCELLED, what="cancel", actor=actor, now=now)
    for job in chosen:
        if job.state.is_live:
            _ask(connection, job, Verb.CANCEL, actor, now)
    return get_jobs(connection, job_ids)


def retry(
    connection: Connection, job_ids: Sequence[int], actor: str, now: float
) -> tuple[Job, ...]:
    """Queue failed, cancelled or lost jobs again: same run, a fresh allowance of attempts.

    A paused job is resumed.

    Raises:
        JobStateError: also when the run of one is in the trash.
    """
    chosen = _choose(
        connection, job_ids, _OVER, "a failed, cancelled or lost job can be queued again"
    )
    _queue_again(connection, chosen, "retry", actor, now)
    return get_jobs(connection, job_ids)


def hold(connection: Connection, job_ids: Sequence[int], actor: str, now: float) -> tuple[Job, ...]:
    """Keep queued jobs from starting until they are released."""
    chosen = _choose(connection, job_ids, (JobState.QUEUED,), "a queued job can be held")
    _change(connection, chosen, JobState.HELD, what="hold", actor=actor, now=now)
    return get_jobs(connection, job_ids)


def release(
    connection: Connection, job_ids: Sequence[int], actor: str, now: float
) -> tuple[Job, ...]:
    """Let held jobs start."""
    chosen = _choose(connection, job_ids, (JobState.HELD,), "a held job can be released")
    _change(connection, chosen, JobState.QUEUED, what="release", actor=actor, now=now)
    return get_jobs(connection, job_ids)


def pause(
    connection: Connection, job_ids: Sequence[int], actor: str, now: float
) -> tuple[Job, ...]:
    """Pause jobs: a live one writes a checkpoint and frees its devices, a queued one is held."""
    chosen = _choose(
        connection, job_ids, (JobState.QUEUED, *_LIVE), "a queued or running job can be paused"
    )
    waiting = [job for job in chosen if job.state is JobState.QUEUED]
    _change(connection, waiting, JobState.HELD, what="pause", actor=actor, now=now)
    for job in chosen:
        if job.state.is_live and job.aim is None:
            _ask(connection, job, Verb.PAUSE, actor, now)
    return get_jobs(connection, job_ids)


def resume(
    connection: Connection, job_ids: Sequence[int], actor: str, now: float
) -> tuple[Job, ...]:
    """Let jobs go on: a paused or held one is queued, a frozen one is thawed.

    A live job that nobody has paused or frozen yet, though that was asked for, just goes on.
    """
    found = get_jobs(connection, job_ids, lock=True)
    waiting = [job for job in found if job.state in (JobState.PAUSED, JobState.HELD)]
    _refuse_trashed(connection, waiting)
    ids, what = [job.id for job in waiting], _words("resume", waiting)
    with recorded(connection, ids, what=what, actor=actor, now=now):
        _move(connection, waiting, JobState.QUEUED, actor, now)
    gone_on = [
        job for job in found if job.state.is_live and _let_go_on(connection, job, actor, now)
    ]
    if found and not waiting and not gone_on:
        _refuse(found[0], "a paused, held or frozen job can be resumed")
    return get_jobs(connection, job_ids)


def freeze(
    connection: Connection, job_ids: Sequence[int], actor: str, now: float
) -> tuple[Job, ...]:
    """Stop the processes of running jobs where they are; they keep their devices and memory."""
    running = (JobState.RUNNING,)
    chosen = _choose(connection, job_ids, running, "a running job can be frozen")
    for job in chosen:
        withdraw_commands(connection, job.id, Verb.THAW, actor=actor, now=now)
        if job.frozen_at is None:
            _ask(connection, job, Verb.FREEZE, actor, now)
    return get_jobs(connection, job_ids)


def thaw(connection: Connection, job_ids: Sequence[int], actor: str, now: float) -> tuple[Job, ...]:
    """Let the processes of frozen jobs go on."""
    found = get_jobs(connection, job_ids, lock=True)
    gone_on = [job for job in found if job.state.is_live and _thaw_one(connection, job, actor, now)]
    if found and not gone_on:
        _refuse(found[0], "a frozen job can be thawed", is_frozen=False)
    return get_jobs(connection, job_ids)


def requeue(
    connection: Connection, job_ids: Sequence[int], actor: str, now: float
) -> tuple[Job, ...]:
    """Put jobs back into the queue: a live one by way of a checkpoint, at no cost of an attempt.

    A paused, failed, cancelled or lost one is retried. A succeeded job stays as it is: `restart`
    makes a new one of it.
    """
    chosen = _choose(
        connection,
        job_ids,
        (*_LIVE, *_OVER),
        "a running, paused, failed, cancelled or lost job can be put back into the queue; "
        "`setgf queue restart` makes a new job of one that has succeeded",
    )
    over = [job for job in chosen if not job.state.is_live]
    _queue_again(connection, over, "requeue", actor, now)
    for job in chosen:
        if job.state.is_live and job.aim is None:
            _ask(connection, job, Verb.REQUEUE, actor, now)
    return get_jobs(connection, job_ids)


def _choose(
    connection: Connection, job_ids: Sequence[int], states: Sequence[JobState], only: str
) -> tuple[Job, ...]:
    """Return the jobs in one of `states`, locked; refuse, by the first one, when none is."""
    found = get_jobs(connection, job_ids, lock=True)
    chosen = tuple(job for job in found if job.state in states)
    if found and not chosen:
        _refuse(found[0], only)
    return chosen


def _refuse(job: Job, only: str, *, is_frozen: bool | None = None) -> None:
    state = f"{job.state}" if is_frozen is None else f"{job.state} and not frozen"
    raise JobStateError(f"Job {job.id} is {state}; only {only}.")


def _change(
    connection: Connection,
    chosen: Sequence[Job],
    to: JobState,
    *,
    what: str,
    actor: str,
    now: float,
) -> None:
    """Move jobs that wait, so that it can be undone."""
    ids = [job.id for job in chosen]
    with recorded(connection, ids, what=_words(what, chosen), actor=actor, now=now):
        _move(connection, chosen, to, actor, now)


def _move(
    connection: Connection, chosen: Sequence[Job], to: JobState, actor: str, now: float
) -> None:
    change_waiting(connection, chosen, to, why=f"by {actor}", actor=actor, now=now)
    _settle(connection, chosen, actor, now)


def _queue_again(
    connection: Connection, chosen: Sequence[Job], what: str, actor: str, now: float
) -> None:
    _refuse_trashed(connection, chosen)
    with recorded(
        connection, [job.id for job in chosen], what=_words(what, chosen), actor=actor, now=now
    ):
        change_waiting(
            connection,
            chosen,
            JobState.QUEUED,
            why=f"by {actor}",
            actor=actor,
            now=now,
            error=None,
            max_attempts=jobs.c.attempt + jobs.c.allowance,
        )
    _settle(connection, chosen, actor, now)


def _settle(connection: Connection, chosen: Sequence[Job], actor: str, now: float) -> None:
    """Let nothing that was asked of an attempt that is over reach the next one."""
    for part in chunks([job.id for job in chosen]):
        settle_commands(connection, part, result=f"overtaken by {actor}", now=now)


def _refuse_trashed(connection: Connection, chosen: Sequence[Job]) -> None:
    trashed = trashed_runs(connection, [job.run_id for job in chosen])
    for job in chosen:
        if job.run_id in trashed:
            raise JobStateError(
                f"The run of job {job.id} is in the trash. "
                f"Bring it back first with `setgf runs restore {job.run_id}`."
            )


def _ask(connection: Connection, job: Job, verb: Verb, actor: str, now: float) -> None:
    """Ask the worker of a live job for something, unless that waits to be done already."""
    if not pending_commands(connection, job_id=job.id, verb=verb):
        add_command(connection, verb, job_id=job.id, actor=actor, now=now)


def _let_go_on(connection: Connection, job: Job, actor: str, now: float) -> bool:
    """Thaw a live job and take back that it be paused; False when there is nothing to do."""
    paused = withdraw_commands(connection, job.id, Verb.PAUSE, actor=actor, now=now)
    return _thaw_one(connection, job, actor, now) or paused


def _thaw_one(connection: Connection, job: Job, actor: str, now: float) -> bool:
    """Thaw a live job or take back that it be frozen; False when there is nothing to do."""
    withdrawn = withdraw_commands(connection, job.id, Verb.FREEZE, actor=actor, now=now)
    if job.frozen_at is not None:
        _ask(connection, job, Verb.THAW, actor, now)
    return withdrawn or job.frozen_at is not None


def _words(what: str, chosen: Sequence[Job]) -> str:
    """Return an action in words."""
    if len(chosen) == 1:
        return f"{what} job {chosen[0].id}"
    return f"{what} {len(chosen)} jobs"
