"""A whole chart as cells: axes, grid, bands, lines, markers and cursor."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tui.plotting import axes, raster, scale
from tui.plotting.axes import Mark, MarkKind
from tui.plotting.canvas import Canvas, Layer
from tui.plotting.cells import Cells, Span
from tui.plotting.glyphs import UNICODE, Glyphs
from tui.plotting.inks import Ink, code_of
from tui.plotting.lines import Line
from tui.plotting.raster import Floats, Ints
from tui.plotting.scale import AxisKind

__all__ = ["Ink", "Mark", "MarkKind", "Picture", "Span", "View", "draw", "x_extent"]

MIN_WIDTH, MIN_HEIGHT = 16, 3
MIN_HEIGHT_FOR_AXIS_LINE = 8
COMMON_PERCENT = (1.0, 99.0)
"""Of the values in view, the range that is drawn where outliers are left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """How to look at the lines."""

    width: int
    """Cells across, axes included."""
    height: int
    """Cells down, axes included."""
    window: tuple[float, float] | None = None
    """Range of x; None shows all."""
    x_range: tuple[float, float] | None = None
    """What "all" is; None for the range of the lines."""
    x_end: float | None = None
    """How far the axis of growing lines reaches; None leaves a little room."""
    log_y: bool = False
    y_span: tuple[float, float] | None = None
    """Range of y, as its logarithm where `log_y`; None fits what is in view."""
    without_outliers: bool = False
    """Fit y to what is common; the rest is cut off at the edge, and counted."""
    with_raw: bool = True
    """Draw raw values faintly behind smoothed ones."""
    cursor: float | None = None
    """x of the cursor."""
    markers_along: bool = False
    """Markers all along the lines, and dashes: for terminals without colour."""
    x_kind: AxisKind = AxisKind.NUMBER
    x_whole: bool = True
    """Only whole numbers have ticks."""
    is_growing: bool = False
    """More points are to come."""
    marks: tuple[Mark, ...] = ()
    glyphs: Glyphs = UNICODE
    label_width: int = 1
    """Cells of the labels of y, at least."""


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """What was drawn, and where x lies in it."""

    cells: Cells
    window: tuple[float, float]
    left: int
    """Cells left of the plot."""
    across: int
    """Cells of the plot itself."""
    span: tuple[float, float] = (0.0, 1.0)
    """Range of y, as its logarithm where the axis is logarithmic."""
    num_clipped: int = 0
    """Points in view above or below the range of y; of a thinned line, those of its envelope."""
    num_without_log: int = 0
    """Points in view that are zero or negative on a logarithmic axis."""

    @property
    def rows(self) -> tuple[tuple[Span, ...], ...]:
        """The rows, each exactly as wide as asked for."""
        return tuple(self.cells.row(index) for index in range(self.cells.text.shape[0]))

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
    return low, max(high, roomy_end(low, high) if view.x_end is None else view.x_end)


def roomy_end(low: float, high: float, room: float = 0.0) -> float:
    """Return a round end of an axis that leaves some room beyond `high`, at least `room`."""
    stride = 10.0 ** math.floor(math.log10(high - low)) / 2
    return low + math.ceil((high + room - low) / stride + 0.02) * stride


def draw(lines: Sequence[Line], view: View) -> Picture:
    """Return the picture of the lines; every row is exactly `view.width` cells wide."""
    window = view.window or view.x_range or roomy_extent(lines, view) or (0.0, 1.0)
    cells = Cells.blank(view.height, view.width)
    if view.width < MIN_WIDTH or view.height < MIN_HEIGHT:
        return Picture(cells, window, 0, view.width)
    has_line = view.height >= MIN_HEIGHT_FOR_AXIS_LINE
    down = view.height - 1 - int(has_line)
    traces = _traces(lines, view)
    span, clipped = _span(traces, window, view)
    ticks = axes.y_ticks(span, down, log_y=view.log_y)
    labels = max(view.label_width, *map(len, ticks.values()), 1)
    left = min(labels + 2, view.width - 4)
    across = view.width - left
    plot = cells.part(slice(0, down), slice(left, None))
    _draw_plot(plot, lines, traces, window, span=span, rows=list(ticks), view=view)
    axes.draw_side(cells, ticks, left, down, view.glyphs)
    x_ticks = axes.x_ticks(window, across, view.x_kind, is_whole=view.x_whole)
    axes.draw_bottom(cells, x_ticks, window, left=left, has_line=has_line, glyphs=view.glyphs)
    axis_row = down if has_line else down - 1
    axes.draw_marks(cells, axis_row, view.marks, window, left=left, glyphs=view.glyphs)
    _draw_bad(cells, axis_row, lines, window, left=left, glyphs=view.glyphs)
    return Picture(cells, window, left, across, span, clipped, _without_log(lines, window, view))


@dataclass(frozen=True, slots=True, eq=False)
class _Trace:
    """A polyline on the drawn scale: a line, the raw values behind it, or an edge of its band."""

    line: int
    ink: Ink
    x: Floats
    y: Floats
    breaks: Ints
    is_edge: bool = False
    """One of the two edges of a band."""
    is_raw: bool = False
    """Its places are points of the series, no averages."""


