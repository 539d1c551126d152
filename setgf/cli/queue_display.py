"""How `setgf queue` shows jobs."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from setgf.cli.job_words import first_line, show_moment, show_time
from setgf.cli.output import note, say, say_json, say_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from db.records import Attempt, Event, Job, NewJob


def show_plan(jobs: Sequence[NewJob], *, as_json: bool) -> None:
    """Show jobs that would be queued."""
    if as_json:
        say_json(
            [{**job.settings, "name": job.name, "fingerprint": job.fingerprint} for job in jobs]
        )
        return
    for job in jobs:
        device = f"{job.gpus:g} GPU" if job.gpus else "a CPU slot"
        say(f"Would queue {job.name}: {job.max_epochs} epochs at most, on {device}")


def queue_order(job: Job) -> tuple[float, float, float, int]:
    """Finished first by time, then what runs, then what waits in the order it starts."""
    if job.state.is_finished:
        return (0, job.finished_at or 0.0, 0, job.id)
    if job.state.is_live:
        return (1, job.started_at or 0.0, 0, job.id)
    return (2, -job.priority, job.position, job.id)


def show_jobs(jobs: Sequence[Job], now: float) -> None:
    """Show jobs as a table, and how many of each state there are."""
    rows = [
        (
            str(job.id),
            str(job.state),
            job.name,
            f"{job.epoch}/{job.max_epochs}",
            show_time(job, now),
            str(job.attempt),
            job.run_id,
            first_line(job.error or job.reason),
        )
        for job in jobs
    ]
    columns = ("id", "state", "name", "epoch", "time", "attempt", "run", "why")
    say_table(columns, rows, right=("id", "epoch", "time", "attempt"))
    counts = Counter(str(job.state) for job in jobs)
    note(", ".join(f"{number} {state}" for state, number in counts.items()))


def describe(job: Job) -> list[tuple[str, Any]]:
    """Return what is known of a job, by label."""
    reason = f" ({first_line(job.error or job.reason)})" if job.error or job.reason else ""
    found = [
        ("job", f"{job.id}: {job.name}"),
        ("state", f"{job.state}{reason}"),
        ("run", job.run_id),
        ("data", f"{job.data_name} ({job.dataset})"),
        ("model", f"{job.model}, seed {job.seed}"),
        ("epoch", f"{job.epoch} of {job.max_epochs} at most"),
        ("attempts", f"{job.attempt} of {job.max_attempts} at most"),
        ("needs", f"{job.gpus:g} GPU" if job.gpus else "a CPU slot"),
        ("group", job.group_name or ""),
        ("queued", show_moment(job.created_at)),
        ("started", show_moment(job.started_at)),
        ("finished", show_moment(job.finished_at)),
        ("command", " ".join(job.command)),
    ]
    return [(label, value) for label, value in found if value]


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
        error = f": {first_line(attempt.error)}" if attempt.error else ""
        on = ", ".join(attempt.devices)
        say(f"attempt {attempt.number:<2} {words} on {on} of {attempt.host}{error}")
