"""Stores how an attempt ended: outcome, figures, back-off, and what users asked for meanwhile."""

from __future__ import annotations

from sqlalchemy import Connection

from db import jobs
from db.commands import handle_command, pending_commands
from db.records import Job, JobState, Verb
from setgf.worker.held import Held, Verdict
from setgf.worker.memory import memory_key
from setgf.worker.outcomes import back_off, failures_in_a_row

_WAITING_AIMS = {Verb.CANCEL: JobState.CANCELLED, Verb.PAUSE: JobState.HELD}
"""What a job that is queued again becomes, when a user asked for it before its worker heard."""


def finish(
    connection: Connection, held: Held, verdict: Verdict, *, now: float, first_seconds: float
) -> Job:
    """Store the end of an attempt with all that follows from it, in the caller's transaction.

    Args:
        connection: inside `Database.write()`.
        held: the attempt.
        verdict: how it ended.
        now: seconds since the epoch.
        first_seconds: the shortest back-off.

    Raises:
        FencedError: another attempt has the job.
    """
    ending, number = verdict.ending, held.attempt.number
    requeue = ending.requeue and (ending.free or number < held.job.max_attempts)
    wait = 0.0
    if requeue and not ending.free:
        tries = jobs.list_attempts(connection, held.job.run_id)
        failures = failures_in_a_row(tries, verdict.resumable.step)
        wait = back_off(ending, failures, first_seconds=first_seconds)
    job = jobs.finish_attempt(
        connection,
        held.job.id,
        number,
        outcome=ending.outcome,
        exit_code=ending.exit_code,
        failure_class=ending.failure_class,
        error=ending.error,
        requeue=requeue,
        not_before=now + wait if wait else None,
        peak_memory_mib=verdict.peak_memory_mib,
        peak_gpu_mib=verdict.peak_gpu_mib,
        frozen_seconds=held.watch.frozen_seconds,
        running_seconds=verdict.running_seconds,
        alone=True if requeue and ending.is_alone else None,
        now=now,
    )
    _remember_peaks(connection, held, verdict, now)
    return _follow_commands(connection, job, now)


def _remember_peaks(connection: Connection, held: Held, verdict: Verdict, now: float) -> None:
    """Remember the peaks of an attempt that got so far that they mean something."""
    if verdict.ending.outcome != "succeeded" and not verdict.resumable.step:
        return
    for kind, mib in (("host", verdict.peak_memory_mib), ("gpu", verdict.peak_gpu_mib)):
        if mib is not None:
            key = memory_key(held.job.config, kind)
            jobs.store_memory_peak(connection, key, mib, now)


def _follow_commands(connection: Connection, job: Job, now: float) -> Job:
    """Do what was asked of the job before its worker heard of it, if that still means anything."""
    for command in pending_commands(connection, job_id=job.id):
        to = _WAITING_AIMS.get(command.verb)
        result = f"too late: the job is {job.state}"
        if to is not None and job.state is JobState.QUEUED:
            why = f"by {command.actor}"
            job = jobs.change_state(connection, job.id, to, why=why, actor=command.actor, now=now)
            result = f"{to} between two attempts"
        handle_command(connection, command.id, result=result, now=now)
    return job
