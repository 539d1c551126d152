"""What is new of jobs: a line whenever one changed its state, epoch or best score."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from setgf.cli.job_words import first_line
from setgf.cli.run_text import show_text

if TYPE_CHECKING:
    from db.query import Query
    from db.records import Job, Run

LOSS_SERIES = "train.loss"
SECONDS_A_LINE = 10.0
"""A run that only made steps gets a line this often."""


@dataclass(frozen=True, slots=True)
class JobNews:
    """A job that changed."""

    at: float
    job: Job
    run: Run | None
    loss: float | None
    """Newest training loss."""

    def text(self) -> str:
        """Return the line of the job: state, epoch, best validation score, loss."""
        job, run = self.job, self.run
        parts = [show_clock(self.at), f"{job.id:>4}", f"{job.state:<9}", show_text(job.name)]
        if run is not None and job.attempt:
            parts.append(f"epoch {run.epoch}/{job.max_epochs}")
            if run.best_valid is not None:
                parts.append(f"best {run.monitor} {run.best_valid:.4f} (epoch {run.best_epoch})")
            if self.loss is not None and math.isfinite(self.loss):
                parts.append(f"loss {self.loss:.4f}")
        if job.attempt > 1:
            parts.append(f"attempt {job.attempt}")
        if job.error and job.state != "succeeded":
            parts.append(show_text(first_line(job.error)))
        return "  ".join(parts)

    def plain(self) -> Mapping[str, Any]:
        """Return the same as plain data for JSON."""
        job, run = self.job, self.run
        return {
            "kind": "job",
            "at": self.at,
            "job": job.id,
            "run": job.run_id,
            "name": job.name,
            "state": str(job.state),
            "attempt": job.attempt,
            "epoch": run.epoch if run else 0,
            "max_epochs": job.max_epochs,
            "monitor": run.monitor if run else None,
            "best_valid": run.best_valid if run else None,
            "best_epoch": run.best_epoch if run else None,
            "train_loss": self.loss,
            "error": first_line(job.error) or None,
        }


class Watcher:
    """Remembers what was shown of every job, and says what is new."""

    def __init__(
        self, query: Query, ids: Sequence[int] | None = None, *, is_terse: bool = False
    ) -> None:
        """Watch jobs.

        Args:
            query: of the run database.
            ids: only these, and how they stand at the beginning is said; None: all.
            is_terse: only changes of state.
        """
        self.query = query
        self.jobs: tuple[Job, ...] = ()
        """As they were at the last look."""
        self.is_idle = False
        """True when no job waits or runs."""
        self._ids = ids
        self._is_terse = is_terse
        self._shown: dict[int, tuple[object, ...]] = {}
        self._said_at: dict[int, float] = {}
        self._version: int | None = None
        self._is_first = ids is None

    def look(self, now: float) -> Iterator[JobNews]:
        """Yield every job that changed since the last look."""
        version = self.query.database.data_version()
        if version == self._version:
            return
        self._version = version
        self.jobs = self._read()
        for job in self.jobs:
            if self._is_first and job.state.is_finished:
                self._shown[job.id] = self._key(job, None)
                continue
            if job.state.is_finished and self._was_finished(job):
                continue
            run = self._run(job)
            if self._has_news(job, run, now):
                yield JobNews(now, job, run, self._loss(run))
        self._is_first = False
        self.is_idle = not any(job.state.is_live or job.state == "queued" for job in self.jobs)

    def wait(self, seconds: float) -> None:
        """Wait until the next look."""
        time.sleep(seconds)

    def _read(self) -> tuple[Job, ...]:
        """Return the jobs that may have changed: those that were over stay as they are."""
        if self._ids is None:
            return self.query.jobs()
        known = {job.id: job for job in self.jobs}
        open_ids = [i for i in self._ids if i not in known or not known[i].state.is_finished]
        known |= {job.id: job for job in self.query.jobs(ids=open_ids)}
        return tuple(known.values())

    def _was_finished(self, job: Job) -> bool:
        return self._shown.get(job.id, ("",))[0] == job.state

    def _key(self, job: Job, run: Run | None) -> tuple[object, ...]:
        if self._is_terse or run is None:
            return (job.state, job.attempt, 0, None)
        return (job.state, job.attempt, run.epoch, run.best_epoch)

    def _has_news(self, job: Job, run: Run | None, now: float) -> bool:
        if job.state == "starting":  # for a moment only
            return False
        key = self._key(job, run)
        is_old = not self._is_terse and now - self._said_at.get(job.id, 0.0) >= SECONDS_A_LINE
        if key == self._shown.get(job.id) and not (is_old and job.state == "running"):
            return False
        self._shown[job.id] = key
        self._said_at[job.id] = now
        return True

    def _run(self, job: Job) -> Run | None:
        from db.errors import NotFoundError

        if job.attempt == 0:
            return None
        try:
            return self.query.run(job.run_id)
        except NotFoundError:
            return None

    def _loss(self, run: Run | None) -> float | None:
        """Return the last training loss."""
        if run is None or LOSS_SERIES not in self.query.series(run.id):
            return None
        values = self.query.points(run.id, LOSS_SERIES, after_step=max(0, run.step - 1)).values
        return values[-1] if values else None


def show_clock(at: float) -> str:
    """Return the local time of a moment."""
    return time.strftime("%H:%M:%S", time.localtime(at))