def _traces(lines: Sequence[Line], view: View) -> list[_Trace]:
    """Return everything to be drawn as polylines, what lies behind first."""
    behind: list[_Trace] = []
    front: list[_Trace] = []
    for index, line in enumerate(lines):
        if not len(line.x):
            continue
        raw = transform(line.y, log_y=view.log_y)
        if line.band is not None:
            for edge in (line.band.low, line.band.high):
                values = transform(edge, log_y=view.log_y)
                behind.append(_Trace(index, Ink.FAINT, line.x, values, line.breaks, is_edge=True))
        if line.smooth is None:
            is_raw = line.band is None
            front.append(_Trace(index, Ink.LINE, line.x, raw, line.breaks, is_raw=is_raw))
            continue
        if view.with_raw:
            behind.append(_Trace(index, Ink.FAINT, line.x, raw, line.breaks, is_raw=True))
        own = line.smooth_x is None
        x = line.x if line.smooth_x is None else line.smooth_x
        strong = transform(line.smooth, log_y=view.log_y)
        front.append(_Trace(index, Ink.LINE, x, strong, line.breaks if own else line.breaks[:0]))
    return behind + front


def transform(values: Floats, *, log_y: bool) -> Floats:
    """Return values on the drawn scale; what has no logarithm becomes a gap."""
    if not log_y:
        return values
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(values > 0, np.log10(np.where(values > 0, values, 1.0)), np.nan)


def _span(
    traces: Sequence[_Trace], window: tuple[float, float], view: View
) -> tuple[tuple[float, float], int]:
    """Return the range of y, and how many points in view lie beyond it."""
    seen = [_in_view(trace, window) for trace in traces]
    values = np.concatenate(seen) if seen else np.zeros(0)
    values = values[np.isfinite(values)]
    if view.y_span is not None:
        span = view.y_span
    elif not len(values):
        span = scale.padded_range(0.0, 1.0)
    else:
        ends = (float(values.min()), float(values.max()))
        if view.without_outliers:
            low, high = np.percentile(values, COMMON_PERCENT).tolist()
            ends = (low, high) if high > low else ends
        # Rounded ends stay while values creep on: fewer cells change.
        span = scale.padded_range(*ends)
        span = scale.round_range(*span) if view.is_growing else span
    points = [part for part, trace in zip(seen, traces, strict=True) if trace.is_raw]
    clipped = sum(int(np.count_nonzero((p < span[0]) | (p > span[1]))) for p in points)
    return span, clipped


def _in_view(trace: _Trace, window: tuple[float, float]) -> Floats:
    """Return the values of a trace within the window and at its ends."""
    x, y = trace.x, trace.y
    if x[0] >= window[0] and x[-1] <= window[1]:
        return y
    inside = slice(np.searchsorted(x, window[0]), np.searchsorted(x, window[1], side="right"))
    return np.append(y[inside], raster.values_at(x, y, np.asarray(window), trace.breaks))


def _draw_plot(
    cells: Cells,
    lines: Sequence[Line],
    traces: Sequence[_Trace],
    window: tuple[float, float],
    *,
    span: tuple[float, float],
    rows: Sequence[int],
    view: View,
) -> None:
    canvas = Canvas(cells, lines, view.glyphs, has_colour=not view.markers_along)
    across = canvas.across
    canvas.grid(rows)
    for mark in view.marks:
        if mark.kind is MarkKind.BEST:
            column = axes.column_of(mark.x, window, across)
            canvas.rule(column, view.glyphs.rule, Ink.GRID)
    cursor = None if view.cursor is None else axes.column_of(view.cursor, window, across)
    canvas.rule(cursor, view.glyphs.vertical, Ink.CURSOR)
    layers = _layers(traces, window, across * 2)
    front = [layer for ink, layer in layers if ink is Ink.LINE]
    canvas.layers([layer for ink, layer in layers if ink is Ink.FAINT], span, Ink.FAINT)
    canvas.layers(front, span, Ink.LINE)
    for layer in front:
        line = lines[layer.line]
        if line.best_x is not None:
            canvas.best(layer, span, axes.column_of(line.best_x, window, across))
    canvas.markers(front, span)
    if cursor is not None:
        canvas.crosshair(front, span, cursor)
    cells.join_blanks()


def _layers(
    traces: Sequence[_Trace], window: tuple[float, float], columns: int
) -> list[tuple[Ink, Layer]]:
    """Return the column ranges of all traces; the two edges of a band become one range."""
    layers: list[tuple[Ink, Layer]] = []
    edge: Floats | None = None
    for trace in traces:
        low, high = raster.column_ranges(trace.x, trace.y, window, columns, trace.breaks)
        if not trace.is_edge:
            layers.append((trace.ink, Layer(trace.line, low, high)))
        elif edge is None:
            edge = low
        else:
            layers.append((trace.ink, Layer(trace.line, np.fmin(edge, low), high, is_band=True)))
            edge = None
    return layers


def _draw_bad(
    cells: Cells,
    row: int,
    lines: Sequence[Line],
    window: tuple[float, float],
    *,
    left: int,
    glyphs: Glyphs,
) -> None:
    """Mark values that are NaN or infinite on the horizontal axis."""
    across = cells.text.shape[1] - left
    for line in lines:
        nan = np.concatenate([line.bad_x, line.x[np.isnan(line.y)]])
        infinite = line.x[np.isinf(line.y)]
        for places, glyph in ((infinite, glyphs.infinite), (nan, glyphs.nan)):
            for column in axes.columns_of(places, window, across):
                cells.write(row, left + column, glyph, code_of(Ink.BAD))


def _without_log(lines: Sequence[Line], window: tuple[float, float], view: View) -> int:
    """Return how many points in view have no logarithm where one is asked for."""
    if not view.log_y:
        return 0
    found = 0
    for line in lines:
        inside = (line.x >= window[0]) & (line.x <= window[1])
        found += int(np.count_nonzero(line.y[inside] <= 0))
    return found
