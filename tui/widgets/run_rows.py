"""Rows of the table of runs: a run with what the table adds to it, and groups of runs."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeGuard

from db.records import Run

if TYPE_CHECKING:
    from tui.compare_records import Score

NO_VALUE = "(none)"
GROUP_PREFIX = "group:"
NO_VALUES: Mapping[str, Any] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRow:
    """A run with what the table adds to it."""

    run: Run
    spark: tuple[float, ...] = ()
    now: float = 0.0
    """When it is shown; of a run that does not live the beginning of that day, so that the row
    stays equal as long as nothing of it changes."""
    values: Mapping[str, Any] = field(default_factory=lambda: NO_VALUES)
    """Settings and metrics that the run's record does not hold, by name."""
    baseline: RunRow | None = None
    """The run that others are compared with."""

    @property
    def key(self) -> str:
        """What selections and the cursor know it by."""
        return self.run.id


@dataclass(frozen=True, slots=True, kw_only=True)
class RunGroup:
    """Runs with one value of a setting or a column."""

    label: str
    runs: tuple[RunRow, ...]
    is_folded: bool = False
    scores: dict[str, Score | None] = field(
        default_factory=dict[str, "Score | None"], compare=False
    )
    """Means by column, once asked for."""

    @property
    def key(self) -> str:
        """What the cursor knows it by."""
        return f"{GROUP_PREFIX}{self.label}"

    def score(self, column: str, value: Callable[[RunRow], Any]) -> Score | None:
        """Return mean and sample standard deviation of the runs that have a finite value."""
        if column not in self.scores:
            self.scores[column] = score_of([value(row) for row in self.runs])
        return self.scores[column]


RunLine = RunRow | RunGroup


def score_of(values: Sequence[Any]) -> Score | None:
    """Return mean and sample standard deviation of the finite numbers; None without any."""
    numbers = [float(v) for v in values if is_number(v) and math.isfinite(v)]
    if not numbers:
        return None
    from tui.compare_records import Score

    mean = math.fsum(numbers) / len(numbers)
    if len(numbers) < 2:
        return Score(mean=mean, sd=None)
    spread = sum((value - mean) ** 2 for value in numbers) / (len(numbers) - 1)
    return Score(mean=mean, sd=math.sqrt(spread))


def is_number(value: Any) -> TypeGuard[float]:
    """Return True for a number; true and false are none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def group_rows(
    rows: Sequence[RunRow], value: Callable[[RunRow], Any], folded: frozenset[str]
) -> tuple[RunGroup, ...]:
    """Return the rows in groups of one value, the groups in the order of their values."""
    found: dict[str, list[RunRow]] = {}
    order: dict[str, tuple[int, float, str]] = {}
    for row in rows:
        one = value(row)
        label = label_of(one)
        found.setdefault(label, []).append(row)
        if label not in order:
            rank = 2 if one is None else 0 if is_number(one) else 1
            order[label] = (rank, float(one) if is_number(one) else 0.0, label)
    return tuple(
        RunGroup(label=label, runs=tuple(found[label]), is_folded=label in folded)
        for label in sorted(found, key=order.__getitem__)
    )


def label_of(value: Any) -> str:
    """Return the name of a group of runs."""
    if value is None or value == "" or value == ():
        return NO_VALUE
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:g}"
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]


def find_value(row: RunRow, name: str) -> Any:
    """Return a final metric, a setting, or what was read for the name; None without."""
    if name in row.run.metrics:
        return row.run.metrics[name]
    found: Any = row.run.config
    for part in name.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]
    if found is None or isinstance(found, Mapping):
        return row.values.get(name)
    return tuple(found) if isinstance(found, list) else found  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
