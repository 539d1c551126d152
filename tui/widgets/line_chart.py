"""A chart of lines that follows its data: zoom, pan, cursor with values, log axis."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import ClassVar

from rich.segment import Segment
from textual import events
from textual.actions import SkipAction
from textual.binding import Binding, BindingType
from textual.strip import Strip
from textual.widget import Widget

from tui.formatting import Role
from tui.plotting.chart import Picture, View, draw, x_extent
from tui.plotting.lines import Line, same_lines
from tui.plotting.scale import AxisKind, tick_labels
from tui.widgets.legend import legend_strips
from tui.widgets.repaint import refresh_changed
from tui.widgets.styles import has_colour, ink_style, is_dark, role_style

ZOOM_STEP, PAN_STEP = 0.5, 0.2
MIN_HEIGHT_FOR_LEGEND = 7


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ChartData:
    """Everything a chart shows; a new object means new data."""

    title: str
    lines: tuple[Line, ...] = ()
    x_title: str = "step"
    x_kind: AxisKind = AxisKind.NUMBER
    x_whole: bool = True
    log_y: bool = False
    hint: str = ""
    """Shown where there is nothing to draw."""
    note: str = ""
    """Shown right of the title."""
    is_growing: bool = False
    """More points are to come."""


class LineChart(Widget, can_focus=True):
    """Lines over a common x; paints once for each version of data, view and size."""

    DEFAULT_CSS = """
    LineChart { background: $background; width: 1fr; height: 1fr; }
    """
    ALLOW_MAXIMIZE = True
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("plus,equals_sign", "zoom(1)", "zoom in", key_display="+"),
        Binding("minus", "zoom(-1)", "zoom out", key_display="-", show=False),
        Binding("0", "reset", "whole range", show=False),
        Binding("left_curly_bracket", "pan(-1)", "pan left", key_display="{", show=False),
        Binding("right_curly_bracket", "pan(1)", "pan right", key_display="}", show=False),
        Binding("v", "cursor", "cursor with values"),
        Binding("l,right", "walk(1)", "cursor right", show=False),
        Binding("h,left", "walk(-1)", "cursor left", show=False),
        Binding("L,shift+right", "walk(10)", "cursor fast right", show=False),
        Binding("H,shift+left", "walk(-10)", "cursor fast left", show=False),
        Binding("escape", "leave", "leave cursor or zoom", show=False),
    ]

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - the toolkit's word
        super().__init__(id=id)
        self.data = ChartData(title="")
        self.window: tuple[float, float] | None = None
        """Range of x looked at; None follows the data."""
        self.cursor: float | None = None
        self._strips: list[Strip] = []
        self._picture: Picture | None = None
        self._painted: object = None

    def show(self, data: ChartData) -> None:
        """Show new data; zoom and cursor stay."""
        if data.x_title != self.data.x_title:
            self.window = self.cursor = None
        if same_data(data, self.data):
            return
        self.data = data
        self._repaint()

    # Keys and mouse

    def action_zoom(self, direction: int) -> None:
        """Look closer around the cursor or the middle, or less close."""
        self._zoom(ZOOM_STEP if direction > 0 else 1 / ZOOM_STEP, self.cursor)

    def action_pan(self, direction: int) -> None:
        """Move the window over the data."""
        if self.window is not None:
            shift = direction * PAN_STEP * (self.window[1] - self.window[0])
            self._look_at(self.window[0] + shift, self.window[1] + shift)

    def action_reset(self) -> None:
        """Show the whole range again."""
        self.window = None
        self._repaint()

    def action_cursor(self) -> None:
        """Show the cursor at the newest value, or hide it."""
        extent = self._seen()
        self.cursor = extent[1] if self.cursor is None and extent else None
        self._repaint()

    def action_walk(self, cells: int) -> None:
        """Move the cursor by cells; without a cursor move the window."""
        extent = self._seen()
        if self.cursor is None or extent is None or self._picture is None:
            self.action_pan(1 if cells > 0 else -1)
            return
        step = (extent[1] - extent[0]) / max(self._picture.across, 1)
        self.cursor = min(max(self.cursor + cells * step, extent[0]), extent[1])
        self._repaint()

    def action_leave(self) -> None:
        """Hide the cursor, else show the whole range, else leave the chart."""
        if self.cursor is None and self.window is None:
            raise SkipAction
        if self.cursor is not None:
            self.cursor = None
        else:
            self.window = None
        self._repaint()

    def on_click(self, event: events.Click) -> None:
        """Put the cursor where the mouse is."""
        if self._picture is not None and self.data.lines:
            self.cursor = self._picture.x_at(event.x)
            self._repaint()

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Look closer at what is under the mouse."""
        event.stop()
        self._zoom(0.8, self._picture.x_at(event.x) if self._picture else None)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Look from further away."""
        event.stop()
        self._zoom(1.25, self._picture.x_at(event.x) if self._picture else None)

    def _seen(self) -> tuple[float, float] | None:
        return self.window or x_extent(self.data.lines)

    def _zoom(self, factor: float, around: float | None) -> None:
        seen = self._seen()
        if seen is None:
            return
        low, high = seen
        middle = (low + high) / 2 if around is None or not low <= around <= high else around
        self._look_at(middle - (middle - low) * factor, middle + (high - middle) * factor)

    def _look_at(self, low: float, high: float) -> None:
        """Look at a range, kept within the data; the whole range is no zoom."""
        extent = x_extent(self.data.lines)
        if extent is None or high - low < 1e-6 * max(abs(high), 1.0):
            return
        whole = extent[1] - extent[0]
        if high - low >= whole:
            self.window = None
        else:
            shift = max(extent[0] - low, 0.0) - max(high - extent[1], 0.0)
            self.window = (low + shift, high + shift)
        self._repaint()

    # Drawing

    def render_line(self, y: int) -> Strip:
        """Return a line of the picture, painting it when anything changed."""
        self._update()
        return self._strips[y] if y < len(self._strips) else Strip.blank(self.size.width)

    def on_focus(self) -> None:
        """Show that the keys work here."""
        self._repaint()

    def on_blur(self) -> None:
        """Show that the keys work elsewhere."""
        self._repaint()

    def _repaint(self) -> None:
        """Paint, and send the rows that look different."""
        if self.is_attached and self.size.height:
            before = self._strips
            self._update()
            refresh_changed(self, before, self._strips)

    def _update(self) -> None:
        size = self.size
        dark, marked = is_dark(self), not has_colour(self)
        state = (size, self.data, self.window, self.cursor, dark, marked, self.has_focus)
        if state != self._painted:
            self._strips = self._paint(size.width, size.height, dark=dark, marked=marked)
            self._painted = state

    def _paint(self, width: int, height: int, *, dark: bool, marked: bool) -> list[Strip]:
        top = [self._title(width, dark=dark)]
        if not any(len(line.x) for line in self.data.lines):
            self._picture = None
            return [*top, *self._nothing(width, height - 1, dark=dark)]
        if height >= MIN_HEIGHT_FOR_LEGEND:
            rows = 1 if height < 10 else 2 if height < 22 else 3
            top += legend_strips(
                self.data.lines, width, rows, at=self.cursor, dark=dark, ground=self.rich_style
            )
        view = View(
            width=width,
            height=max(height - len(top), 1),
            window=self.window,
            log_y=self.data.log_y,
            cursor=self.cursor,
            markers_along=marked,
            x_kind=self.data.x_kind,
            x_whole=self.data.x_whole,
            is_growing=self.data.is_growing,
        )
        self._picture = draw(self.data.lines, view)
        ground = self.rich_style
        strips = [
            Strip(
                [
                    Segment(span.text, ground + ink_style(span.ink, span.slot, dark=dark))
                    for span in row
                ],
                width,
            )
            for row in self._picture.rows
        ]
        return [strip.adjust_cell_length(width, ground) for strip in (*top, *strips)]

    def _title(self, width: int, *, dark: bool) -> Strip:
        ground = self.rich_style
        role = Role.ACCENT if self.has_focus else Role.STRONG
        parts = [self.data.x_title]
        if self.data.log_y:
            parts.append("log y")
        if self.window is not None:
            parts.append("zoomed")
        if self.cursor is not None:
            kind = self.data.x_kind
            parts[0] += " " + tick_labels([self._whole(self.cursor)], kind)[0]
        if self.data.note:
            parts.append(self.data.note)
        note = " · ".join(parts) + " "
        title = self.data.title[: max(width - len(note) - 2, 4)]
        gap = " " * max(width - len(title) - len(note) - 1, 1)
        dim = ground + role_style(Role.DIM, dark=dark)
        return Strip(
            [Segment(" " + title, ground + role_style(role, dark=dark)), Segment(gap + note, dim)]
        ).adjust_cell_length(width, ground)

    def _whole(self, value: float) -> float:
        return round(value) if self.data.x_whole else round(value, 2)

    def _nothing(self, width: int, height: int, *, dark: bool) -> list[Strip]:
        ground = self.rich_style
        style = ground + role_style(Role.DIM, dark=dark)
        rows = [Strip.blank(width, ground)] * max(height, 0)
        if rows:
            text = self.data.hint[: max(width - 2, 0)].center(width)
            rows[len(rows) // 2] = Strip([Segment(text, style)], width)
        return rows


def same_data(some: ChartData, other: ChartData) -> bool:
    """Return whether two charts would look the same."""
    names = [field.name for field in fields(ChartData) if field.name != "lines"]
    if any(getattr(some, name) != getattr(other, name) for name in names):
        return False
    return same_lines(some.lines, other.lines)
