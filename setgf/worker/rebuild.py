"""Makes the index of all runs anew from their folders; and follows a foreground run."""

from __future__ import annotations

import time
from dataclasses import replace

from sqlalchemy import Connection

from db import runs
from db.engine import Database
from db.errors import FencedError, NotFoundError
from db.jobs import add_attempt, close_attempt, get_attempt, get_job
from db.records import Attempt, FailureClass, JobState
from setgf.errors import RunFolderError
from setgf.home import Home
from setgf.runs.folder import AttemptFolder, RunFolder, RunIdentity, list_runs
from setgf.worker.imported import index_imported, is_imported
from setgf.worker.ingest import Carrier
from setgf.worker.logs import log_tail
from setgf.worker.outcomes import Circumstances, Ending, aim_of, judge, lost
from setgf.worker.submit import new_run
from setgf.worker.supervision import Liveness, boot_id, liveness, read_exit, read_process


def rebuild(home: Home, database: Database) -> tuple[int, tuple[str, ...]]:
    """Store every run folder that the database does not know, or knows only in part.

    Folders are only read. A run whose job is in the database keeps it and its state.

    Returns:
        How many runs were read, and one sentence for every folder that could not be.
    """
    problems: list[str] = []
    num_runs = 0
    for folder in list_runs(home):
        try:
            index_run(database, folder)
            num_runs += 1
        except (RunFolderError, FencedError) as error:
            problems.append(f"Run {folder.id} was left out: {error}")
    return num_runs, tuple(problems)


def index_run(database: Database, folder: RunFolder) -> None:
    """Store one run with all its attempts, as far as the database lacks them."""
    if is_imported(folder):
        index_imported(database, folder)
        return
    identity = folder.identity()
    attempts = folder.attempts()
    with database.write() as connection:
        known = _keep_job(connection, identity)
        runs.add_run(connection, new_run(known, folder.config(), folder.path))
        for attempt in attempts:
            _add_missing_attempt(connection, attempt, known.job_id)
    if known.job_id is not None:
        for attempt in attempts:
            Carrier(database, attempt).carry_all(time.time())
        return
    endings = [_carry_attempt(database, attempt) for attempt in attempts]
    if attempts:
        _store_state(database, attempts[-1], endings[-1])


def begin_foreground(database: Database, attempt: AttemptFolder) -> Carrier:
    """Store a run that trains in the foreground; the carrier is to be turned while it does."""
    folder = attempt.run
    with database.write() as connection:
        known = _keep_job(connection, folder.identity())
        runs.add_run(connection, new_run(known, folder.config(), folder.path))
        _add_missing_attempt(connection, attempt, None)
        runs.update_run(connection, folder.id, attempt=attempt.number, state=JobState.RUNNING.value)
    return Carrier(database, attempt)


def end_foreground(carrier: Carrier, outcome: str, *, error: str | None = None) -> None:
    """Store everything a foreground run left and how it ended.

    Args:
        carrier: of the run.
        outcome: `succeeded`, `failed`, `paused` (it can go on) or `cancelled`.
        error: one sentence, where it failed.
    """
    now = time.time()
    carrier.carry_all(now)
    attempt = carrier.attempt
    with carrier.database.write() as connection:
        close_attempt(
            connection, attempt.run.id, attempt.number, outcome=outcome, now=now, error=error
        )
        runs.update_run(
            connection,
            attempt.run.id,
            attempt=attempt.number,
            state=outcome,
            finished_at=None if outcome == "paused" else now,
            error=error,
        )


def _keep_job(connection: Connection, identity: RunIdentity) -> RunIdentity:
    """Return the identity with its job and group only where the database still has that job."""
    if identity.job_id is not None:
        try:
            job = get_job(connection, identity.job_id)
        except NotFoundError:
            job = None
        if job is not None and job.run_id == identity.id:
            return replace(identity, group_id=job.group_id)
    return replace(identity, job_id=None, group_id=None)


def _add_missing_attempt(
    connection: Connection, attempt: AttemptFolder, job_id: int | None
) -> None:
    try:
        get_attempt(connection, attempt.run.id, attempt.number)
    except NotFoundError:
        add_attempt(connection, _describe(attempt, job_id))


def _describe(attempt: AttemptFolder, job_id: int | None) -> Attempt:
    """Return the row of an attempt that is known only by its folder."""
    process = read_process(attempt)
    return Attempt(
        job_id=job_id,
        run_id=attempt.run.id,
        number=attempt.number,
        worker_id=None,
        host="" if process is None else process.host,
        boot_id=boot_id() if process is None else process.boot_id,
        pid=None if process is None else process.shim_pid,
        pid_start=None if process is None else process.shim_start,
        devices=(),
        started_at=time.time() if process is None else process.started_at,
        ended_at=None,
        outcome=None,
        exit_code=None,
        failure_class=None,
        error=None,
        resume_step=0,
        log_path=str(attempt.log),
        points_offset=0,
        events_offset=0,
    )


def _carry_attempt(database: Database, attempt: AttemptFolder) -> Ending | None:
    """Store what an attempt left; returns how it ended, None while it lives."""
    events = Carrier(database, attempt).carry_all(time.time())
    state = liveness(attempt)
    if state is Liveness.ALIVE:
        return None
    record = read_exit(attempt)
    kinds = {event["kind"] for event in events}
    if record is not None:
        words = attempt.stop_aim()
        around = Circumstances(aim=aim_of(words))
        ending = judge(record, events, around=around, log_tail=log_tail(attempt.log))
    elif "finished" in kinds:
        ending = Ending(outcome="succeeded")
    else:
        ending = _ending_without_exit(events)
    with database.write() as connection:
        close_attempt(
            connection,
            attempt.run.id,
            attempt.number,
            outcome=ending.outcome,
            now=events[-1]["at"] if events else time.time(),
            exit_code=ending.exit_code,
            failure_class=ending.failure_class,
            error=ending.error,
        )
    return ending


def _ending_without_exit(events: list[dict[str, object]]) -> Ending:
    """Return how a foreground run, or one whose shim was killed, ended."""
    failed = [event for event in events if event["kind"] == "failed"]
    if failed:
        return Ending(
            outcome="failed",
            failure_class=FailureClass.ERROR,
            error=str(failed[-1].get("message")),
        )
    if any(event["kind"] == "stopped" for event in events):
        return Ending(outcome="paused")
    return lost("It ended without a word.")


def _store_state(database: Database, attempt: AttemptFolder, ending: Ending | None) -> None:
    """Store the state of a run without a job: that of its last attempt."""
    with database.write() as connection:
        runs.update_run(
            connection,
            attempt.run.id,
            attempt=attempt.number,
            state=JobState.RUNNING.value if ending is None else ending.outcome,
            error=None if ending is None else ending.error,
            finished_at=None if ending is None else _end_time(attempt),
        )


def _end_time(attempt: AttemptFolder) -> float:
    """Return when an attempt ended: by its shim's record, else by its last event."""
    record = read_exit(attempt)
    if record is not None and record.ended_at:
        return record.ended_at
    path = attempt.events if attempt.events.exists() else attempt.path
    return path.stat().st_mtime
