"""From points to braille dots. Cost depends on the screen, hardly on the number of points.

Letters: C dot columns, R dot rows, W cells across (C = 2 W), H cells down (R = 4 H), L layers.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Bytes = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]
Shorts = npt.NDArray[np.int16]

BRAILLE_START = 0x2800
_DOTS = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]], dtype=np.uint8)
_HALVES = np.array(
    [
        [sum(int(_DOTS[row, side]) for row in range(4) if rows >> row & 1) for rows in range(16)]
        for side in range(2)
    ],
    dtype=np.uint8,
)
"""(2, 16) braille bits of the left and the right half of a cell by the rows that are lit."""
_CODEPOINTS = np.array(
    [BRAILLE_START + bits if bits else ord(" ") for bits in range(256)], np.uint32
)
_GLYPHS = np.array([chr(point) for point in _CODEPOINTS.tolist()])
_STRETCH = 3
"""Cells in which a line keeps its colour where several meet: fewer cost more bytes."""
DITHER = np.array([[0x01 | 0x10 | 0x04 | 0x80]], dtype=np.uint8)
"""Every other dot of a cell, as on a chessboard."""


def column_ranges(
    x: Floats,
    y: Floats,
    window: tuple[float, float],
    columns: int,
    breaks: Ints | None = None,
) -> tuple[Floats, Floats]:
    """Return the lowest and highest value of the polyline in each dot column.

    `x` must not decrease. A non-finite value breaks the line, and so does each index in `breaks`:
    nothing is drawn from that point on to the next. Every point within `window` lies within the
    range of its column, so no spike is ever lost.

    Returns:
        Two (C,) arrays; NaN where the line is absent.
    """
    low = np.full(max(columns, 0), np.nan)
    high = low.copy()
    start, end = window
    if not end > start or columns < 1 or not len(x):
        return low, high
    scale = columns / (end - start)
    _add_crossings(low, high, x, y, window=window, breaks=breaks)
    _add_points(low, high, x, y, window=window, scale=scale)
    return low, high


def values_at(x: Floats, y: Floats, places: Floats, breaks: Ints | None = None) -> Floats:
    """Return the polyline's values at `places`; NaN where it is absent."""
    after = np.searchsorted(x, places)
    inside = (after > 0) & (after < len(x))
    after = np.where(inside, after, min(1, len(x) - 1))
    before = np.maximum(after - 1, 0)
    if breaks is not None and len(breaks):
        inside &= ~np.isin(before, breaks)
    left, right = y[before], y[after]
    width = x[after] - x[before]
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        share = np.where(width > 0, (places - x[before]) / width, 1.0)
        # Between its ends, whatever is lost in the last digit.
        between = np.clip(left + (right - left) * share, np.fmin(left, right), np.fmax(left, right))
    drawn = inside & np.isfinite(left) & np.isfinite(right)
    return np.where(drawn, between, np.nan)


def _add_crossings(
    low: Floats,
    high: Floats,
    x: Floats,
    y: Floats,
    *,
    window: tuple[float, float],
    breaks: Ints | None,
) -> None:
    """Widen both columns beside each border the line crosses by its value there."""
    values = values_at(x, y, np.linspace(*window, len(low) + 1), breaks)
    np.fmin(values[:-1], values[1:], out=low)
    np.fmax(values[:-1], values[1:], out=high)


def _add_points(
    low: Floats, high: Floats, x: Floats, y: Floats, *, window: tuple[float, float], scale: float
) -> None:
    """Widen each column by the points that lie in it."""
    inside = slice(np.searchsorted(x, window[0]), np.searchsorted(x, window[1], side="right"))
    xs, ys = x[inside], y[inside]
    finite = np.isfinite(ys)
    if not finite.all():
        xs, ys = xs[finite], ys[finite]
    if not len(xs):
        return
    place = np.clip(((xs - window[0]) * scale).astype(np.int64), 0, len(low) - 1)
    starts = np.flatnonzero(np.diff(place, prepend=-1))
    at = place[starts]
    low[at] = np.fmin(low[at], np.minimum.reduceat(ys, starts))
    high[at] = np.fmax(high[at], np.maximum.reduceat(ys, starts))


