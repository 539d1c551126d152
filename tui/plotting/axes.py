"""The frame of a chart: labels of both axes, ticks, grid, and marks on the horizontal one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from tui.plotting import raster, scale
from tui.plotting.cells import Cells
from tui.plotting.glyphs import Glyphs
from tui.plotting.inks import Ink, code_of
from tui.plotting.scale import AxisKind


class MarkKind(StrEnum):
    """What happened at a place of the horizontal axis."""

    BEST = "best"
    CHECKPOINT = "checkpoint"


@dataclass(frozen=True, slots=True)
class Mark:
    """A place of the horizontal axis worth knowing."""

    x: float
    kind: MarkKind


def column_of(x: float, window: tuple[float, float], across: int) -> int | None:
    """Return the cell column of a place; None beyond the window."""
    if not window[0] <= x <= window[1]:
        return None
    return min(int((x - window[0]) / (window[1] - window[0]) * across), across - 1)


def columns_of(
    places: np.ndarray[tuple[int], np.dtype[np.float64]], window: tuple[float, float], across: int
) -> list[int]:
    """Return the cell columns of the places within the window, each once."""
    seen = places[(places >= window[0]) & (places <= window[1])]
    columns = ((seen - window[0]) / (window[1] - window[0]) * across).astype(np.int64)
    return np.unique(np.minimum(columns, across - 1)).tolist()


def y_ticks(span: tuple[float, float], down: int, *, log_y: bool) -> dict[int, str]:
    """Return the labels of the y axis by cell row."""
    wanted = max(down // 4, 3)
    if log_y:
        ticks = scale.log_ticks(*span, wanted)
        labels = scale.tick_labels(ticks, AxisKind.LOG)
    else:
        finer = (scale.nice_ticks(*span, count) for count in range(wanted, max(down, wanted) + 1))
        ticks = next((some for some in finer if len(some) > 1), list[float]())
        labels = scale.tick_labels(ticks)
    rows = raster.dot_rows(np.asarray(ticks, dtype=np.float64), span, down * 4) // 4
    return {row: label for row, label in zip(rows.tolist(), labels, strict=True) if 0 <= row < down}


def x_ticks(
    window: tuple[float, float], across: int, kind: AxisKind, *, is_whole: bool
) -> dict[float, str]:
    """Return the labels of the x axis by place."""
    wanted = max(across // 14, 2)
    if kind is AxisKind.SECONDS:
        ticks = scale.time_ticks(*window, wanted)
    elif kind is AxisKind.CLOCK:
        ticks = scale.clock_ticks(*window, wanted)
    elif is_whole:
        ticks = scale.whole_ticks(*window, wanted)
    else:
        ticks = scale.nice_ticks(*window, wanted)
    return dict(zip(ticks, scale.tick_labels(ticks, kind), strict=True))


def draw_side(cells: Cells, ticks: dict[int, str], left: int, down: int, glyphs: Glyphs) -> None:
    """Draw the y axis into the first `left` columns."""
    cells.text[:down, left - 1] = ord(glyphs.vertical)
    cells.codes[:down, left - 1] = code_of(Ink.AXIS)
    for row, label in ticks.items():
        cells.write(row, 0, f"{label:>{left - 2}} ", code_of(Ink.LABEL))
        cells.write(row, left - 1, glyphs.tick_left, code_of(Ink.AXIS))


def draw_bottom(
    cells: Cells,
    ticks: dict[float, str],
    window: tuple[float, float],
    *,
    left: int,
    has_line: bool,
    glyphs: Glyphs,
) -> None:
    """Draw the x axis: a line with ticks where there is room for it, and the labels."""
    height, width = cells.text.shape
    across = width - left
    if has_line:
        line = glyphs.corner + glyphs.horizontal * across
        cells.write(height - 2, left - 1, line, code_of(Ink.AXIS))
    cells.codes[height - 1, :] = code_of(Ink.LABEL)
    free_from = 0
    for tick, label in ticks.items():
        column = column_of(tick, window, across)
        if column is None:
            continue
        begin = min(max(left + column - len(label) // 2, 0), width - len(label))
        if begin < free_from:
            continue
        if has_line:
            cells.write(height - 2, left + column, glyphs.tick_below, code_of(Ink.AXIS))
        cells.write(height - 1, begin, label, code_of(Ink.LABEL))
        free_from = begin + len(label) + 1


def draw_marks(
    cells: Cells,
    row: int,
    marks: Sequence[Mark],
    window: tuple[float, float],
    *,
    left: int,
    glyphs: Glyphs,
) -> None:
    """Write marks into a row; the best epoch over a checkpoint at the same place."""
    across = cells.text.shape[1] - left
    for mark in sorted(marks, key=lambda one: one.kind is MarkKind.BEST):
        column = column_of(mark.x, window, across)
        if column is not None:
            glyph = glyphs.best if mark.kind is MarkKind.BEST else glyphs.checkpoint
            cells.write(row, left + column, glyph, code_of(Ink.MARK))
