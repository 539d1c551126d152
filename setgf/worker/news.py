"""What of the database's events is news, in words: pure, but for looking jobs up."""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from db.errors import NotFoundError
from db.query import Query
from db.records import Event, Job, JobState, Run
from setgf.worker.notify import TEST, News

FINISHED = {"succeeded": "finished", "failed": "failed"}
ENDED = frozenset({"succeeded", "failed", "cancelled"})
ACTIVE = (JobState.QUEUED, JobState.STARTING, JobState.RUNNING, JobState.STOPPING)
ERROR_LETTERS = 500


@dataclass(frozen=True, slots=True)
class Told:
    """News and the event it comes from."""

    event_id: int
    news: News


def find_news(query: Query, events: Sequence[Event], *, is_shared: bool) -> tuple[Told, ...]:
    """Return what of new events is worth telling, in order.

    Args:
        query: to look jobs up.
        events: those that nobody has been told of.
        is_shared: other hosts use the database, too; each tells of its own jobs.
    """
    ended = [event for event in events if event.kind == "job" and event.to_state in ENDED]
    told: list[Told] = []
    for event in ended:
        if event.to_state in FINISHED and event.job_id is not None:
            news = _news_of(query, event.job_id, str(event.to_state), is_shared=is_shared)
            if news is not None:
                told.append(Told(event.id, news))
    if ended and not query.jobs(states=ACTIVE):
        told.append(Told(ended[-1].id, _queue_empty(query)))
    return tuple(told)


def trial_news() -> News:
    """Return news that says it is a trial."""
    return News(
        kind=TEST,
        title="setgf: this is a test",
        text=f"Notifications of setgf on {socket.gethostname()} arrive.",
        details={"name": "test", "host": socket.gethostname()},
    )


def _news_of(query: Query, job_id: int, state: str, *, is_shared: bool) -> News | None:
    try:
        job = query.job(job_id)
        detail = query.detail(job.run_id) if job.attempt else None
    except NotFoundError:  # deleted meanwhile
        return None
    if detail is not None and is_shared and detail.attempts[-1].host != socket.gethostname():
        return None
    return describe(job, None if detail is None else detail.run, state)


def describe(job: Job, run: Run | None, state: str) -> News:
    """Return the news of a job that has ended."""
    kind = FINISHED[state]
    metrics = {} if run is None else dict(run.metrics)
    error = (job.error or "").strip()[-ERROR_LETTERS:] if kind == "failed" else ""
    text = _text(job, metrics) if kind == "finished" else error or "It left no word why."
    return News(
        kind=kind,
        title=f"setgf: job {job.id} ({job.name}) has {kind}",
        text=text,
        details={
            "job_id": job.id,
            "run_id": job.run_id,
            "name": job.name,
            "group": job.group_name,
            "state": state,
            "model": job.model,
            "data": job.data_name,
            "seed": job.seed,
            "attempt": job.attempt,
            "error": error or None,
            "metrics": metrics,
            "host": socket.gethostname(),
        },
    )


def _text(job: Job, metrics: Mapping[str, float]) -> str:
    shown = {name: value for name, value in metrics.items() if name.count(".") == 1}
    words = ", ".join(f"{name} {shown[name]:.4g}" for name in sorted(shown) if _is_shown(name))
    what = f"{job.model} on {job.data_name}, seed {job.seed}"
    return f"{what}: {words}" if words else what


def _is_shown(name: str) -> bool:
    return name.startswith("test.") and not name.endswith("loss")


def _queue_empty(query: Query) -> News:
    counts: dict[str, Any] = {}
    for state in (JobState.PAUSED, JobState.HELD):
        number = len(query.jobs(states=[state]))
        if number:
            counts[state.value] = number
    left = ", ".join(f"{number} {name}" for name, number in counts.items())
    return News(
        kind="queue_empty",
        title="setgf: the queue is empty",
        text=f"Nothing waits or runs on {socket.gethostname()}."
        + (f" Not started: {left}." if left else ""),
        details={"state": "empty", "host": socket.gethostname(), **counts},
    )
