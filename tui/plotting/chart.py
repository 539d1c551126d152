"""A whole chart as rows of coloured text: axes, grid, lines, markers and cursor."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from tui.plotting import raster, scale
from tui.plotting.lines import Line
from tui.plotting.palette import NUM_SLOTS, marker
from tui.plotting.raster import Bytes, Floats, Ints
from tui.plotting.scale import AxisKind

MIN_WIDTH, MIN_HEIGHT = 16, 3
MIN_HEIGHT_FOR_AXIS_LINE = 8
MARKER_SPACING = 14
"""Cells between two markers of a line where colour can't tell lines apart."""


class Ink(IntEnum):
    """What a span of the picture is made of."""

    BLANK = 0
    GRID = 1
    AXIS = 2
    LABEL = 3
    CURSOR = 4
    FAINT = 5
    LINE = 6
    MARKER = 7
    BAD = 8


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of a row in one ink."""

    text: str
    ink: Ink
    slot: int = 0
    """Colour, where the ink is of a line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """How to look at the lines."""

    width: int
    """Cells across, axes included."""
    height: int
    """Cells down, axes included."""
    window: tuple[float, float] | None = None
    """Range of x; None shows all."""
    log_y: bool = False
    cursor: float | None = None
    """x of the cursor."""
    markers_along: bool = False
    """Markers all along the lines: for terminals without colour."""
    x_kind: AxisKind = AxisKind.NUMBER
    x_whole: bool = True
    """Only whole numbers have ticks."""
    is_growing: bool = False
    """More points are to come."""


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """What was drawn, and where x lies in it."""

    rows: tuple[tuple[Span, ...], ...]
    window: tuple[float, float]
    left: int
    """Cells left of the plot."""
    across: int
    """Cells of the plot itself."""

    def x_at(self, column: int) -> float:
        """Return the x under a cell column of the picture."""
        share = (column - self.left + 0.5) / max(self.across, 1)
        return self.window[0] + min(max(share, 0.0), 1.0) * (self.window[1] - self.window[0])


def x_extent(lines: Sequence[Line]) -> tuple[float, float] | None:
    """Return the range of x that holds every line; None without points."""
    ends = [(line.x[0], line.x[-1]) for line in lines if len(line.x)]
    if not ends:
        return None
    low, high = float(min(a for a, _ in ends)), float(max(b for _, b in ends))
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def roomy_extent(lines: Sequence[Line], view: View) -> tuple[float, float] | None:
    """Return the range of x; of growing lines its end moves in strides, not with every point.

    Between two strides only the newest cells of the picture change.
    """
    extent = x_extent(lines)
    if extent is None or not view.is_growing:
        return extent
    low, high = extent
    stride = 10.0 ** math.floor(math.log10(high - low)) / 2
    return low, low + math.ceil((high - low) / stride + 0.02) * stride


def draw(lines: Sequence[Line], view: View) -> Picture:
    """Return the picture of the lines; every row is exactly `view.width` cells wide."""
    window = view.window or roomy_extent(lines, view) or (0.0, 1.0)
    if view.width < MIN_WIDTH or view.height < MIN_HEIGHT:
        blank = Span(" " * view.width, Ink.BLANK)
        return Picture(((blank,),) * view.height, window, 0, view.width)
    has_axis_line = view.height >= MIN_HEIGHT_FOR_AXIS_LINE
    down = view.height - 1 - int(has_axis_line)
    left = 7
    span: tuple[float, float] = (0.0, 1.0)
    ranges: list[_Ranges] = []
    ticks: dict[int, str] = {}
    # The width of the labels is only known once the range of y is.
    for _ in range(2):
        across = max(view.width - left, 4)
        ranges = [_ranges(line, window, across * 2, log_y=view.log_y) for line in lines]
        span = _span(ranges)
        ticks = _y_ticks(span, down, log_y=view.log_y)
        needed = max((len(label) for label in ticks.values()), default=1) + 2
        if needed == left:
            break
        left = needed
    across = max(view.width - left, 4)
    if len(ranges) and len(ranges[0].low) != across * 2:
        ranges = [_ranges(line, window, across * 2, log_y=view.log_y) for line in lines]
    canvas = _Canvas(down, across)
    canvas.grid(ticks)
    canvas.cursor(_column(view.cursor, window, across))
    canvas.lines(lines, ranges, span, markers_along=view.markers_along)
    canvas.gaps(lines, window)
    rows = [_side(ticks.get(row), left) + canvas.row(row) for row in range(down)]
    rows += _bottom(window, view, left=left, across=across, has_line=has_axis_line)
    return Picture(tuple(rows), window, left, across)


