"""Names of the metrics and which way each is better."""

from __future__ import annotations

from typing import Literal

from setgf.terms import Dataset

Direction = Literal["min", "max"]

_NAMES_ZERO_IS_POSITIVE = (
    "acc2_has0",
    "acc2_non0",
    "f1_has0",
    "f1_non0",
    "acc3",
    "acc5",
    "acc7",
    "mae",
    "corr",
)
_NAMES_ZERO_IS_NEGATIVE = ("acc2", "acc3", "acc5", "f1", "mae", "corr")
_LOWER_IS_BETTER = frozenset({"mae", "loss"})


def metric_names(dataset: Dataset) -> tuple[str, ...]:
    """Return the names of the protocol's metrics, in the order they are shown."""
    return _NAMES_ZERO_IS_NEGATIVE if is_sims(dataset) else _NAMES_ZERO_IS_POSITIVE


def direction(name: str) -> Direction:
    """Return which way a metric is better; `valid.text.mae` counts as `mae`."""
    return "min" if name.rpartition(".")[2] in _LOWER_IS_BETTER else "max"


def is_sims(dataset: Dataset) -> bool:
    """Return whether the data set is scored by the SIMS protocol."""
    return dataset in (Dataset.SIMS, Dataset.SIMSV2)
