"""Frozen values the screens show that are no records of the run database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from db.records import Event, Job, Points, Prediction, Run, RunDetail, Worker


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What the header says of the whole queue."""

    waiting: int = 0
    """Jobs queued, with or without a time or a dependency to wait for."""
    running: int = 0
    """Jobs a worker holds."""
    failed: int = 0
    """Jobs failed or lost."""
    workers: int = 0
    """Workers alive."""
    runs: int = 0
    """Runs stored, archived ones not counted."""

    @property
    def is_idle(self) -> bool:
        """True when nothing waits and nothing runs."""
        return not self.waiting and not self.running


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """Everything a screen shows at an instant."""

    counts: Counts
    body: object
    """The screen's own frozen value."""
    read_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RunsBody:
    """The Runs screen."""

    runs: tuple[Run, ...] = ()
    series: tuple[str, ...] = ()
    """Names one can draw."""
    points: tuple[Points, ...] = ()
    """Drawn runs, in the order asked for."""
    sparks: Mapping[str, tuple[float, ...]] = field(default_factory=dict[str, tuple[float, ...]])
    """Short form of the monitored metric by run id, for the rows in view."""
    filter_problem: str = ""
    """Why the filter could not be read; empty when it could."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueBody:
    """The Queue screen."""

    jobs: tuple[Job, ...] = ()
    workers: tuple[Worker, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LogText:
    """The end of a log."""

    path: str
    """Empty when there is no log yet."""
    lines: tuple[str, ...]
    is_cut: bool = False
    """True when earlier lines are left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunBody:
    """The Run screen; only the part of the open tab is read."""

    detail: RunDetail | None = None
    points: tuple[Points, ...] = ()
    log: LogText | None = None
    events: tuple[Event, ...] = ()
    predictions: tuple[Prediction, ...] = ()
    transcripts: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """A metric over seeds."""

    mean: float
    sd: float | None
    """Sample standard deviation; None for fewer than two seeds and where it was not published."""


class RowKind(StrEnum):
    """Where a line of the comparison comes from."""

    RUNS = "runs"
    FLOOR = "floor"
    PUBLISHED = "published"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRow:
    """A line of the comparison: one variant over its seeds, a floor, or a published result."""

    key: str
    kind: RowKind
    label: str
    scores: Mapping[str, Score]
    """By metric name; what is unknown is missing."""
    num_seeds: int = 0
    """Seeds that count."""
    num_failed: int = 0
    num_unfinished: int = 0
    remark: str = ""
    """Of a published row how its epoch was chosen, and its source."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CompareBody:
    """The Compare screen."""

    choices: tuple[str, ...] = ()
    """Feature stores with runs."""
    choice: str = ""
    """The one shown."""
    dataset: str = ""
    metrics: tuple[str, ...] = ()
    """Names of the columns, in their order."""
    lower_is_better: frozenset[str] = frozenset()
    rows: tuple[ModelRow, ...] = ()
    """Ours, floors, then published ones; the best of each first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreFacts:
    """What is in a feature store."""

    name: str
    dataset: str
    num_samples: int
    lines: tuple[str, ...]
    """The report, ready to be read."""
    problem: str = ""
    """Why the store can't be read; empty when it can."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DataBody:
    """The Data screen."""

    stores: tuple[StoreFacts, ...] = ()
