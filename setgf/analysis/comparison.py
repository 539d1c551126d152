"""One data set's comparison: our rows, the floors under them, the published rows beside them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from setgf.analysis.floors import FloorRow
from setgf.analysis.leaderboard import Row, primary_metric
from setgf.analysis.published import PublishedRow
from setgf.analysis.statistics import Difference, difference
from setgf.metrics.names import metric_names
from setgf.terms import Dataset, Task


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Everything that stands in one table."""

    dataset: Dataset
    rows: tuple[Row, ...]
    task: Task = Task.REGRESSION
    """All rows are of it."""
    floors: tuple[FloorRow, ...] = ()
    published: tuple[PublishedRow, ...] = ()
    differences: Mapping[int, Difference] = field(default_factory=dict[int, Difference])
    """Primary metric against the baseline, by place in `rows`."""
    baseline: str | None = None
    """Model the rows are compared with."""

    @property
    def title(self) -> str:
        """Data set, and the task where it is not the usual one."""
        return str(self.dataset) + (", 3 classes" if self.task is Task.CLASSIFICATION else "")

    @property
    def metric_names(self) -> tuple[str, ...]:
        """Metrics the rows have."""
        return metric_names(self.dataset, self.task)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, unrounded; None where a value is undefined or missing."""
        names = self.metric_names
        return {
            "dataset": str(self.dataset),
            "task": str(self.task),
            "rows": [self._row_to_dict(place, row) for place, row in enumerate(self.rows)],
            "floors": [
                {
                    "name": row.name,
                    "data": row.data_name,
                    "metrics": {name: row.metrics.get(name) for name in names},
                }
                for row in self.floors
            ],
            "published": [
                {
                    "model": row.model,
                    "metrics": {name: row.metrics.get(name) for name in names},
                    "selection": row.selection,
                    "source": row.source,
                    "league": row.league,
                    "setting": row.setting,
                    "note": row.note,
                }
                for row in self.published
            ],
        }

    def to_records(self) -> Iterator[dict[str, Any]]:
        """Yield one flat record a row and metric; `kind` is `run`, `floor` or `published`."""
        names = self.metric_names
        for row in self.rows:
            for name in names:
                yield {
                    **self._record("run", row.model, row.data_name, name),
                    "settings": row.settings_text,
                    "variant": row.variant,
                    "failed": row.failed,
                    **asdict(row.metrics[name]),
                }
        for floor in self.floors:
            for name in names:
                mean = floor.metrics.get(name)
                yield {**self._record("floor", floor.name, floor.data_name, name), "mean": mean}
        for other in self.published:
            for name in names:
                yield {
                    **self._record("published", other.model, other.setting, name),
                    "mean": other.metrics.get(name),
                    "selection": other.selection,
                    "source": other.source,
                }

    def _record(self, kind: str, model: str, data: str | None, metric: str) -> dict[str, Any]:
        return {
            **dict.fromkeys(RECORD_COLUMNS),
            "kind": kind,
            "dataset": str(self.dataset),
            "task": str(self.task),
            "model": model,
            "data": data,
            "metric": metric,
        }

    def _row_to_dict(self, place: int, row: Row) -> dict[str, Any]:
        told = self.differences.get(place)
        return {
            "model": row.model,
            "data": row.data_name,
            "variant": row.variant,
            "settings": dict(row.settings),
            "n": row.n,
            "seeds": row.seeds,
            "failed": row.failed,
            "unfinished": row.unfinished,
            "runs": row.run_ids,
            "metrics": {name: asdict(summary) for name, summary in row.metrics.items()},
            "difference": None if told is None else {"to": self.baseline, **asdict(told)},
        }


RECORD_COLUMNS: tuple[str, ...] = (
    "kind",
    "dataset",
    "task",
    "data",
    "model",
    "settings",
    "variant",
    "metric",
    "mean",
    "sd",
    "low",
    "high",
    "n",
    "undefined",
    "failed",
    "selection",
    "source",
)


def differences_to(rows: Sequence[Row], baseline: str) -> dict[int, Difference]:
    """Compare every row's primary metric with the baseline's best row on the same data.

    Returns:
        By place in `rows`; rows that can't be compared (below two seeds a side) are missing.
    """
    found: dict[int, Difference] = {}
    for place, row in enumerate(rows):
        others = (o for o in rows if o.model == baseline and o.data_name == row.data_name and o.n)
        other = next(others, None)
        if other is None or other is row:
            continue
        name = primary_metric(row.task)
        told = difference(row.values[name], other.values[name])
        if told is not None:
            found[place] = told
    return found
