"""The comparison from `setgf.analysis`, as the Compare screen shows it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from db.records import Run
from setgf.errors import DataError
from setgf.home import Home
from setgf.terms import Dataset
from tui.records import CompareBody, ModelRow, RowKind, Score

if TYPE_CHECKING:
    from setgf.analysis.leaderboard import Row

HIDDEN_METRIC = "acc3"
"""On MOSI and MOSEI computed by the protocol, but reported by nobody."""


def compare_runs(home: Home, runs: Sequence[Run], choice: str) -> CompareBody:
    """Return the comparison on a feature store; an unknown choice shows the newest run's."""
    from setgf.analysis.leaderboard import leaderboard
    from setgf.metrics.names import direction, metric_names

    choices = tuple(sorted({run.data_name for run in runs}))
    if not choices:
        return CompareBody()
    if choice not in choices:
        choice = max(runs, key=lambda run: run.created_at).data_name
    chosen = [run for run in runs if run.data_name == choice]
    dataset = Dataset(chosen[0].dataset)
    names = metric_names(dataset)
    if "acc7" in names:
        names = tuple(name for name in names if name != HIDDEN_METRIC)
    ours = tuple(_from_row(row) for row in leaderboard(chosen, dataset=dataset))
    return CompareBody(
        choices=choices,
        choice=choice,
        dataset=dataset.value,
        metrics=names,
        lower_is_better=frozenset(name for name in names if direction(name) == "min"),
        rows=(*ours, *_floors(home, choice), *_published(dataset)),
    )


def _from_row(row: Row) -> ModelRow:
    return ModelRow(
        key=f"{row.variant} {row.data_fingerprint}",
        kind=RowKind.RUNS,
        label=row.label,
        num_seeds=row.n,
        num_failed=row.failed,
        num_unfinished=row.unfinished,
        scores={
            name: Score(mean=summary.mean, sd=summary.sd)
            for name, summary in row.metrics.items()
            if summary.mean is not None
        },
    )


def _floors(home: Home, data_name: str) -> list[ModelRow]:
    """Return the floors of a store; none where it is not on this machine."""
    from setgf.analysis.floors import floors
    from setgf.data.store import open_store

    try:
        rows = floors(open_store(home, data_name))
    except DataError:
        return []
    return [
        ModelRow(
            key=f"floor {row.name}",
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
                key=f"published {place}",
                kind=RowKind.PUBLISHED,
                label=row.model,
                scores=_scores(row.metrics),
                remark="; ".join(text for text in said if text),
            )
        )
    return rows


def _scores(values: Mapping[str, float]) -> dict[str, Score]:
    return {n: Score(mean=v, sd=None) for n, v in values.items() if not math.isnan(v)}
