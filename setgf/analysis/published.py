"""Published results to show beside ours, with how each number was selected and where it stands."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from setgf.metrics.names import metric_names
from setgf.terms import Dataset

TEST_SIZES: Mapping[Dataset, int] = {
    Dataset.MOSI: 686,
    Dataset.MOSEI: 4659,
    Dataset.SIMS: 457,
    Dataset.SIMSV2: 1034,
}
"""Test samples of the official splits, which published results are of (MMSA's feature files)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedRow:
    """One published result."""

    dataset: Dataset
    model: str
    metrics: Mapping[str, float]
    """As published, accuracies and F1 as shares; what was not published is missing."""
    selection: str
    """How the number was chosen: seeds, and the split that picked the epoch."""
    source: str
    league: str
    """`bert-base`, or encoders that are not comparable with it."""
    setting: str | None
    """`aligned` or `unaligned` features; None where not stated."""
    note: str | None


def published(dataset: Dataset) -> tuple[PublishedRow, ...]:
    """Return the published results on a data set, lowest MAE first within a league."""
    rows = (_read_row(plain) for plain in _load() if plain["dataset"] == dataset)
    return tuple(sorted(rows, key=_order))


def is_comparable(dataset: Dataset, test_size: int) -> bool:
    """Return True for a store whose test split is as large as the one of published results."""
    return test_size == TEST_SIZES[dataset]


@cache
def _load() -> list[dict[str, Any]]:
    file = resources.files("setgf.analysis") / "published_results.json"
    return json.loads(file.read_text(encoding="utf-8"))


def _read_row(plain: Mapping[str, Any]) -> PublishedRow:
    dataset = Dataset(plain["dataset"])
    return PublishedRow(
        dataset=dataset,
        model=plain["model"],
        metrics={name: plain[name] for name in metric_names(dataset) if name in plain},
        selection=plain["selection"],
        source=plain["source"],
        league=plain["league"],
        setting=plain.get("setting"),
        note=plain.get("note"),
    )


def _order(row: PublishedRow) -> tuple[bool, float, str]:
    return (row.league != "bert-base", row.metrics.get("mae", float("inf")), row.model)
