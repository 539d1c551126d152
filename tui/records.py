"""Frozen values the screens show that are no records of the run database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from db.records import Curve, Run


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
    curves: tuple[Curve, ...] = ()
    """Drawn runs, in the order asked for."""
    sparks: Mapping[str, tuple[float, ...]] = field(default_factory=dict[str, tuple[float, ...]])
    """Short form of the monitored metric by run id, for the rows in view."""
    values: Mapping[str, Mapping[str, Any]] = field(default_factory=dict[str, Mapping[str, Any]])
    """Settings and metrics of the chosen columns that the records do not hold, by run id."""
    baseline: Run | None = None
    """The pinned run, also where the filter hides it."""
    filter_problem: str = ""
    """Why the filter could not be read; empty when it could."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogText:
    """The end of a log."""

    path: str
    """Empty when there is no log yet."""
    lines: tuple[str, ...]
    is_cut: bool = False
    """True when earlier lines are left out."""


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
