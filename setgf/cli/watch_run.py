"""What is new of one job or run: its states, a line an epoch, and how it ended."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

from db.errors import NotFoundError
from db.records import Job, JobState, Run
from setgf.analysis.display import show_value
from setgf.cli.job_words import first_line, show_duration
from setgf.cli.run_text import show_text
from setgf.cli.watch_epochs import Epoch, EpochReader
from setgf.cli.watch_jobs import LOSS_SERIES, show_clock
from setgf.worker.estimates import time_left

if TYPE_CHECKING:
    from db.query import Query
    from setgf.worker.outlook import Outlook

PAST_EPOCHS = 10
"""Of the epochs before the first look the last ones are told."""
PACE_EPOCHS = 5
"""Epochs whose usual length tells how long the others take."""
TOLD_METRICS = ("mae", "corr", "acc7", "acc5", "acc2_non0", "acc2", "f1_non0", "f1")
"""Of the test metrics those that are told; a data set has some of them."""
_CODES = {JobState.SUCCEEDED: 0, JobState.FAILED: 1, JobState.LOST: 1,
          JobState.CANCELLED: 3, JobState.PAUSED: 3}  # fmt: skip
"""How the work ended, as `setgf queue wait` says it."""


@dataclass(frozen=True, slots=True)
class RunNews:
    """A line of what happened, and the same as data."""

    at: float
    words: str
    facts: Mapping[str, Any]

    def text(self) -> str:
        """Return the line."""
        return f"{show_clock(self.at)}  {self.words}"

    def plain(self) -> Mapping[str, Any]:
        """Return plain data for JSON."""
        return {**self.facts, "at": self.at}


@dataclass(frozen=True, slots=True)
class Work:
    """What is watched: a job, a run, or a job's run."""

    job_id: int | None
    run_id: str


def find_work(query: Query, text: str) -> Work:
    """Return what is meant: a number is a job, where there is such a job; else a run.

    Raises:
        NotFoundError: there is neither.
    """
    if text.isascii() and text.isdecimal():
        try:
            return Work(int(text), query.job(int(text)).run_id)
        except (NotFoundError, OverflowError) as error:
            missing = error
    else:
        missing = None
    try:
        run = query.run(text)
    except NotFoundError as error:
        raise missing if isinstance(missing, NotFoundError) else error from None
    return Work(_existing(query, run.job_id), run.id)


def _existing(query: Query, job_id: int | None) -> int | None:
    """Return the job of a run; None where the queue has forgotten it."""
    try:
        return None if job_id is None else query.job(job_id).id
    except NotFoundError:
        return None


