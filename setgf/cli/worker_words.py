"""Workers in words, for the commands: who lives, what each is at, waiting for them to leave."""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING, TypeVar

from setgf.cli.job_words import show_duration

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from db.query import Query
    from db.records import Job, Worker

_Found = TypeVar("_Found")
_POLL_SECONDS = 0.1


def living_workers(query: Query) -> list[Worker]:
    """Return the workers that run; on this machine the process table knows, else the heartbeat."""
    from setgf.worker.supervision import is_process

    return [
        worker
        for worker in query.workers()
        if worker.state != "stopped"
        and (
            is_process(worker.pid, worker.pid_start, worker.boot_id)
            if is_here(worker)
            else worker.state == "alive"
        )
    ]


def is_here(worker: Worker) -> bool:
    """Return True for a worker of this machine."""
    return worker.host == socket.gethostname()


def live_jobs(query: Query, worker_ids: Collection[str]) -> list[Job]:
    """Return the jobs that these workers hold."""
    from db.records import JobState

    live = query.jobs(states=[state for state in JobState if state.is_live])
    return [job for job in live if job.worker_id in worker_ids]


def say_busy(job: Job, now: float) -> str:
    """Return what a live job is at: `job 3 (setgf-1111) is writing its checkpoint`."""
    since = show_duration(now - (job.started_at or now))
    doing = {
        "starting": "is starting",
        "running": f"has been running for {since}",
        "stopping": "is writing its checkpoint",
    }.get(job.state.value, f"is {job.state}")
    if job.frozen_at is not None:
        doing = "is frozen"
    return f"job {job.id} ({job.name}) {doing}"


def poll(look: Callable[[], _Found | None], seconds: float) -> _Found | None:
    """Look ten times a second until something is found or time is up."""
    deadline = time.monotonic() + seconds
    while (found := look()) is None and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)
    return found


def wait_until_gone(
    query: Query, ids: Sequence[str], seconds: float, tell: Callable[[str], None]
) -> list[str]:
    """Wait for workers to leave, and tell what for; returns the ids of those that have not."""
    told = ""

    def left() -> list[str]:
        return [worker.id for worker in living_workers(query) if worker.id in ids]

    def look() -> bool | None:
        nonlocal told
        here = left()
        if not here:
            return True
        words = ", ".join(_without_time(job) for job in live_jobs(query, here))
        if words and words != told:
            told = words
            tell(f"Waiting for {', '.join(here)}: {words}.")
        return None

    poll(look, seconds)
    return left()


def _without_time(job: Job) -> str:
    """Return what a job is at in words that stay the same while it does."""
    return say_busy(job, job.started_at or 0.0).replace("has been running for 0s", "is running")
