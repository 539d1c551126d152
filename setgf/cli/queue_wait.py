"""`setgf queue wait`: until jobs are over; its exit code says how they ended."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import typer

from setgf.cli.job_words import ask_queue
from setgf.cli.output import note, say
from setgf.cli.queue_select import GroupName, Where, Words, chosen_ids
from setgf.cli.watch_jobs import Watcher

if TYPE_CHECKING:
    from db.query import Query
    from db.records import Job

POLL_SECONDS = 0.2
QUIET_SECONDS = 60.0
"""Where nobody looks on, a line of progress comes this often, besides changes of state."""
FAILED_CODE = 1
CANCELLED_CODE = 3
INTERRUPTED_CODE = 130


def wait(jobs: Words = None, where: Where = None, group: GroupName = None) -> None:
    """Wait until jobs are over, and say how they go.

    Exit code: 0 all succeeded, 1 one failed or was lost, 3 one was cancelled. Ctrl-C leaves the
    jobs alone.

    Example: setgf queue wait group:sweep && setgf compare
    """
    code = wait_for(chosen_ids(jobs, where, group))
    if code:
        raise typer.Exit(code)


def wait_for(ids: Sequence[int]) -> int:
    """Wait until jobs are over and return the exit code that says how they ended."""
    try:
        with ask_queue() as query:
            return _wait(query, ids)
    except KeyboardInterrupt:
        note(
            "Not waiting any longer; the jobs go on. See them with `setgf queue list`, stop them "
            "with `setgf queue cancel`."
        )
        return INTERRUPTED_CODE


def _wait(query: Query, ids: Sequence[int]) -> int:
    watcher = Watcher(query, ids, is_terse=not sys.stdout.isatty())
    said_at = time.monotonic()
    has_warned = False
    while True:
        for news in watcher.look(time.time()):
            say(news.text())
            said_at = time.monotonic()
        jobs = watcher.jobs
        if all(_is_over(job) for job in jobs):
            return _ending(jobs)
        if not has_warned and not any(job.state.is_live for job in jobs):
            has_warned = True
            for words in _obstacles(query, jobs):
                note(words)
        if time.monotonic() - said_at >= QUIET_SECONDS:
            said_at = time.monotonic()
            say(f"{time.strftime('%H:%M:%S')}  {_tally(jobs)}")
        sys.stdout.flush()
        watcher.wait(POLL_SECONDS)


def _is_over(job: Job) -> bool:
    return job.state.is_finished or job.state == "lost"


def _obstacles(query: Query, jobs: Sequence[Job]) -> Iterator[str]:
    """Yield why nothing may ever happen."""
    if not any(worker.state == "alive" for worker in query.workers()):
        yield "No worker is running; start one with `setgf worker start`."
    stuck = [job for job in jobs if job.state in ("held", "paused")]
    if stuck and len(stuck) == sum(not _is_over(job) for job in jobs):
        listed = " ".join(str(job.id) for job in stuck[:5])
        yield f"All of them are held or paused; `setgf queue resume {listed}` lets them go on."


def _tally(jobs: Sequence[Job]) -> str:
    counts = Counter(str(job.state) for job in jobs)
    epochs = sum(job.epoch for job in jobs if job.state.is_live)
    progress = f", {epochs} epochs done by what runs" if epochs else ""
    return ", ".join(f"{number} {state}" for state, number in counts.items()) + progress


def _ending(jobs: Sequence[Job]) -> int:
    note(f"All over: {_tally(jobs)}.")
    states = {str(job.state) for job in jobs}
    if states & {"failed", "lost"}:
        return FAILED_CODE
    return CANCELLED_CODE if "cancelled" in states else 0
