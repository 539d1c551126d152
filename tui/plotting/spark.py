"""Small pictures in one row of cells: sparklines, bars, meters."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from tui.plotting import raster, scale


def sparkline(values: Sequence[float], width: int) -> str:
    """Return a small curve of at most `width` braille characters; every extreme is kept.

    Values that are not finite leave gaps; short series get one dot column a value.
    """
    y = np.asarray(values, dtype=np.float64)
    finite = y[np.isfinite(y)]
    if width < 1 or not len(finite):
        return ""
    cells = min(width, -(-len(y) // 2))
    span = scale.padded_range(float(finite.min()), float(finite.max()), 0.0)
    window = (0.0, max(float(len(y) - 1), 1.0))
    x = np.arange(len(y), dtype=np.float64)
    low, high = raster.column_ranges(x, y, window, cells * 2)
    bits = raster.fill_dots(low, high, span, 4)
    return "".join(raster.glyphs(bits)[0].tolist())


def bar(share: float, width: int, spread: float = 0.0) -> str:
    """Return a bar of exactly `width` characters filled to `share` (0 to 1) in half cells.

    `spread` (a share too) is drawn as a light line beyond the end.
    """
    if not math.isfinite(share):
        return " " * width
    share = min(max(share, 0.0), 1.0)
    halves = round(share * width * 2)
    text = "━" * (halves // 2) + ("╸" if halves % 2 else "")
    reach = round(min(share + spread, 1.0) * width) if math.isfinite(spread) else 0
    return (text + "─" * (reach - len(text))).ljust(width)[:width]


def meter(share: float, width: int) -> str:
    """Return a progress line of exactly `width` characters: heavy where done, light where not."""
    if not math.isfinite(share):
        share = 0.0
    done = round(min(max(share, 0.0), 1.0) * width)
    return "━" * done + "─" * (width - done)
