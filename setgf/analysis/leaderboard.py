"""The comparison table: runs of one experiment that differ only in their seed are one row.

Test metrics are those each run stored once, at the epoch its validation metric picked.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from db.records import JobState, Run
from setgf.analysis.display import show_setting
from setgf.analysis.statistics import MetricSummary, summarise
from setgf.config.settings import flatten_plain, short_name
from setgf.metrics.names import direction, metric_names
from setgf.terms import Dataset, Task

_PRIMARY = {Task.REGRESSION: "mae", Task.CLASSIFICATION: "acc3"}
_FAILED = (JobState.FAILED, JobState.LOST)
_OVER = (*_FAILED, JobState.CANCELLED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One experiment over its seeds."""

    variant: str
    """Fingerprint of the config without its seed."""
    model: str
    dataset: Dataset
    task: Task
    data_name: str
    data_fingerprint: str | None
    settings: Mapping[str, Any]
    """Settings that tell it from the other rows of its model and data, by dotted name."""
    seeds: tuple[int, ...]
    """Seeds that finished and count, in order."""
    failed: int
    """Runs that failed or were lost."""
    unfinished: int
    """Runs still queued, running or paused."""
    run_ids: tuple[str, ...]
    """Runs that count, in the order of `seeds`."""
    metrics: Mapping[str, MetricSummary]
    """By metric name, on the test split."""
    values: Mapping[str, tuple[float, ...]]
    """Each metric's value a seed, in the order of `seeds`; NaN where undefined."""

    @property
    def settings_text(self) -> str:
        """`name=value` of what tells the row apart; empty where nothing needs to."""
        return " ".join(
            f"{short_name(name)}={show_setting(value)}" for name, value in self.settings.items()
        )

    @property
    def label(self) -> str:
        """Model, and what tells the row apart."""
        return f"{self.model} {self.settings_text}".rstrip()

    @property
    def n(self) -> int:
        """Number of seeds that count."""
        return len(self.seeds)


def primary_metric(task: Task) -> str:
    """Return the one metric that orders rows and is tested: `mae`, of classes `acc3`.

    Named beforehand, so that none is picked afterwards.
    """
    return _PRIMARY[task]


def task_of(run: Run) -> Task:
    """Return what a run predicts; versions before 0.2.0 had only regression."""
    return Task(run.config.get("train", {}).get("task", Task.REGRESSION))


def leaderboard(
    runs: Iterable[Run], *, dataset: Dataset | None = None, task: Task = Task.REGRESSION
) -> tuple[Row, ...]:
    """Group runs of one task into rows, the best mean of the primary metric on test first.

    Rows without a result come last. Runs of another task are left out: their metrics are others.
    Of several finished runs with one seed the newest counts: repeats are no new evidence. Runs on
    data that was replaced under the same name are a row of their own.
    """
    chosen = [
        run for run in runs if (dataset is None or run.dataset == dataset) and task_of(run) is task
    ]
    groups = _group(chosen)
    settings = _distinguish({key: members[0] for key, members in groups.items()})
    rows = [_make_row(key, members, settings[key]) for key, members in groups.items()]
    return tuple(sorted(rows, key=_order))


def best_rows(
    rows: Sequence[Mapping[str, float | None]], names: Iterable[str]
) -> dict[str, frozenset[int]]:
    """Return which rows hold the best value of every metric, ties included; NaN never wins."""
    best: dict[str, frozenset[int]] = {}
    for name in names:
        values = {
            place: value
            for place, row in enumerate(rows)
            if (value := row.get(name)) is not None and not math.isnan(value)
        }
        choose = min if direction(name) == "min" else max
        top = choose(values.values(), default=None)
        best[name] = frozenset(place for place, value in values.items() if value == top)
    return best


_Key = tuple[str, str, str | None]
"""Variant, data name and data fingerprint."""


def _is_scored(run: Run) -> bool:
    return run.state is JobState.SUCCEEDED and any(name.startswith("test.") for name in run.metrics)


def _group(runs: Sequence[Run]) -> dict[_Key, list[Run]]:
    """Group runs; one that never opened its data joins the newest group of its variant."""
    groups: dict[_Key, list[Run]] = {}
    newest_first = sorted(runs, key=lambda run: (run.created_at, run.id), reverse=True)
    for run in newest_first:
        if run.data_fingerprint is not None:
            groups.setdefault((run.variant, run.data_name, run.data_fingerprint), []).append(run)
    for run in newest_first:
        if run.data_fingerprint is None:
            same = (key for key in groups if key[:2] == (run.variant, run.data_name))
            key = next(same, (run.variant, run.data_name, None))
            groups.setdefault(key, []).append(run)
    return groups


def _make_row(key: _Key, members: Sequence[Run], settings: Mapping[str, Any]) -> Row:
    newest: dict[int, Run] = {}
    for run in members:
        if _is_scored(run) and (
            run.seed not in newest or run.created_at > newest[run.seed].created_at
        ):
            newest[run.seed] = run
    scored = [newest[seed] for seed in sorted(newest)]
    first = members[0]
    dataset, task = Dataset(first.dataset), task_of(first)
    values = {
        name: tuple(run.metrics.get(f"test.{name}", math.nan) for run in scored)
        for name in metric_names(dataset, task)
    }
    return Row(
        variant=first.variant,
        model=first.model,
        dataset=dataset,
        task=task,
        data_name=first.data_name,
        data_fingerprint=key[2],
        settings=settings,
        seeds=tuple(run.seed for run in scored),
        failed=sum(run.state in _FAILED for run in members),
        unfinished=sum(
            run.state is not JobState.SUCCEEDED and run.state not in _OVER for run in members
        ),
        run_ids=tuple(run.id for run in scored),
        metrics={name: summarise(of_seeds) for name, of_seeds in values.items()},
        values=values,
    )


def _order(row: Row) -> tuple[str, float, str, str]:
    name = primary_metric(row.task)
    mean = row.metrics[name].mean
    sign = 1 if direction(name) == "min" else -1
    return (row.dataset, math.inf if mean is None else sign * mean, row.model, row.variant)


def _distinguish(firsts: Mapping[_Key, Run]) -> dict[_Key, dict[str, Any]]:
    """Return, for every row, its settings that differ within its model and data."""
    families: dict[tuple[str, str], dict[_Key, dict[str, Any]]] = {}
    for key, run in firsts.items():
        flat = flatten_plain(run.config)
        flat.pop("seed", None)
        if run.data_fingerprint is not None:
            flat["data.fingerprint"] = run.data_fingerprint[:8]
        families.setdefault((run.model, run.data_name), {})[key] = flat
    told: dict[_Key, dict[str, Any]] = {}
    for family in families.values():
        names = sorted({name for flat in family.values() for name in flat})
        differing = [
            name for name in names if len({repr(flat.get(name)) for flat in family.values()}) > 1
        ]
        for key, flat in family.items():
            told[key] = {name: flat.get(name) for name in differing}
    return told
