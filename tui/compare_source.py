"""The comparison from `setgf.analysis`, as the Compare screen shows it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from db.records import Run
from setgf.errors import DataError
from setgf.home import Home
from setgf.terms import Dataset, Split, Task
from tui.compare_records import (
    ALL,
    CompareBody,
    CompareSection,
    ModelRow,
    RowKind,
    Score,
    Significance,
)

if TYPE_CHECKING:
    from setgf.analysis.leaderboard import Row
    from setgf.analysis.statistics import MetricSummary
    from setgf.data.store import FeatureStore

_TAIL = {Task.REGRESSION: "", Task.CLASSIFICATION: " classes"}
HIDDEN_METRIC = "acc3"
"""On MOSI and MOSEI computed by the protocol, but reported by nobody."""


def compare_runs(home: Home, runs: Sequence[Run], choice: str, baseline: str) -> CompareBody:
    """Return the comparison on a feature store, or on all of them.

    Args:
        home: where the stores are.
        runs: all runs, archived ones left out.
        choice: name of a store, or `ALL`; an unknown one shows the newest run's.
        baseline: key of the row whose MAE the others are tested against, or its variant; on
            another store the row of the same model takes its place.
    """
    from setgf.metrics.names import direction

    names = tuple(sorted({run.data_name for run in runs}))
    if not names:
        return CompareBody()
    if choice not in (*names, ALL):
        choice = max(runs, key=lambda run: run.created_at).data_name
    model = _model_of(runs, baseline)
    sections = tuple(
        section
        for name in (names if choice == ALL else (choice,))
        for section in _sections(home, [r for r in runs if r.data_name == name], baseline, model)
    )
    metrics = {name for section in sections for name in section.metrics}
    return CompareBody(
        choices=(*names, ALL) if len(names) > 1 else names,
        choice=choice,
        sections=sections,
        lower_is_better=frozenset(name for name in metrics if direction(name) == "min"),
    )


def _model_of(runs: Sequence[Run], key: str) -> str:
    """Return the model of a row by the row's key; empty when there is none."""
    variant = key.partition(" ")[0]
    return next((run.model for run in runs if variant and run.variant == variant), "")


def _sections(
    home: Home, runs: Sequence[Run], baseline: str, model: str
) -> Iterator[CompareSection]:
    """Yield one section a task: scores and classes have other metrics."""
    from setgf.analysis.leaderboard import task_of

    for task in Task:
        members = [run for run in runs if task_of(run) is task]
        if members:
            yield _section(home, members, task, baseline, model)


def _section(
    home: Home, runs: Sequence[Run], task: Task, baseline: str, model: str
) -> CompareSection:
    from setgf.analysis.leaderboard import leaderboard
    from setgf.metrics.names import metric_names

    dataset, data_name = Dataset(runs[0].dataset), runs[0].data_name
    has_classes = task is Task.CLASSIFICATION
    names = metric_names(dataset, task)
    if "acc7" in names:
        names = tuple(name for name in names if name != HIDDEN_METRIC)
    store = _open(home, data_name)
    is_comparable, note = (True, "") if has_classes else _published_note(dataset, store)
    ours = _our_rows(leaderboard(runs, dataset=dataset, task=task), baseline, model)
    return CompareSection(
        data_name=f"{data_name}, 3 classes" if has_classes else data_name,
        dataset=dataset.value,
        metrics=names,
        rows=(*ours, *_floors(store, task), *(() if has_classes else _published(dataset))),
        is_comparable=is_comparable,
        note=note,
    )


def _open(home: Home, data_name: str) -> FeatureStore | None:
    """Return a store; None where it is not on this machine."""
    from setgf.data.store import open_store

    try:
        return open_store(home, data_name)
    except DataError:
        return None


def _published_note(dataset: Dataset, store: FeatureStore | None) -> tuple[bool, str]:
    """Return whether published results may stand beside ours, and why not."""
    from setgf.analysis.published import TEST_SIZES, is_comparable

    if store is None or is_comparable(dataset, store.manifest.sizes[Split.TEST]):
        return True, ""
    size = store.manifest.sizes[Split.TEST]
    return False, (
        f"published rows are of {TEST_SIZES[dataset]:,} test samples, not {size:,}: p shows them"
    )


def _our_rows(rows: Sequence[Row], baseline: str, model: str) -> Iterator[ModelRow]:
    from setgf.analysis.leaderboard import primary_metric
    from setgf.analysis.statistics import difference

    against = next((row for row in rows if baseline in (_key(row), row.variant)), None)
    if against is None and model:
        against = next((row for row in rows if row.model == model and row.n), None)
    for row in rows:
        told = None
        if against is not None and row is not against:
            name = primary_metric(row.task)
            told = difference(row.values[name], against.values[name])
        yield ModelRow(
            key=_key(row),
            kind=RowKind.RUNS,
            label=row.label,
            model=row.model,
            num_seeds=row.n,
            num_failed=row.failed,
            num_unfinished=row.unfinished,
            scores={
                name: score
                for name, summary in row.metrics.items()
                if (score := _score(summary)) is not None
            },
            against=None
            if told is None
            else Significance(mean=told.mean, low=told.low, high=told.high, p=told.p),
            is_baseline=row is against,
        )


def _key(row: Row) -> str:
    return f"{row.variant} {row.data_name} {row.data_fingerprint}"


def _score(summary: MetricSummary) -> Score | None:
    if summary.mean is None:
        return None
    return Score(mean=summary.mean, sd=summary.sd, low=summary.low, high=summary.high, n=summary.n)


def _floors(store: FeatureStore | None, task: Task) -> list[ModelRow]:
    """Return the floors of a store; none where it is not on this machine."""
    from setgf.analysis.floors import floors

    try:
        rows = () if store is None else floors(store, task)
    except DataError:
        return []
    return [
        ModelRow(
            key=f"floor {row.name} {row.data_name}{_TAIL[task]}",
            kind=RowKind.FLOOR,
            label=row.name,
            scores=_scores(row.metrics),
        )
        for row in rows
    ]


def _published(dataset: Dataset) -> list[ModelRow]:
    from setgf.analysis.published import published

    rows: list[ModelRow] = []
    for place, row in enumerate(published(dataset)):
        said = (row.setting, row.selection, row.source, row.note)
        rows.append(
            ModelRow(
                key=f"published {dataset} {place}",
                kind=RowKind.PUBLISHED,
                label=row.model,
                scores=_scores(row.metrics),
                remark="; ".join(text for text in said if text),
            )
        )
    return rows


def _scores(values: Mapping[str, float]) -> dict[str, Score]:
    return {n: Score(mean=v, sd=None) for n, v in values.items() if not math.isnan(v)}
