"""How a table of records is drawn: only the rows in view, and only those that look different."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Generic, TypeVar

from rich.segment import Segment
from rich.style import Style
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tui.formatting import Role, cut, cut_middle
from tui.plotting.palette import marker
from tui.widgets.columns import Cell, Column, fit_columns
from tui.widgets.repaint import refresh_changed
from tui.widgets.styles import is_dark, role_style, series_style

Row = TypeVar("Row")
UNDER_CURSOR = Style(underline=True, bold=True)
MARGIN = 2
"""Cells left of the first column: marker and blank."""


class TableView(ScrollView, Generic[Row], can_focus=True, inherit_bindings=False):
    """The picture of a table; what its rows are and what keys do is up to `Table`."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"table--header", "table--cursor", "table--idle"}
    DEFAULT_CSS = """
    TableView { background: $background; scrollbar-size-vertical: 1; overflow-x: hidden; }
    TableView > .table--header { color: $dim; text-style: bold; }
    TableView > .table--cursor { background: $cursor-row; }
    TableView > .table--idle { background: $cursor-idle; }
    """

    @dataclass(frozen=True, slots=True)
    class Sorting:
        """What the rows are sorted by."""

        key: str = ""
        reverse: bool = False

    def __init__(
        self,
        columns: Sequence[Column[Row]],
        key: Callable[[Row], str],
        *,
        id: str | None = None,  # noqa: A002 - the toolkit's word
    ) -> None:
        super().__init__(id=id)
        self.columns = tuple(columns)
        self._drawn_columns = self.columns
        self.rows: tuple[Row, ...] = ()
        self.sorting = TableView.Sorting()
        self.column_cursor = ""
        """Key of the column under the cursor; empty for the whole row."""
        self._key = key
        self._cursor = 0
        self._slots: Mapping[str, int] = {}
        self._fitted: tuple[tuple[Column[Row], int], ...] = ()
        self._strips: dict[tuple[int, str], Strip] = {}
        self._width = 0
        self._ground: Style | None = None
        """Style of the ground, once asked for: finding it is costly."""
        self._seen: list[Strip] = []
        """Rows as they are on the screen; empty when that is not known."""

    def is_marked(self, row: Row) -> bool:
        """Return True for a row that is selected."""
        del row
        return False

    @property
    def fitted(self) -> tuple[tuple[Column[Row], int], ...]:
        """The columns there is room for, with their widths."""
        width = self.scrollable_content_region.width
        if width != self._width:
            self._width = width
            self._strips.clear()
            self._fitted = ()
        if not self._fitted:
            self._fitted = fit_columns(self.columns, width - MARGIN, self.column_cursor)
        return self._fitted

    # Changes of what is drawn

    def show_slots(self, slots: Mapping[str, int]) -> None:
        """Mark rows with the colours their lines have in a chart."""
        before, self._slots = self._slots, dict(slots)
        if before != slots:
            keys = before.keys() | slots.keys()
            changed = {key for key in keys if before.get(key) != slots.get(key)}
            self._strips = {
                place: strip for place, strip in self._strips.items() if place[1] not in changed
            }
            self._send()

    def on_resize(self) -> None:
        """Fit the columns to the new width."""
        self.virtual_size = Size(self.size.width, len(self.rows) + 1)
        self._seen = []
        self._send()
        self._keep_in_view()

    def on_focus(self) -> None:
        """Show the cursor strongly."""
        self._repaint_rows(self._cursor)

    def on_blur(self) -> None:
        """Show the cursor faintly."""
        self._repaint_rows(self._cursor)

    def notify_style_update(self) -> None:
        """Forget what was drawn in another theme."""
        super().notify_style_update()
        self._strips.clear()
        self._ground = None
        self._seen = []

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Forget which row is where."""
        super().watch_scroll_y(old_value, new_value)
        self._seen = []

    def _keep_in_view(self) -> None:
        page = max(self.size.height - 1, 1)
        first = round(self.scroll_y)
        if self._cursor < first:
            self.scroll_to(y=self._cursor, animate=False, immediate=True)
        elif self._cursor >= first + page:
            self.scroll_to(y=self._cursor - page + 1, animate=False, immediate=True)

    def _repaint(self) -> None:
        """Draw the rows in view anew, and send those that look different."""
        self._strips.clear()
        self._fitted = ()
        self._ground = None
        self._send()

    def _repaint_changed(self, old: Sequence[Row], cursors: Container[int]) -> None:
        """Draw the rows anew that differ from those that were there, and where the cursor is.

        Other columns may show other things of equal rows: then every row is drawn anew.
        """
        if self.columns is not self._drawn_columns:
            self._drawn_columns = self.columns
            self._repaint()
            return
        rows = self.rows
        self._strips = {
            (index, key): strip
            for (index, key), strip in self._strips.items()
            if index < len(rows)
            and index not in cursors
            and self._key(rows[index]) == key
            and rows[index] == old[index]
        }
        self._send()

    def _repaint_rows(self, *indices: int) -> None:
        """Draw some rows anew; all others look as they did."""
        for index in indices:
            if index < len(self.rows):
                self._strips.pop((index, self._key(self.rows[index])), None)
        self._send()

    def _send(self) -> None:
        if not self.is_attached or not self.size.height:
            return
        before, self._seen = self._seen, [self.render_line(y) for y in range(self.size.height)]
        refresh_changed(self, before, self._seen)

    # Drawing

    def render_line(self, y: int) -> Strip:
        """Return a line of the viewport: the header or a row."""
        fitted, width = self.fitted, self._width
        if y == 0:
            return self._header(fitted, width)
        index = y - 1 + round(self.scroll_y)
        if index >= len(self.rows):
            return Strip.blank(width, self._plain)
        key = self._key(self.rows[index])
        strip = self._strips.get((index, key))
        if strip is None:
            strip = self._strips[index, key] = self._draw(index, key, width)
        return strip

    def _header(self, fitted: Sequence[tuple[Column[Row], int]], width: int) -> Strip:
        style = self.get_component_rich_style("table--header")
        segments = [Segment(" " * MARGIN, style)]
        for column, room in fitted:
            title = column.title
            if column.key == self.sorting.key:
                arrow = "▾" if self.sorting.reverse else "▴"
                title = cut(title, room - 1) + arrow
            here = style + UNDER_CURSOR if column.key == self.column_cursor else style
            segments.append(Segment(_fill(title, room, is_right=column.is_right), here))
            segments.append(Segment(" ", style))
        return Strip(segments).adjust_cell_length(width, self._plain)

    @property
    def _plain(self) -> Style:
        if self._ground is None:
            self._ground = self.rich_style
        return self._ground

    def _draw(self, index: int, key: str, width: int) -> Strip:
        dark = is_dark(self)
        ground = self._plain
        is_here = index == self._cursor
        if is_here:
            name = "table--cursor" if self.has_focus else "table--idle"
            ground += Style(bgcolor=self.get_component_rich_style(name).bgcolor)
        row = self.rows[index]
        segments = [self._margin(row, key, ground, dark=dark)]
        for column, room in self.fitted:
            cell = column.cell(row)
            if cell.spans:
                segments.append(Segment(cell.text, ground + _cell_style(cell, dark=dark)))
                break
            shorten = cut_middle if column.cuts_middle else cut
            text = _fill(shorten(cell.text, room), room, is_right=column.is_right)
            if column.takes_colour and key in self._slots:
                style = series_style(self._slots[key], dark=dark)
            else:
                style = _cell_style(cell, dark=dark)
            style = ground + style
            if is_here and column.key == self.column_cursor:
                style += UNDER_CURSOR
            segments.append(Segment(text, style))
            segments.append(Segment(" ", ground))
        return Strip(segments).adjust_cell_length(width, ground)

    def _margin(self, row: Row, key: str, ground: Style, *, dark: bool) -> Segment:
        is_selected = self.is_marked(row)
        slot = self._slots.get(key)
        if slot is not None:
            style = ground + series_style(slot, dark=dark) + Style(bold=is_selected)
            return Segment(marker(slot) + ("▏" if is_selected else " "), style)
        style = ground + role_style(Role.ACCENT, dark=dark)
        return Segment("▪▏" if is_selected else "  ", style)


def _fill(text: str, width: int, *, is_right: bool) -> str:
    text = cut(text, width)
    return text.rjust(width) if is_right else text.ljust(width)


def _cell_style(cell: Cell, *, dark: bool) -> Style:
    if cell.slot is not None:
        return series_style(cell.slot, dark=dark)
    return role_style(cell.role, dark=dark)
