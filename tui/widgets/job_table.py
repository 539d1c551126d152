"""The table of jobs."""

from __future__ import annotations

from dataclasses import dataclass

from db.records import Job, JobState
from tui.formatting import (
    MISSING,
    STATE_GLYPHS,
    STATE_ORDER,
    STATE_ROLES,
    Role,
    duration,
)
from tui.plotting.spark import meter
from tui.widgets.columns import Cell, Column
from tui.widgets.table import Table

METER_WIDTH = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRow:
    """A job with what the table adds to it."""

    job: Job
    device: str = ""
    """Devices its attempt holds."""
    now: float = 0.0


class JobTable(Table[JobRow]):
    """Jobs: what runs first, then what waits in its order, then what is over."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - the toolkit's word
        super().__init__(
            JOB_COLUMNS,
            lambda row: str(row.job.id),
            sorting=("state", False),
            selectable=True,
            opens=True,
            id=id,
        )


def seconds_left(row: JobRow) -> float | None:
    """Return how long a running job needs for its remaining epochs at its pace so far."""
    job = row.job
    if job.state is not JobState.RUNNING or not job.epoch or job.started_at is None:
        return None
    return (row.now - job.started_at) / job.epoch * (job.max_epochs - job.epoch)


def _place(row: JobRow) -> tuple[int, float, float, float]:
    """Sort as things will happen; of what is over, the newest first."""
    job = row.job
    over = -(job.finished_at or 0.0) if job.state.is_finished else 0.0
    return (STATE_ORDER[job.state], over, -float(job.priority), job.position)


def _state(row: JobRow) -> Cell:
    state = row.job.state
    return Cell(f"{STATE_GLYPHS[state]} {state.value}", STATE_ROLES[state])


def _progress(row: JobRow) -> Cell:
    job = row.job
    if not job.epoch and not job.state.is_live:
        return Cell("", Role.DIM)
    share = job.epoch / max(job.max_epochs, 1)
    if job.state.is_live:
        return Cell(f"{meter(share, METER_WIDTH)} {job.epoch}/{job.max_epochs}", Role.LIVE)
    return Cell(f"{'':{METER_WIDTH}} {job.epoch}/{job.max_epochs}", Role.DIM)


def _left(row: JobRow) -> Cell:
    seconds = seconds_left(row)
    return Cell("" if seconds is None else duration(seconds), Role.PLAIN)


def seconds_taken(row: JobRow) -> float | None:
    """Return for how long the newest attempt has run, or ran."""
    job = row.job
    if job.started_at is None:
        return None
    return (job.finished_at or row.now) - job.started_at


def _remark(row: JobRow) -> Cell:
    job = row.job
    if job.error and not job.state.is_live:
        return Cell(" ".join(job.error.split()), Role.BAD)
    if job.reason:
        return Cell(job.reason, Role.WARN if job.state.is_live else Role.DIM)
    return Cell(f"on {row.device}" if row.device else "", Role.DIM)


def _tries(row: JobRow) -> Cell:
    role = Role.WARN if row.job.attempt > 1 else Role.DIM
    return Cell(f"{row.job.attempt}/{row.job.max_attempts}" if row.job.attempt else "", role)


JOB_COLUMNS: tuple[Column[JobRow], ...] = (
    Column(
        key="id",
        title="job",
        width=4,
        cell=lambda r: Cell(str(r.job.id), Role.DIM),
        sort=lambda r: r.job.id,
        is_right=True,
    ),
    Column(key="state", title="state", width=11, cell=_state, sort=_place),
    Column(
        key="name",
        title="name",
        width=20,
        cell=lambda r: Cell(r.job.name),
        sort=lambda r: r.job.name,
        cuts_middle=True,
        grows=True,
    ),
    Column(
        key="data",
        title="data",
        width=10,
        cell=lambda r: Cell(r.job.data_name, Role.DIM),
        sort=lambda r: r.job.data_name,
        rank=5,
    ),
    Column(
        key="progress",
        title="progress",
        width=METER_WIDTH + 8,
        cell=_progress,
        sort=lambda r: r.job.epoch,
    ),
    Column(
        key="left",
        title="left",
        width=5,
        cell=_left,
        sort=seconds_left,
        is_right=True,
        rank=1,
    ),
    Column(
        key="took",
        title="took",
        width=5,
        cell=lambda r: Cell("" if r.job.started_at is None else duration(seconds_taken(r))),
        sort=seconds_taken,
        is_right=True,
        rank=2,
    ),
    Column(
        key="priority",
        title="prio",
        width=4,
        cell=lambda r: Cell(str(r.job.priority) if r.job.priority else MISSING, Role.DIM),
        sort=lambda r: -r.job.priority,
        is_right=True,
        rank=6,
    ),
    Column(key="tries", title="try", width=3, cell=_tries, is_right=True, rank=4),
    Column(key="remark", title="remark", width=12, cell=_remark, grows=True, rank=3),
)
