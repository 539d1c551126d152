"""A chart of lines that follows its data: zoom, pan, crosshair with values, locked range.

What draws is loaded with the first curve: the list of runs beside it should not wait for numpy.
"""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, ClassVar

from textual import events
from textual.actions import SkipAction
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from tui.widgets.chart_strips import (
    CellStrips,
    ChartData,
    TitleState,
    nothing_strips,
    same_data,
    title_strip,
)
from tui.widgets.legend import legend_strips
from tui.widgets.repaint import refresh_changed
from tui.widgets.styles import glyphs, has_colour, is_dark

if TYPE_CHECKING:
    from tui.plotting.chart import Picture

__all__ = ["ChartData", "LineChart"]

ZOOM_STEP, PAN_STEP = 0.5, 0.2
MIN_HEIGHT_FOR_LEGEND = 7
STACKED_LABEL_WIDTH = 6
"""Charts above each other give their labels of y so many cells: few need more, and the axes of x
stand below each other."""
ROOM_SECONDS, MOST_ROOM = 10.0, 0.5
"""The axis of growing data leaves room for so many seconds, at most this share of its range."""


class LineChart(Widget, can_focus=True):
    """Lines over a common x; paints once for each version of data, view and size."""

    DEFAULT_CSS = """
    LineChart { background: $background; width: 1fr; height: 1fr; }
    LineChart.-maximized {
        width: 1fr !important; height: 1fr !important; border: none !important;
    }
    """
    ALLOW_MAXIMIZE = True
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "fill", "full screen"),
        Binding("plus,equals_sign", "zoom(1)", "zoom in", key_display="+"),
        Binding("minus", "zoom(-1)", "zoom out", key_display="-", show=False),
        Binding("0", "reset", "whole range", show=False),
        Binding("left_curly_bracket", "pan(-1)", "pan left", key_display="{", show=False),
        Binding("right_curly_bracket", "pan(1)", "pan right", key_display="}", show=False),
        Binding("Y", "lock_y", "keep the range of y", show=False),
        Binding("percent_sign", "outliers", "y without outliers", show=False, key_display="%"),
        Binding("v", "cursor", "cursor with values"),
        Binding("l,right", "walk(1)", "cursor right", show=False),
        Binding("h,left", "walk(-1)", "cursor left", show=False),
        Binding("L,shift+right", "walk(10)", "cursor fast right", show=False),
        Binding("H,shift+left", "walk(-10)", "cursor fast left", show=False),
        Binding("escape", "leave", "leave cursor, zoom or full screen", show=False),
    ]

    class Looked(Message):
        """Another range of x is looked at: finer points may be had."""

        def __init__(self, chart: LineChart) -> None:
            super().__init__()
            self.chart = chart

    class CursorMoved(Message):
        """The cursor stands elsewhere; other charts over the same x may follow."""

        def __init__(self, chart: LineChart) -> None:
            super().__init__()
            self.chart = chart

    def __init__(
        self,
        *,
        id: str | None = None,  # noqa: A002 - the toolkit's word
        label_width: int = 1,
    ) -> None:
        """Make an empty chart; labels of y take `label_width` cells at least."""
        super().__init__(id=id)
        self._label_width = label_width
        self.data = ChartData(title="")
        self.window: tuple[float, float] | None = None
        """Range of x looked at; None follows the data."""
        self.y_span: tuple[float, float] | None = None
        """Range of y that is kept; None fits the data."""
        self.without_outliers = False
        self.cursor: float | None = None
        self._strips: list[Strip] = []
        self._plot = CellStrips()
        self._picture: Picture | None = None
        self._painted: object = None
        self._grown: tuple[float, float, float] | None = None
        """When growing data were shown last, and their range of x."""
        self._x_end: float | None = None
        """How far the axis reaches for data that grow."""
        self._dragged_from: tuple[int, tuple[float, float]] | None = None
        self._was_dragged = False

    def show(self, data: ChartData) -> None:
        """Show new data; zoom and cursor stay."""
        if data.x_title != self.data.x_title:
            self.window = self.cursor = None
        if data.title != self.data.title or data.log_y != self.data.log_y:
            self.y_span = None
        if same_data(data, self.data):
            return
        self.data = data
        self._make_room()
        self._repaint()

    def _make_room(self) -> None:
        """Let the axis of growing data reach so far that it stays for a while.

        Where the axis ends elsewhere, every cell of the chart looks different.
        """
        extent = self._extent() if self.data.is_growing and self.data.lines else None
        before, self._grown = self._grown, extent and (monotonic(), *extent)
        if extent is None or self._grown is None:
            self._x_end = None
            return
        low, high = extent
        is_same = before is not None and before[1] == low and before[2] <= high
        if is_same and self._x_end is not None and high <= self._x_end:
            return
        room = 0.0
        if is_same and before is not None:
            rate = (high - before[2]) / max(self._grown[0] - before[0], 1e-3)
            room = min(rate * ROOM_SECONDS, MOST_ROOM * (high - low))
        from tui.plotting.chart import roomy_end

        self._x_end = roomy_end(low, high, room)

    # Keys

    def action_fill(self) -> None:
        """Fill the screen with this chart, or give the room back."""
        if self.screen.maximized is self:
            self.screen.minimize()
        else:
            self.screen.maximize(self, container=False)

    def action_zoom(self, direction: int) -> None:
        """Look closer around the cursor or the middle, or less close."""
        self._zoom(ZOOM_STEP if direction > 0 else 1 / ZOOM_STEP, self.cursor)

    def action_pan(self, direction: int) -> None:
        """Move the window over the data."""
        if self.window is not None:
            shift = direction * PAN_STEP * (self.window[1] - self.window[0])
            self._look_at(self.window[0] + shift, self.window[1] + shift)

    def action_reset(self) -> None:
        """Show the whole range of x and y again."""
        was_zoomed = self.window is not None
        self.window = self.y_span = None
        self._repaint()
        if was_zoomed:
            self.post_message(self.Looked(self))

    def action_lock_y(self) -> None:
        """Keep the range of y as it is, or let it fit the data again."""
        is_locked = self.y_span is not None
        self.y_span = None if is_locked or self._picture is None else self._picture.span
        self._repaint()

    def action_outliers(self) -> None:
        """Fit y to what is common, or to all values."""
        self.without_outliers = not self.without_outliers
        self.y_span = None
        self._repaint()

    def action_cursor(self) -> None:
        """Show the cursor at the newest value, or hide it."""
        extent = self._seen()
        self._put_cursor(extent[1] if self.cursor is None and extent else None)

    def action_walk(self, cells: int) -> None:
        """Move the cursor by cells; without a cursor move the window."""
        extent = self._seen()
        if self.cursor is None or extent is None or self._picture is None:
            self.action_pan(1 if cells > 0 else -1)
            return
        step = (extent[1] - extent[0]) / max(self._picture.across, 1)
        self._put_cursor(min(max(self.cursor + cells * step, extent[0]), extent[1]))

    def action_leave(self) -> None:
        """Hide the cursor, else show the whole range, else leave full screen or the chart."""
        if self.cursor is not None:
            self._put_cursor(None)
        elif self.window is not None or self.y_span is not None:
            self.action_reset()
        elif self.screen.maximized is self:
            self.screen.minimize()
        else:
            raise SkipAction

    def show_cursor(self, x: float | None) -> None:
        """Put the cursor where that of another chart stands; tell nobody."""
        if x != self.cursor:
            self.cursor = x
            self._repaint()

    def _put_cursor(self, x: float | None) -> None:
        self.show_cursor(x)
        self.post_message(self.CursorMoved(self))

    # Mouse

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """Begin to drag the window."""
        seen = self._seen()
        if event.button == 1 and seen is not None:
            self._dragged_from, self._was_dragged = (event.x, seen), False
            self.capture_mouse()

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """Move the window along with the mouse."""
        if self._dragged_from is None or self._picture is None or self.window is None:
            return
        column, (low, high) = self._dragged_from
        shift = (column - event.x) * (high - low) / max(self._picture.across, 1)
        self._was_dragged = self._was_dragged or event.x != column
        self._look_at(low + shift, high + shift)

    def on_mouse_up(self, event: events.MouseUp) -> None:
        """Put the cursor where the mouse is, unless it dragged the window."""
        is_click = self._dragged_from is not None and not self._was_dragged
        self._dragged_from = None
        self.release_mouse()
        if is_click and self._picture is not None and self.data.lines:
            self._put_cursor(self._picture.x_at(event.x))

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Look closer at what is under the mouse."""
        event.stop()
        self._wheel(event, 0.8)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Look from further away."""
        event.stop()
        self._wheel(event, 1.25)

    def on_mouse_scroll_left(self, event: events.MouseScrollLeft) -> None:
        """Move the window back."""
        event.stop()
        self.action_pan(-1)

    def on_mouse_scroll_right(self, event: events.MouseScrollRight) -> None:
        """Move the window on."""
        event.stop()
        self.action_pan(1)

    def _wheel(self, event: events.MouseEvent, factor: float) -> None:
        """Zoom around the mouse; with shift move the window."""
        if event.shift:
            self.action_pan(-1 if factor < 1 else 1)
        else:
            self._zoom(factor, self._picture.x_at(event.x) if self._picture else None)

    # The range looked at

    def _seen(self) -> tuple[float, float] | None:
        return self.window or self._extent()

    def _extent(self) -> tuple[float, float] | None:
        """Return the whole range of x; None without points."""
        from tui.plotting.chart import x_extent

        extent = x_extent(self.data.lines)
        return self.data.x_range if extent is not None and self.data.x_range else extent

    def _zoom(self, factor: float, around: float | None) -> None:
        seen = self._seen()
        if seen is None:
            return
        low, high = seen
        middle = (low + high) / 2 if around is None or not low <= around <= high else around
        self._look_at(middle - (middle - low) * factor, middle + (high - middle) * factor)

    def _look_at(self, low: float, high: float) -> None:
        """Look at a range, kept within the data; the whole range is no zoom."""
        extent = self._extent()
        if extent is None or high - low < 1e-9 * max(abs(high), 1.0):
            return
        whole = extent[1] - extent[0]
        if high - low >= whole:
            window = None
        else:
            shift = max(extent[0] - low, 0.0) - max(high - extent[1], 0.0)
            window = (low + shift, high + shift)
        if window != self.window:
            self.window = window
            self._repaint()
            self.post_message(self.Looked(self))

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
        """Paint, and send the cells that look different; nothing while out of sight."""
        if self.is_attached and self.display and self.size.height:
            before = self._strips
            self._update()
            refresh_changed(self, before, self._strips)

    def _update(self) -> None:
        look = (is_dark(self), has_colour(self), glyphs(self).is_braille, self.rich_style)
        range_y = (self.y_span, self.without_outliers)
        state = (self.size, self.data, self.window, range_y, self.cursor, self.has_focus, *look)
        if state != self._painted:
            self._strips = self._paint(self.size.width, self.size.height)
            self._painted = state

    def _paint(self, width: int, height: int) -> list[Strip]:
        dark, ground, characters = is_dark(self), self.rich_style, glyphs(self)
        has_points = any(len(line.x) for line in self.data.lines)
        legend: list[Strip] = []
        if has_points and height >= MIN_HEIGHT_FOR_LEGEND:
            rows = 1 if height < 10 else 2 if height < 22 else 3
            legend = legend_strips(
                self.data.lines,
                width,
                rows,
                at=self.cursor,
                dark=dark,
                ground=ground,
                glyphs=characters,
            )
        down = max(height - 1 - len(legend), 1)
        self._picture = self._draw(width, down) if has_points else None
        state = TitleState(
            is_zoomed=self.window is not None,
            is_locked=self.y_span is not None,
            cursor=self.cursor,
            has_focus=self.has_focus,
        )
        title = title_strip(
            self.data, state, self._picture, width, dark=dark, ground=ground, glyphs=characters
        )
        if self._picture is None:
            return [title, *nothing_strips(self.data, width, down, dark=dark, ground=ground)]
        plot = self._plot.strips(self._picture.cells, dark=dark, ground=ground)
        return [*(s.adjust_cell_length(width, ground) for s in (title, *legend)), *plot]

    def _draw(self, width: int, height: int) -> Picture:
        from tui.plotting.chart import View, draw

        view = View(
            width=width,
            height=height,
            window=self.window or self.data.x_range,
            x_end=self._x_end,
            log_y=self.data.log_y,
            y_span=self.y_span,
            without_outliers=self.without_outliers,
            with_raw=self.data.with_raw,
            cursor=self.cursor,
            markers_along=not has_colour(self),
            x_kind=self.data.x_kind,
            x_whole=self.data.x_whole,
            is_growing=self.data.is_growing,
            marks=self.data.marks,
            glyphs=glyphs(self),
            label_width=self._label_width,
        )
        return draw(self.data.lines, view)
