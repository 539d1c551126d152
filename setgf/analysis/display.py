"""How values are written for people: accuracies and F1 in percent, MAE and correlation as is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, cast

UNDEFINED_TEXT = "undefined"
_AS_IS = frozenset({"mae", "corr", "loss", "slope", "intercept"})


def is_percent(name: str) -> bool:
    """Return whether the metric is shown times 100."""
    return name.rpartition(".")[2] not in _AS_IS


def show_value(name: str, value: float | None, *, digits: int | None = None) -> str:
    """Return a metric's value for people; `undefined` where it is NaN, `-` where there is none."""
    if value is None:
        return "-"
    if math.isnan(value):
        return UNDEFINED_TEXT
    if is_percent(name):
        return f"{100 * value:.{2 if digits is None else digits}f}"
    return f"{value:.{3 if digits is None else digits}f}"


def show_mean(name: str, mean: float, deviation: float | None) -> str:
    """Return `mean +- deviation` for people; the mean alone where one value has none."""
    if math.isnan(mean) or deviation is None or math.isnan(deviation):
        return show_value(name, mean)
    return f"{show_value(name, mean)} ± {show_value(name, deviation)}"


def show_setting(value: Any) -> str:
    """Return a setting's value as it is typed: `0.0005`, `text,audio`, `true`."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return ",".join(map(str, cast(Sequence[Any], value)))
    return f"{value:g}" if isinstance(value, float) else str(value)
