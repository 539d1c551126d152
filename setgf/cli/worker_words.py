"""Workers in words, for the commands: who lives, what each is at, waiting for them to leave."""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING, TypeVar

from setgf.cli.job_words import show_duration
from setgf.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from db.job_list import ListedJob
    from db.query import Query
    from db.records import Job, Worker

_Found = TypeVar("_Found")
_POLL_SECONDS = 0.1
NEVER = ("never", "off", "0")


def gpu_indices(text: str | None) -> tuple[int, ...] | None:
    """Read `--gpus`: `0,1`, or `none`; None for all.

    Raises:
        ConfigError: it is something else.
    """
    if text is None:
        return None
    if text == "none":
        return ()
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isascii() and part.isdecimal() for part in parts):
        raise ConfigError(f"`--gpus` must be numbers like 0,1 or none, but is `{text}`.")
    return tuple(int(part) for part in parts)


def read_hung_after(text: str) -> float | None:
    """Read `--hung-after` as seconds; None for `never`.

    Raises:
        ConfigError: it is something else.
    """
    if text.strip().lower() in NEVER:
        return None
    from setgf.worker.quantities import parse_seconds

    try:
        return parse_seconds(text)
    except ConfigError as error:
        raise ConfigError(f"`--hung-after`: {error} Or `never`.") from None


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


def say_busy(job: Job | ListedJob, seconds: float | None = None) -> str:
    """Return what a live job is at: `job 3 (setgf-1111) is writing its checkpoint`.

    Args:
        job: that a worker holds.
        seconds: for how long it has run, if that is to be told.
    """
    doing = {"starting": "is starting", "stopping": "is writing its checkpoint"}.get(job.state)
    if job.frozen_at is not None:
        doing = "is frozen"
    elif doing is None and seconds is not None:
        doing = f"has been running for {show_duration(seconds)}"
    return f"job {job.id} ({job.name}) {doing or 'is running'}"


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
        words = ", ".join(say_busy(job) for job in live_jobs(query, here))
        if words and words != told:
            told = words
            tell(f"Waiting for {', '.join(here)}: {words}.")
        return None

    poll(look, seconds)
    return left()