@dataclass(frozen=True, slots=True, eq=False)
class _Ranges:
    """Column ranges of a line, and of the raw values behind a smoothed one."""

    low: Floats
    high: Floats
    faint_low: Floats | None = None
    faint_high: Floats | None = None


def _ranges(line: Line, window: tuple[float, float], columns: int, *, log_y: bool) -> _Ranges:
    raw = _transform(line.y, log_y=log_y)
    if line.smooth is None:
        return _Ranges(*raster.column_ranges(line.x, raw, window, columns))
    strong = _transform(line.smooth, log_y=log_y)
    return _Ranges(
        *raster.column_ranges(line.x, strong, window, columns),
        *raster.column_ranges(line.x, raw, window, columns),
    )


def _transform(values: Floats, *, log_y: bool) -> Floats:
    """Return values on the drawn scale; what has no logarithm becomes a gap."""
    if not log_y:
        return values
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(values > 0, np.log10(np.where(values > 0, values, 1.0)), np.nan)


def _span(ranges: Sequence[_Ranges]) -> tuple[float, float]:
    lows = [a for r in ranges for a in (r.low, r.faint_low) if a is not None]
    highs = [a for r in ranges for a in (r.high, r.faint_high) if a is not None]
    low = min((float(np.nanmin(a)) for a in lows if np.isfinite(a).any()), default=0.0)
    high = max((float(np.nanmax(a)) for a in highs if np.isfinite(a).any()), default=1.0)
    return scale.padded_range(low, high)