class RunWatcher:
    """Remembers what was told of a job or run, and says what is new."""

    def __init__(self, query: Query, work: Work) -> None:
        self.query = query
        self.exit_code: int | None = None
        """Set when the work is over."""
        self.now_doing = ""
        """What happens at this moment, in a line."""
        self._work = work
        self._version: int | None = None
        self._state: tuple[str, int] | None = None
        self._epoch: int | None = None
        self._epochs = EpochReader(query, work.run_id)
        self._ends: list[float] = []
        """When the last epochs ended."""

    def look(self, now: float) -> Iterator[RunNews]:
        """Yield what is new since the last look, in order."""
        version = self.query.database.data_version()
        if version == self._version and not self._is_unattended():
            return
        self._version = version
        job = None if self._work.job_id is None else self.query.job(self._work.job_id)
        run = self._run(job)
        state, attempt = _state_of(job, run), job.attempt if job else run.attempt if run else 0
        if run is None or state == JobState.STARTING:
            yield from self._say_state(job, None, state, attempt, now)
            self._judge(job, None, state, now)
            return
        is_over = state in _CODES and (job is None or state != JobState.PAUSED)
        if not is_over:
            yield from self._say_state(job, run, state, attempt, now)
        yield from self._say_epochs(job, run, now)
        self.now_doing = self._describe_now(run, state)
        if is_over or self._is_unattended():
            yield from self._say_end(job, run, state if is_over else JobState.LOST, now)

    def _run(self, job: Job | None) -> Run | None:
        if job is not None and job.attempt == 0:
            return None
        try:
            return self.query.run(self._work.run_id)
        except NotFoundError:
            if job is None:
                raise
            return None

    def _judge(self, job: Job | None, run: Run | None, state: JobState, now: float) -> None:
        """End the watch over a job that is over before it had a run."""
        if run is None and job is not None and state in _CODES and state != JobState.PAUSED:
            self.exit_code = _CODES[state]
        self.now_doing = "" if state != JobState.QUEUED else f"queued {_since(job, now)}"

    def _is_unattended(self) -> bool:
        """Return True for a run in the foreground whose process on this machine is gone."""
        if self._work.job_id is not None or self._state != (JobState.RUNNING, self._attempt_of()):
            return False
        from setgf.home import find_home
        from setgf.runs.folder import RunFolder
        from setgf.worker.supervision import Liveness, liveness

        folder = RunFolder(find_home().run_path(self._work.run_id))
        if not folder.path.is_dir():
            return False
        return liveness(folder.attempt_folder(self._attempt_of())) is Liveness.GONE

    def _attempt_of(self) -> int:
        return 0 if self._state is None else self._state[1]

    def _facts(self, kind: str, job: Job | None, state: str) -> dict[str, Any]:
        return {"kind": kind, "job": job.id if job else None, "run": self._work.run_id,
                "state": str(state)}  # fmt: skip

    def _say_state(
        self, job: Job | None, run: Run | None, state: JobState, attempt: int, now: float
    ) -> Iterator[RunNews]:
        if state == JobState.STARTING or (state, attempt) == self._state:
            return
        self._state = (state, attempt)
        name = show_text(job.name if job else run.name if run else "")
        parts = [f"job {job.id}, run {self._work.run_id}" if job else f"run {self._work.run_id}"]
        parts += [name, str(state)]
        if run is not None and run.device:
            parts[-1] += f" on {run.device}"
        if attempt > 1:
            parts.append(f"attempt {attempt}")
        why = self._why(job) if job is not None else ""
        if why:
            parts.append(why)
        facts = {"name": name, "attempt": attempt, "device": run.device if run else None,
                 "why": why or None}  # fmt: skip
        yield RunNews(now, "  ".join(parts), self._facts("state", job, state) | facts)

    def _why(self, job: Job) -> str:
        """Return why a job does not run, and when it will."""
        if job.state == JobState.LOST or (job.error and job.state == JobState.QUEUED):
            return show_text(first_line(job.error))
        if job.state not in (JobState.QUEUED, JobState.HELD, JobState.PAUSED):
            return ""
        outlook = self._outlook()
        listed = next((one for one in outlook.jobs if one.id == job.id), None)
        if listed is None:
            return ""
        why = outlook.why(listed)
        estimate = outlook.estimates().get(job.id)
        if estimate is not None and estimate.start is not None:
            left = max(0.0, estimate.start - outlook.now)
            why = f"{why}; starts in about {show_duration(left)}"
        return show_text(why)

    def _outlook(self) -> Outlook:
        import time

        from db.statements import EngineStatements
        from setgf.worker.outlook import look

        with self.query.database.read() as connection:
            return look(EngineStatements(connection), now=time.time())

    def _say_epochs(self, job: Job | None, run: Run, now: float) -> Iterator[RunNews]:
        """Yield a line for every epoch that has ended since the last one."""
        if self._epoch is None:
            self._epoch = max(0, run.epoch - PAST_EPOCHS)
            if self._epoch:
                yield RunNews(now, f"epochs 1 to {self._epoch} are left out", {
                    **self._facts("left_out", job, run.state), "epochs": self._epoch})  # fmt: skip
        self._epoch = min(self._epoch, run.epoch)
        if self._epoch == run.epoch:
            return
        for epoch in self._epochs.read(run, self._epoch):
            self._ends = [*self._ends, epoch.ended_at][-PACE_EPOCHS - 1 :]
            self._epoch = epoch.number
            is_newest = epoch.number == run.epoch
            has_more = is_newest and run.state.is_live and epoch.number < run.max_epochs
            left = self._seconds_left(job, run) if has_more else None
            yield self._epoch_news(job, run, epoch, left)

    def _epoch_news(self, job: Job | None, run: Run, epoch: Epoch, left: float | None) -> RunNews:
        width = len(str(run.max_epochs))
        parts = [f"epoch {epoch.number:>{width}}/{run.max_epochs}", f"step {epoch.step}"]
        if epoch.train is not None:
            parts.append(f"{LOSS_SERIES} {epoch.train:.4f}")
        if epoch.valid is not None:
            mark = "  best" if epoch.number == run.best_epoch else ""
            parts.append(f"valid.{run.monitor} {epoch.valid:.4f}{mark}")
        if left is not None:
            parts.append(f"{show_duration(left)} left")
        facts = {"epoch": epoch.number, "max_epochs": run.max_epochs, "step": epoch.step,
                 "train_loss": epoch.train, "monitor": run.monitor, "valid": epoch.valid,
                 "best_epoch": run.best_epoch, "best_valid": run.best_valid,
                 "seconds_left": left}  # fmt: skip
        return RunNews(
            epoch.ended_at, "  ".join(parts), self._facts("epoch", job, run.state) | facts
        )

    def _seconds_left(self, job: Job | None, run: Run) -> float | None:
        """Return how long it will take: by similar runs and by its own pace."""
        if job is not None:
            outlook = self._outlook()
            listed = next((one for one in outlook.jobs if one.id == job.id), None)
            end = None if listed is None else outlook.end_of(listed)
            return None if end is None else max(0.0, end - outlook.now)
        if len(self._ends) < 2:
            return None
        pace = median(b - a for a, b in zip(self._ends, self._ends[1:], strict=False))
        return time_left(None, ran=pace * run.epoch, epoch=run.epoch, max_epochs=run.max_epochs)

    def _describe_now(self, run: Run, state: JobState) -> str:
        if not state.is_live:
            return ""
        doing = f"epoch {min(run.epoch + 1, run.max_epochs)}/{run.max_epochs}  step {run.step}"
        return doing if state == JobState.RUNNING else f"{doing}  {state}"

    def _say_end(self, job: Job | None, run: Run, state: JobState, now: float) -> Iterator[RunNews]:
        self.exit_code, self.now_doing = _CODES[state], ""
        seconds = _seconds_of(job, run)
        took = "" if seconds is None else f" after {show_duration(seconds)}"
        error = show_text(first_line((job.error if job else None) or run.error))
        if state == JobState.LOST and not error:
            error = f"its process is gone; go on with `setgf train --resume {run.id}`"
        parts = [f"{state}{took}"]
        if run.best_valid is not None:
            parts.append(f"best valid.{run.monitor} {run.best_valid:.4f} (epoch {run.best_epoch})")
        if state == JobState.SUCCEEDED:
            parts += [
                f"test.{name} {show_value(name, run.metrics[f'test.{name}'])}"
                for name in TOLD_METRICS
                if f"test.{name}" in run.metrics
            ]
        elif error:
            parts.append(error)
        facts = {"seconds": seconds, "epoch": run.epoch, "best_epoch": run.best_epoch,
                 "best_valid": run.best_valid, "monitor": run.monitor,
                 "metrics": dict(run.metrics), "error": error or None,
                 "exit_code": self.exit_code}  # fmt: skip
        yield RunNews(
            run.finished_at or now, "  ".join(parts), self._facts("end", job, state) | facts
        )


def _state_of(job: Job | None, run: Run | None) -> JobState:
    if job is not None:
        return job.state
    assert run is not None
    return run.state


def _since(job: Job | None, now: float) -> str:
    return "" if job is None else f"for {show_duration(now - job.created_at)}"


def _seconds_of(job: Job | None, run: Run) -> float | None:
    if job is not None and job.running_seconds:
        return job.running_seconds
    if run.started_at is None or run.finished_at is None:
        return None
    return run.finished_at - run.started_at
