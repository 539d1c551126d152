"""Small pictures in one row of cells: sparklines, bars, meters."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tui.plotting import scale
from tui.plotting.glyphs import UNICODE, Glyphs

if TYPE_CHECKING:
    from tui.plotting.raster import Floats


def sparkline(values: Sequence[float], width: int, glyphs: Glyphs = UNICODE) -> str:
    """Return a small curve of at most `width` characters; in braille every extreme is kept.

    Values that are not finite leave gaps; short series get one dot column a value.
    """
    if width < 1 or not values:
        return ""
    import numpy as np

    from tui.plotting import raster

    y = np.asarray(values, dtype=np.float64)
    finite = y[np.isfinite(y)]
    if not len(finite):
        return ""
    cells = min(width, -(-len(y) // 2))
    span = scale.padded_range(float(finite.min()), float(finite.max()), 0.0)
    window = (0.0, max(float(len(y) - 1), 1.0))
    x = np.arange(len(y), dtype=np.float64)
    low, high = raster.column_ranges(x, y, window, cells * 2)
    if not glyphs.is_braille:
        return _levels((low + high) / 2, span, glyphs.levels)
    bits = raster.fill_dots(low, high, span, 4)
    return "".join(raster.glyphs(bits)[0].tolist())


def spark_values(values: Floats, most: int) -> tuple[float, ...]:
    """Return at most `most` of the (N,) values of a curve, the extremes among them."""
    import numpy as np

    if len(values) <= most:
        return tuple(values.tolist())
    starts = np.arange(most // 2) * len(values) // (most // 2)
    ends = (np.fmin.reduceat(values, starts), np.fmax.reduceat(values, starts))
    return tuple(np.stack(ends, axis=1).ravel().tolist())


def _levels(middle: Floats, span: tuple[float, float], levels: str) -> str:
    """Return one character for each two columns, by their height."""
    import numpy as np

    last = len(levels) - 1
    heights = np.clip((middle - span[0]) / (span[1] - span[0]) * last + 0.5, 0, last)
    pairs = zip(heights[::2].tolist(), heights[1::2].tolist(), strict=True)
    highest = [max((v for v in pair if v == v), default=None) for pair in pairs]
    return "".join(" " if one is None else levels[int(one)] for one in highest)


def bar(share: float, width: int, spread: float = 0.0, glyphs: Glyphs = UNICODE) -> str:
    """Return a bar of exactly `width` characters filled to `share` (0 to 1) in half cells.

    `spread` (a share too) is drawn as a light line beyond the end.
    """
    if not math.isfinite(share):
        return " " * width
    share = min(max(share, 0.0), 1.0)
    halves = round(share * width * 2)
    full, half, light = glyphs.bar
    text = full * (halves // 2) + (half if halves % 2 else "")
    reach = round(min(share + spread, 1.0) * width) if math.isfinite(spread) else 0
    return (text + light * (reach - len(text))).ljust(width)[:width]


def meter(share: float, width: int, glyphs: Glyphs = UNICODE) -> str:
    """Return a progress line of exactly `width` characters: heavy where done, light where not."""
    if not math.isfinite(share):
        share = 0.0
    done = round(min(max(share, 0.0), 1.0) * width)
    return glyphs.bar[0] * done + glyphs.bar[2] * (width - done)
