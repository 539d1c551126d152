"""`setgf queue add --dry-run`: what would be queued, and how long it would take."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from setgf.cli.job_words import reading, show_duration, show_moment
from setgf.cli.output import note, say, say_json

if TYPE_CHECKING:
    from db.records import NewJob
    from setgf.worker.estimates import Duration
    from setgf.worker.outlook import Outlook


def show_plan(jobs: Sequence[NewJob], *, now: float, as_json: bool) -> None:
    """Show jobs that would be queued, with an estimate of their time from past runs."""
    outlook = _outlook(now)
    known = [None if outlook is None else outlook.duration(job) for job in jobs]
    if as_json:
        say_json(
            [
                {
                    **job.settings,
                    "name": job.name,
                    "fingerprint": job.fingerprint,
                    "estimated_seconds": None if duration is None else duration.seconds,
                }
                for job, duration in zip(jobs, known, strict=True)
            ]
        )
        return
    for job, duration in zip(jobs, known, strict=True):
        say(
            f"Would queue {job.name}: {job.max_epochs} epochs at most, on {_device(job)}"
            f"{_conditions(job)}; {show_estimate(duration)}"
        )
    if outlook is not None:
        _tell_whole(jobs, outlook)


def show_estimate(duration: Duration | None) -> str:
    """Return how long a job will run, in words."""
    if duration is None:
        return "time unknown: no similar run yet"
    what = "similar run" if duration.is_same else "run of this model and data"
    if duration.num_runs > 1:
        what = what.replace("run", "runs", 1)
    return f"about {about(duration.seconds)}, from {duration.num_runs} {what}"


def about(seconds: float) -> str:
    """Return a duration rounded as an estimate deserves: `12 min`, `3.5 h`."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    if seconds < 90 * 60:
        return f"{round(seconds / 60)} min"
    if seconds < 36 * 3600:
        return f"{seconds / 3600:.1f} h"
    return f"{seconds / 86400:.1f} days"


def _outlook(now: float) -> Outlook | None:
    from db.errors import NotFoundError
    from setgf.worker.outlook import look

    try:
        with reading() as statements:
            return look(statements, now=now)
    except NotFoundError:  # no database yet, so nothing is known
        return None


def _device(job: NewJob) -> str:
    if not job.gpus:
        return "a CPU slot"
    return f"{job.gpus:g} GPU{'s' if job.gpus > 1 else ''}"


def _conditions(job: NewJob) -> str:
    words = [
        f"with {job.memory_mib} MiB" if job.memory_mib is not None else "",
        f"{show_duration(job.time_limit)} at most" if job.time_limit is not None else "",
        f"not before {show_moment(job.not_before)}" if job.not_before is not None else "",
        f"after job {', '.join(map(str, job.after))}" if job.after else "",
        f"after the end of job {', '.join(map(str, job.after_any))}" if job.after_any else "",
        "held" if job.held else "",
    ]
    return "".join(f", {word}" for word in words if word)


def _tell_whole(jobs: Sequence[NewJob], outlook: Outlook) -> None:
    """Say when all of them would be done, behind what waits already."""
    if not outlook.workers:
        note("No worker is running, so nobody can say when they would start.")
        return
    found = outlook.estimates(jobs)
    ends = [found[-place].end for place in range(1, len(jobs) + 1)]
    known = [end for end in ends if end is not None]
    if len(known) == len(ends):
        words = f"All of it would be done in about {about(max(known) - outlook.now)}"
        note(f"{words}, behind what waits already.")
