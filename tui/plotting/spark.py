"""Bars made of block cells: sparklines and horizontal bars."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

LEVELS = "▁▂▃▄▅▆▇█"
EIGHTHS = " ▏▎▍▌▋▊▉█"


def sparkline(values: Sequence[float], width: int) -> str:
    """Return a line of at most `width` block characters; the newest values are kept exactly.

    Longer series are averaged over equal stretches. A stretch without a finite value is a space.
    """
    if width < 1 or not values:
        return ""
    means = [_mean(part) for part in _stretches(values, width)]
    finite = [value for value in means if value is not None]
    if not finite:
        return ""
    low, high = min(finite), max(finite)
    span = (high - low) or 1.0
    flat = not high > low
    return "".join(
        " "
        if value is None
        else LEVELS[3]
        if flat
        else LEVELS[round((value - low) / span * (len(LEVELS) - 1))]
        for value in means
    )


def _stretches(values: Sequence[float], width: int) -> list[Sequence[float]]:
    parts = min(len(values), width)
    edges = [round(n * len(values) / parts) for n in range(parts + 1)]
    return [values[a:b] for a, b in pairwise(edges)]


def _mean(values: Sequence[float]) -> float | None:
    finite = [value for value in values if math.isfinite(value)]
    return sum(finite) / len(finite) if finite else None


def bar(share: float, width: int) -> str:
    """Return a bar of exactly `width` characters filled to `share` (0 to 1) in eighths."""
    if not math.isfinite(share):
        return " " * width
    eighths = round(min(max(share, 0.0), 1.0) * width * 8)
    full, rest = divmod(eighths, 8)
    return (("█" * full) + (EIGHTHS[rest] if rest else "")).ljust(width)[:width]


def meter(share: float, width: int) -> str:
    """Return a progress line of exactly `width` characters: heavy where done, light where not."""
    if not math.isfinite(share):
        share = 0.0
    done = round(min(max(share, 0.0), 1.0) * width)
    return "━" * done + "─" * (width - done)
