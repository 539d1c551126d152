"""Names of the metrics and which way each is better."""

from __future__ import annotations

from typing import Literal

from setgf.terms import is_sims, metric_names

Direction = Literal["min", "max"]

_LOWER_IS_BETTER = frozenset({"mae", "loss"})


def direction(name: str) -> Direction:
    """Return which way a metric is better; `valid.text.mae` counts as `mae`."""
    return "min" if name.rpartition(".")[2] in _LOWER_IS_BETTER else "max"


__all__ = ["Direction", "direction", "is_sims", "metric_names"]
