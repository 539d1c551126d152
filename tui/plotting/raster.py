"""From points to braille dots. Cost depends on the screen, hardly on the number of points.

Letters: C dot columns, R dot rows, W cells across (C = 2 W), H cells down (R = 4 H).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Bytes = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]

BRAILLE_START = 0x2800
_DOTS = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]], dtype=np.uint8)
_GLYPHS = np.array([chr(BRAILLE_START + bits) if bits else " " for bits in range(256)])


def column_ranges(
    x: Floats, y: Floats, window: tuple[float, float], columns: int
) -> tuple[Floats, Floats]:
    """Return the lowest and highest value of the polyline in each dot column.

    `x` must not decrease. A non-finite value breaks the line: nothing is drawn across it. Every
    point within `window` lies within the range of its column, so no spike is ever lost.

    Returns:
        Two (C,) arrays; NaN where the line is absent.
    """
    low = np.full(columns, np.nan)
    high = np.full(columns, np.nan)
    start, end = window
    if not end > start or columns < 1:
        return low, high
    scale = columns / (end - start)
    for first, last in _pieces(np.isfinite(x) & np.isfinite(y)):
        xs, ys = x[first:last], y[first:last]
        if xs[-1] < start or xs[0] > end:
            continue
        _add_crossings(low, high, xs, ys, window=window, scale=scale)
        _add_points(low, high, xs, ys, window=window, scale=scale)
    return low, high


def _pieces(finite: Bools) -> list[tuple[int, int]]:
    """Return the [first, last) index ranges of unbroken stretches."""
    edges = np.flatnonzero(np.diff(finite.astype(np.int8), prepend=0, append=0))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def _add_crossings(
    low: Floats, high: Floats, xs: Floats, ys: Floats, *, window: tuple[float, float], scale: float
) -> None:
    """Widen both columns beside each border the line crosses by its value there."""
    columns = len(low)
    first = max(math.ceil((xs[0] - window[0]) * scale), 0)
    last = min(math.floor((xs[-1] - window[0]) * scale), columns)
    if last < first or len(xs) < 2:
        return
    borders = window[0] + np.arange(first, last + 1, dtype=np.float64) / scale
    crossings = np.asarray(np.interp(borders, xs, ys), dtype=np.float64)  # pyright: ignore[reportUnknownArgumentType]
    for shift in (0, -1):
        begin, stop = max(first + shift, 0), min(last + shift + 1, columns)
        values = crossings[begin - first - shift : stop - first - shift]
        low[begin:stop] = np.fmin(low[begin:stop], values)
        high[begin:stop] = np.fmax(high[begin:stop], values)


def _add_points(
    low: Floats, high: Floats, xs: Floats, ys: Floats, *, window: tuple[float, float], scale: float
) -> None:
    """Widen each column by the points that lie in it."""
    inside = slice(np.searchsorted(xs, window[0]), np.searchsorted(xs, window[1], side="right"))
    xs, ys = xs[inside], ys[inside]
    if not len(xs):
        return
    place = np.clip(((xs - window[0]) * scale).astype(np.int64), 0, len(low) - 1)
    starts = np.flatnonzero(np.diff(place, prepend=-1))
    at = place[starts]
    low[at] = np.fmin(low[at], np.minimum.reduceat(ys, starts))
    high[at] = np.fmax(high[at], np.maximum.reduceat(ys, starts))


def dot_rows(values: Floats, span: tuple[float, float], rows: int) -> Ints:
    """Return the dot row of each value, 0 at the top; values outside `span` get rows outside."""
    with np.errstate(invalid="ignore", over="ignore"):
        place = np.floor((span[1] - values) / (span[1] - span[0]) * (rows - 1) + 0.5)
    return np.nan_to_num(np.clip(place, -1, rows), nan=-9).astype(np.int64)


def fill_dots(low: Floats, high: Floats, span: tuple[float, float], rows: int) -> Bytes:
    """Return the braille bits (H, W) of a line given by its column ranges; `rows` is 4 H."""
    top, bottom = dot_rows(high, span, rows), dot_rows(low, span, rows)
    row = np.arange(rows)[:, None]
    mask = (row >= top) & (row <= bottom) & np.isfinite(low) & np.isfinite(high)
    height, width = rows // 4, len(low) // 2
    grid = mask[: height * 4, : width * 2].reshape(height, 4, width, 2)
    return (grid * _DOTS[None, :, None, :]).sum(axis=(1, 3), dtype=np.uint8)


def overlay(layers: Sequence[Bytes], shape: tuple[int, int]) -> tuple[Bytes, Ints]:
    """Merge layers of bits; return the bits and which layer colours each cell (-1: none).

    Where several layers meet, cells alternate between them, so that no line hides another.
    """
    bits = np.zeros(shape, dtype=np.uint8)
    owner = np.full(shape, -1, dtype=np.int64)
    if not layers:
        return bits, owner
    lit = np.stack([layer > 0 for layer in layers])
    for layer in layers:
        bits |= layer
    depth = lit.sum(axis=0)
    rank = lit.cumsum(axis=0) - 1
    turn = np.add.outer(np.arange(shape[0]), np.arange(shape[1])) % np.maximum(depth, 1)
    for index in range(len(layers)):
        owner[lit[index] & (rank[index] == turn)] = index
    return bits, owner


def glyphs(bits: Bytes) -> npt.NDArray[np.str_]:
    """Return the character of each cell; a blank cell is a space."""
    return _GLYPHS[bits]
