"""`setgf queue show`: one job with its attempts, what is expected of it, and its history."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from setgf.cli.job_words import (
    ask_queue,
    first_line,
    plain_job,
    reading,
    show_duration,
    show_moment,
)
from setgf.cli.output import say, say_json
from setgf.cli.queue_select import AsJson, JobId, one_id

if TYPE_CHECKING:
    from db.job_list import ListedJob
    from db.records import Attempt, Event, Job
    from setgf.worker.outlook import Outlook


def show(job_id: JobId, as_json: AsJson = False) -> None:
    """Show one job with its attempts, its history, and when it is expected to start and end.

    Example: setgf queue show 3
    """
    from dataclasses import asdict

    from db.job_list import read_jobs
    from db.jobs import list_attempts
    from setgf.cli.queue_list import plain
    from setgf.worker.outlook import look

    number = one_id(job_id)
    with ask_queue() as query:
        job = query.job(number)
        events = query.events(job_id=job.id)
        with query.database.read() as connection:
            attempts = list_attempts(connection, job.run_id)
    with reading() as statements:
        outlook = look(statements, now=time.time())
        (listed,) = read_jobs(statements, ids=[number])
    if as_json:
        estimate = outlook.estimates().get(number)
        found = {**plain_job(job, with_config=True), **plain(listed, outlook, estimate, job.tags)}
        found["attempts"] = [asdict(attempt) for attempt in attempts]
        found["events"] = [asdict(event) for event in events]
        say_json(found)
        return
    for label, value in describe(job, listed, outlook):
        say(f"{label:<10} {value}")
    show_attempts(attempts)
    show_history(events)


def describe(job: Job, listed: ListedJob, outlook: Outlook) -> list[tuple[str, Any]]:
    """Return what is known of a job, by label."""
    from setgf.cli.queue_plan import about, show_estimate

    reason = f" ({first_line(job.error or job.reason)})" if job.error or job.reason else ""
    end = outlook.end_of(listed) if listed.is_live else None
    needs = f"{job.gpus:g} GPU" if job.gpus else "a CPU slot"
    memory = f", {job.memory_mib} MiB" if job.memory_mib is not None else ""
    limit = "" if job.time_limit is None else show_duration(job.time_limit)
    found = [
        ("job", f"{job.id}: {job.name}"),
        ("state", f"{job.state}{', frozen' if job.frozen_at is not None else ''}{reason}"),
        ("waits", outlook.why(listed)),
        ("starts", _start(listed, outlook)),
        ("ends", "" if end is None else f"in about {about(end - outlook.now)}"),
        ("takes", "" if listed.is_finished else show_estimate(outlook.duration(listed))),
        ("run", job.run_id),
        ("data", f"{job.data_name} ({job.dataset})"),
        ("model", f"{job.model}, seed {job.seed}"),
        ("epoch", f"{job.epoch} of {job.max_epochs} at most"),
        ("attempts", f"{job.attempt} of {job.max_attempts} at most"),
        ("needs", f"{needs}{memory}{', alone' if job.is_alone else ''}"),
        ("limit", limit and f"{limit} of running"),
        ("priority", job.priority),
        ("group", job.group_name or ""),
        ("tags", ", ".join(job.tags)),
        ("owner", job.owner),
        ("queued", show_moment(job.created_at)),
        ("not before", show_moment(job.not_before)),
        ("started", show_moment(job.started_at)),
        ("finished", show_moment(job.finished_at)),
        ("command", " ".join(job.command)),
    ]
    return [(label, value) for label, value in found if value]


def _start(job: ListedJob, outlook: Outlook) -> str:
    """Return when a waiting job is expected to start."""
    from setgf.cli.queue_plan import about

    if job.state != "queued":
        return ""
    found = outlook.estimates().get(job.id)
    if found is None or found.start is None:
        return ""
    wait = found.start - outlook.now
    return "as the next" if wait < 1 else f"in about {about(wait)} ({show_moment(found.start)})"


def show_history(events: Sequence[Event]) -> None:
    """Show what happened to a job."""
    for event in events:
        if event.kind == "run":  # it goes where its job goes
            continue
        move = f"{event.from_state or 'new'} -> {event.to_state}" if event.to_state else event.kind
        say(f"{show_moment(event.at)}  {move:<22} {first_line(event.why)}  [{event.actor}]")


def show_attempts(attempts: Sequence[Attempt]) -> None:
    """Show how every attempt went."""
    for attempt in attempts:
        words = attempt.outcome or "going on"
        if attempt.failure_class is not None:
            words += f" ({attempt.failure_class})"
        error = f": {first_line(attempt.error)}" if attempt.error else ""
        on = ", ".join(attempt.devices)
        took = show_duration((attempt.ended_at or time.time()) - attempt.started_at)
        say(f"attempt {attempt.number:<2} {words} after {took} on {on} of {attempt.host}{error}")
