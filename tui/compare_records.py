"""Frozen values of the Compare screen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

ALL = "all data sets"
"""The choice that shows every feature store, one below the other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """A metric over seeds."""

    mean: float
    sd: float | None
    """Sample standard deviation; None for fewer than two seeds and where it was not published."""
    low: float | None = None
    """Lower end of the 95 % interval of the mean; None for fewer than two seeds."""
    high: float | None = None
    n: int = 0
    """Seeds with a defined value."""

    @property
    def half_interval(self) -> float | None:
        """Half the width of the 95 % interval."""
        return None if self.low is None or self.high is None else (self.high - self.low) / 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Significance:
    """How far a row's MAE is from the baseline's: Welch's t over seeds."""

    mean: float
    """Row less baseline."""
    low: float
    """Lower end of the 95 % interval of the difference."""
    high: float
    p: float

    @property
    def is_clear(self) -> bool:
        """True below the 5 % level."""
        return self.p < 0.05


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
    model: str = ""
    num_seeds: int = 0
    """Seeds that count."""
    num_failed: int = 0
    num_unfinished: int = 0
    remark: str = ""
    """Of a published row how its epoch was chosen, and its source."""
    against: Significance | None = None
    """Difference to the baseline; None where it can't be said."""
    is_baseline: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CompareSection:
    """The comparison on one feature store."""

    data_name: str
    dataset: str
    metrics: tuple[str, ...] = ()
    """Names of the columns, in their order."""
    rows: tuple[ModelRow, ...] = ()
    """Ours, floors, then published ones; the best of each first."""
    is_comparable: bool = True
    """False where the test split is not the one published results are of."""
    note: str = ""
    """Why published results are left out."""

    def of_kind(self, kind: RowKind) -> tuple[ModelRow, ...]:
        """Return the rows of a kind."""
        return tuple(row for row in self.rows if row.kind is kind)


@dataclass(frozen=True, slots=True, kw_only=True)
class CompareBody:
    """The Compare screen."""

    choices: tuple[str, ...] = ()
    """Feature stores with runs, and `ALL` where there are several."""
    choice: str = ""
    """The one shown."""
    sections: tuple[CompareSection, ...] = ()
    lower_is_better: frozenset[str] = frozenset()

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names of all columns, in their order."""
        return tuple(dict.fromkeys(name for one in self.sections for name in one.metrics))
