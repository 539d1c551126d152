"""Frozen values the screens show that are no records of the run database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

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
    total: int = 0
    """Runs there are without the filter."""
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
    total: int = 0


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
    num_values: int | None
    """None where the publication does not say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRow:
    """A line of the comparison: one variant over its seeds, or a published result."""

    key: str
    label: str
    data_name: str
    num_seeds: int | None
    num_failed: int
    scores: Mapping[str, Score]
    is_published: bool = False
    selection: str = ""
    """How the published epoch was chosen."""
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CompareBody:
    """The Compare screen."""

    choices: tuple[str, ...] = ()
    """Feature stores with runs."""
    choice: str = ""
    """The one shown."""
    dataset: str = ""
    rows: tuple[ModelRow, ...] = ()
    published: tuple[ModelRow, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreFacts:
    """What is in a feature store."""

    name: str
    dataset: str
    path: str
    sizes: Mapping[str, int]
    facts: tuple[tuple[str, str], ...]
    """Name and value, in the order to be shown."""
    lengths: tuple[tuple[str, int, int, int], ...]
    """Modality and its shortest, median and longest sample, in steps."""
    histogram: tuple[tuple[str, int], ...]
    """Label range and number of training samples."""
    report: tuple[str, ...]
    """What was found and mended at import; sentences."""
    problem: str = ""
    """Why the store can't be read; empty when it can."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DataBody:
    """The Data screen."""

    stores: tuple[StoreFacts, ...] = ()