def _y_ticks(span: tuple[float, float], down: int, *, log_y: bool) -> dict[int, str]:
    """Return the labels of the y axis by cell row."""
    wanted = max(down // 4, 3)
    if log_y:
        ticks = scale.log_ticks(*span, wanted)
        labels = scale.tick_labels(ticks, AxisKind.LOG)
    else:
        ticks = scale.nice_ticks(*span, wanted)
        labels = scale.tick_labels(ticks)
    rows = raster.dot_rows(np.asarray(ticks, dtype=np.float64), span, down * 4) // 4
    return {row: label for row, label in zip(rows.tolist(), labels, strict=True) if 0 <= row < down}


def _column(x: float | None, window: tuple[float, float], across: int) -> int | None:
    if x is None or not window[0] <= x <= window[1]:
        return None
    return min(int((x - window[0]) / (window[1] - window[0]) * across), across - 1)


def _side(label: str | None, left: int) -> tuple[Span, ...]:
    if label is None:
        return (Span(" " * (left - 1) + "│", Ink.AXIS),)
    return (Span(f"{label:>{left - 2}} ", Ink.LABEL), Span("┤", Ink.AXIS))


def _bottom(
    window: tuple[float, float], view: View, *, left: int, across: int, has_line: bool
) -> list[tuple[Span, ...]]:
    """Return the x axis: a line with ticks where there is room for it, and the labels."""
    wanted = max(across // 14, 2)
    if view.x_kind is AxisKind.SECONDS:
        ticks = scale.time_ticks(*window, wanted)
    elif view.x_whole:
        ticks = scale.whole_ticks(*window, wanted)
    else:
        ticks = scale.nice_ticks(*window, wanted)
    line, text = ["─"] * across, [" "] * view.width
    free_from = 0
    for tick, label in zip(ticks, scale.tick_labels(ticks, view.x_kind), strict=True):
        column = _column(tick, window, across)
        if column is None:
            continue
        begin = min(max(left + column - len(label) // 2, 0), view.width - len(label))
        if begin < free_from:
            continue
        line[column] = "┬"
        text[begin : begin + len(label)] = label
        free_from = begin + len(label) + 1
    labels = (Span("".join(text), Ink.LABEL),)
    axis = (Span(" " * (left - 1) + "└" + "".join(line), Ink.AXIS),)
    return [axis, labels] if has_line else [labels]


class _Canvas:
    """The plot itself: characters and inks of `down` x `across` cells."""

    def __init__(self, down: int, across: int) -> None:
        self.down, self.across = down, across
        self.text: npt.NDArray[np.str_] = np.full((down, across), " ")
        self.ink: Ints = np.zeros((down, across), dtype=np.int64)

    def grid(self, ticks: dict[int, str]) -> None:
        """Draw a faint line at every tick of y."""
        for row in ticks:
            self.text[row, :] = "┈"
            self.ink[row, :] = _code(Ink.GRID)

    def cursor(self, column: int | None) -> None:
        """Draw the cursor behind the lines."""
        if column is not None:
            self.text[:, column] = "│"
            self.ink[:, column] = _code(Ink.CURSOR)

    def lines(
        self,
        lines: Sequence[Line],
        ranges: Sequence[_Ranges],
        span: tuple[float, float],
        *,
        markers_along: bool,
    ) -> None:
        """Draw the faint raw values first, the lines over them, their markers last."""
        slots = np.array([line.slot % NUM_SLOTS for line in lines] or [0], dtype=np.int64)
        rows = self.down * 4
        faint = [
            (index, raster.fill_dots(r.faint_low, r.faint_high, span, rows))
            for index, r in enumerate(ranges)
            if r.faint_low is not None and r.faint_high is not None
        ]
        owners = np.array([index for index, _ in faint] or [0], dtype=np.int64)
        self._stack([bits for _, bits in faint], slots[owners], Ink.FAINT)
        strong = [raster.fill_dots(r.low, r.high, span, rows) for r in ranges]
        self._stack(strong, slots, Ink.LINE)
        for place, (line, r) in enumerate(zip(lines, ranges, strict=True)):
            self._mark(line, r, span, along=place if markers_along else None)

    def _stack(self, layers: Sequence[Bytes], slots: Ints, ink: Ink) -> None:
        bits, owner = raster.overlay(layers, (self.down, self.across))
        lit = bits > 0
        self.text[lit] = raster.glyphs(bits)[lit]
        self.ink[lit] = _code(ink) + slots[owner[lit]]

    def _mark(
        self, line: Line, ranges: _Ranges, span: tuple[float, float], *, along: int | None
    ) -> None:
        """Put the line's marker at its newest visible value, and on request all along it."""
        seen = np.flatnonzero(np.isfinite(ranges.high))
        if not len(seen):
            return
        middle = (ranges.low + ranges.high) / 2
        columns = [int(seen[-1])]
        if along is not None:
            first = 2 * ((along * 3) % MARKER_SPACING)
            columns += list(range(first, 2 * self.across, 2 * MARKER_SPACING))
        for column in columns:
            if np.isfinite(middle[column]):
                row = raster.dot_rows(middle[column : column + 1], span, self.down * 4)[0] // 4
                self.text[row, column // 2] = marker(line.slot)
                self.ink[row, column // 2] = _code(Ink.MARKER) + line.slot % NUM_SLOTS

    def gaps(self, lines: Sequence[Line], window: tuple[float, float]) -> None:
        """Mark values that are NaN or infinite on the bottom row."""
        for line in lines:
            for x in line.x[~np.isfinite(line.y)].tolist():
                column = _column(x, window, self.across)
                if column is not None:
                    self.text[-1, column] = "✕"
                    self.ink[-1, column] = _code(Ink.BAD)

    def row(self, index: int) -> tuple[Span, ...]:
        """Return a row as spans of equal ink."""
        codes, text = self.ink[index], "".join(self.text[index].tolist())
        cuts = [0, *(np.flatnonzero(np.diff(codes)) + 1).tolist(), self.across]
        return tuple(
            Span(text[a:b], Ink(int(codes[a]) // NUM_SLOTS), int(codes[a]) % NUM_SLOTS)
            for a, b in pairwise(cuts)
            if b > a
        )


def _code(ink: Ink) -> int:
    return int(ink) * NUM_SLOTS
