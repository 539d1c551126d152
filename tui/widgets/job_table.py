"""The table of jobs."""

from __future__ import annotations

from dataclasses import dataclass

from db.records import JobState
from tui.formatting import (
    MISSING,
    STATE_GLYPHS,
    STATE_ORDER,
    STATE_ROLES,
    Role,
    duration,
    moment,
)
from tui.job_records import JobLine
from tui.plotting.spark import meter
from tui.widgets.columns import Cell, Column
from tui.widgets.table import Table

METER_WIDTH = 8
SOON_SECONDS = 1.0
RESTING = {JobState.HELD: "held; P lets it start", JobState.PAUSED: "paused; P lets it go on"}


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRow:
    """A job with what the table adds to it."""

    line: JobLine
    device: str = ""
    """Devices its attempt holds."""
    now: float = 0.0

    @property
    def state(self) -> JobState:
        """State of the job."""
        return JobState(self.line.job.state)

    @property
    def is_frozen(self) -> bool:
        """True while its processes are stopped where they are."""
        return self.line.job.frozen_at is not None and self.state.is_live


class JobTable(Table[JobRow]):
    """Jobs: what runs first, then what waits in its order, then what is over."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - the toolkit's word
        super().__init__(
            JOB_COLUMNS,
            lambda row: str(row.line.job.id),
            sorting=("state", False),
            selectable=True,
            opens=True,
            id=id,
        )


def _place(row: JobRow) -> tuple[int, float, float, float]:
    """Sort as things will happen; of what is over, the newest first."""
    job, state = row.line.job, row.state
    over = -(job.finished_at or 0.0) if state.is_finished else 0.0
    # What is held keeps its place in the queue.
    order = JobState.QUEUED if state is JobState.HELD else state
    return (STATE_ORDER[order], over, -float(job.priority), job.position)


def _state(row: JobRow) -> Cell:
    if row.is_frozen:
        return Cell("* frozen", Role.WARN)
    return Cell(f"{STATE_GLYPHS[row.state]} {row.state.value}", STATE_ROLES[row.state])


def _progress(row: JobRow) -> Cell:
    job, state = row.line.job, row.state
    if not job.epoch and not state.is_live:
        return Cell("", Role.DIM)
    share = job.epoch / max(job.max_epochs, 1)
    if state.is_live:
        return Cell(f"{meter(share, METER_WIDTH)} {job.epoch}/{job.max_epochs}", Role.LIVE)
    return Cell(f"{'':{METER_WIDTH}} {job.epoch}/{job.max_epochs}", Role.DIM)


def expected(row: JobRow) -> str:
    """Return when a job will start or end, or when it ended."""
    line, now = row.line, row.now
    if row.state.is_live:
        return "" if line.ends_at is None else f"{duration(line.ends_at - now)} left"
    if row.state.is_finished:
        return "" if line.job.finished_at is None else moment(line.job.finished_at, now)
    if line.starts_at is not None:
        wait = line.starts_at - now
        return "next" if wait < SOON_SECONDS else f"in {duration(wait)}"
    if line.job.not_before is not None and line.job.not_before > now:
        return f"in {duration(line.job.not_before - now)}"
    return ""


def _expected(row: JobRow) -> Cell:
    return Cell(expected(row), Role.DIM if row.state.is_finished else Role.PLAIN)


def _when(row: JobRow) -> float | None:
    line = row.line
    if row.state.is_live:
        return line.ends_at
    return line.job.finished_at if row.state.is_finished else line.starts_at


def seconds_taken(row: JobRow) -> float | None:
    """Return for how long a job has run, all attempts together; None for one that never did."""
    job = row.line.job
    if row.state.is_live:
        begun = job.attempt_started_at or job.started_at or row.now
        return job.running_seconds + max(row.now - begun, 0.0)
    if job.running_seconds > 0:
        return job.running_seconds
    if job.started_at is None:
        return None
    return (job.finished_at or row.now) - job.started_at


def _took(row: JobRow) -> Cell:
    seconds = seconds_taken(row)
    return Cell("" if seconds is None else duration(seconds))


def remark(row: JobRow) -> str:
    """Return why a job is where it is: its error, what it waits for, or where it runs."""
    job = row.line.job
    if job.state == "stopping" and job.aim:
        return f"will be {job.aim}"
    if row.state.is_live:
        return " ".join(job.reason.split()) or (f"on {row.device}" if row.device else "")
    if row.state in (JobState.FAILED, JobState.LOST):
        return " ".join((job.error or job.reason).split())
    if row.state in RESTING:
        return RESTING[row.state]
    return row.line.why or " ".join(job.reason.split())


def _remark(row: JobRow) -> Cell:
    if row.state in (JobState.FAILED, JobState.LOST):
        return Cell(remark(row), Role.BAD)
    warns = row.state.is_live and (row.line.job.reason or row.line.job.aim)
    return Cell(remark(row), Role.WARN if warns else Role.DIM)


def _tries(row: JobRow) -> Cell:
    job = row.line.job
    role = Role.WARN if job.attempt > 1 else Role.DIM
    return Cell(f"{job.attempt}/{job.max_attempts}" if job.attempt else "", role)


def _needs(row: JobRow) -> Cell:
    job = row.line.job
    return Cell("cpu" if not job.gpus else f"{job.gpus:g} gpu", Role.DIM)


JOB_COLUMNS: tuple[Column[JobRow], ...] = (
    Column(
        key="id",
        title="job",
        width=4,
        cell=lambda r: Cell(str(r.line.job.id), Role.DIM),
        sort=lambda r: r.line.job.id,
        is_right=True,
    ),
    Column(key="state", title="state", width=11, cell=_state, sort=_place),
    Column(
        key="name",
        title="name",
        width=20,
        cell=lambda r: Cell(r.line.job.name),
        sort=lambda r: r.line.job.name,
        cuts_middle=True,
        grows=True,
    ),
    Column(
        key="group",
        title="group",
        width=10,
        cell=lambda r: Cell(r.line.job.group_name or "", Role.DIM),
        sort=lambda r: r.line.job.group_name or None,
        cuts_middle=True,
        rank=8,
    ),
    Column(
        key="data",
        title="data",
        width=10,
        cell=lambda r: Cell(r.line.job.data_name, Role.DIM),
        sort=lambda r: r.line.job.data_name,
        rank=7,
    ),
    Column(
        key="progress",
        title="progress",
        width=METER_WIDTH + 6,
        cell=_progress,
        sort=lambda r: r.line.job.epoch,
    ),
    Column(key="when", title="when", width=10, cell=_expected, sort=_when, is_right=True, rank=1),
    Column(key="took", title="ran", width=5, cell=_took, sort=seconds_taken, is_right=True, rank=2),
    Column(
        key="priority",
        title="prio",
        width=4,
        cell=lambda r: Cell(str(r.line.job.priority) if r.line.job.priority else MISSING, Role.DIM),
        sort=lambda r: -r.line.job.priority,
        is_right=True,
        rank=5,
    ),
    Column(key="needs", title="on", width=5, cell=_needs, sort=lambda r: r.line.job.gpus, rank=6),
    Column(key="tries", title="try", width=3, cell=_tries, is_right=True, rank=4),
    Column(key="remark", title="remark", width=12, cell=_remark, grows=True, rank=3),
)