def dot_rows(values: Floats, span: tuple[float, float], rows: int) -> Ints:
    """Return the dot row of each value, 0 at the top; values outside `span` get rows outside."""
    return _rows(values, span, rows).astype(np.int64)


def _rows(values: Floats, span: tuple[float, float], rows: int) -> Shorts:
    with np.errstate(invalid="ignore", over="ignore"):
        place = np.floor((span[1] - values) / (span[1] - span[0]) * (rows - 1) + 0.5)
    return np.nan_to_num(np.clip(place, -1, rows), nan=-9).astype(np.int16)


def fill_dots(
    low: Floats, high: Floats, span: tuple[float, float], rows: int, hidden: Bools | None = None
) -> Bytes:
    """Return the braille bits of lines given by their column ranges; `rows` is 4 H.

    Args:
        low: (C,) or (L, C) lowest values; NaN where a line is absent.
        high: the highest ones.
        span: lowest and highest value of the axis.
        rows: dot rows.
        hidden: columns a dashed line leaves out; where it is steep they are drawn all the same.

    Returns:
        (H, W) or (L, H, W).
    """
    top, bottom = _rows(high, span, rows), _rows(low, span, rows)
    absent = ~(np.isfinite(low) & np.isfinite(high))
    if hidden is not None:
        absent |= hidden & (bottom - top < 3)
    top[absent], bottom[absent] = rows + 1, -1
    first = np.arange(0, rows - rows % 4, 4, dtype=np.int16)[:, None]
    # The rows lit in a cell are those below `top`, less those below `bottom`.
    above = np.clip(top[..., None, :] - first, 0, 4)
    below = np.clip(bottom[..., None, :] - first + 1, 0, 4)
    lit = _FROM[above] & _UP_TO[below]
    across = low.shape[-1] // 2 * 2
    return _HALVES[0][lit[..., 0:across:2]] | _HALVES[1][lit[..., 1:across:2]]


_FROM = np.array([0b1111, 0b1110, 0b1100, 0b1000, 0], dtype=np.uint8)
"""Rows of a cell that lie at or below the n-th."""
_UP_TO = np.array([0, 0b0001, 0b0011, 0b0111, 0b1111], dtype=np.uint8)
"""The first n rows of a cell."""


def overlay(layers: Sequence[Bytes] | Bytes, shape: tuple[int, int]) -> tuple[Bytes, Ints]:
    """Merge layers of bits; return the bits and which layer colours each cell (-1: none).

    Where several layers meet, stretches of cells alternate between them, so that no line hides
    another.
    """
    owner = np.full(shape, -1, dtype=np.int64)
    if not len(layers):
        return np.zeros(shape, dtype=np.uint8), owner
    stack = np.asarray(layers)
    lit = stack > 0
    depth = lit.sum(axis=0, dtype=np.int16)
    rank = lit.cumsum(axis=0, dtype=np.int16) - 1
    stretches = np.add.outer(np.arange(shape[0]), np.arange(shape[1]) // _STRETCH)
    turn = stretches % np.maximum(depth, 1)
    for index in range(len(stack)):
        owner[lit[index] & (rank[index] == turn)] = index
    return np.bitwise_or.reduce(stack, axis=0), owner


def codepoints(bits: Bytes) -> npt.NDArray[np.uint32]:
    """Return the Unicode code point of each cell; a blank cell is a space."""
    return _CODEPOINTS[bits]


def glyphs(bits: Bytes) -> npt.NDArray[np.str_]:
    """Return the character of each cell; a blank cell is a space."""
    return _GLYPHS[bits]
