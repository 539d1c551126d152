"""A table of records that draws only the rows in view: 10,000 rows cost as little as ten."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tui.formatting import Role, cut, cut_middle
from tui.plotting.palette import marker
from tui.widgets.columns import Cell, Column, fit_columns, sort_rows
from tui.widgets.repaint import refresh_changed
from tui.widgets.styles import is_dark, role_style, series_style

Row = TypeVar("Row")
MARGIN = 2
"""Cells left of the first column: marker and blank."""


class Table(ScrollView, Generic[Row], can_focus=True, inherit_bindings=False):
    """Rows with keys, a cursor that follows its row, sorting, and (on request) a selection."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"table--header", "table--cursor", "table--idle"}
    DEFAULT_CSS = """
    Table { background: $background; scrollbar-size-vertical: 1; overflow-x: hidden; }
    Table > .table--header { color: $dim; text-style: bold; }
    Table > .table--cursor { background: $cursor-row; }
    Table > .table--idle { background: $cursor-idle; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "open", "open"),
        Binding("j,down", "move(1)", "down", show=False),
        Binding("k,up", "move(-1)", "up", show=False),
        Binding("g,home", "edge(-1)", "top", show=False),
        Binding("G,end", "edge(1)", "bottom", show=False),
        Binding("ctrl+d", "page(0.5)", "half a page down", show=False),
        Binding("ctrl+u", "page(-0.5)", "half a page up", show=False),
        Binding("pagedown,ctrl+f", "page(1)", "page down", show=False),
        Binding("pageup,ctrl+b", "page(-1)", "page up", show=False),
        Binding("o", "sort", "sort by next column", show=False),
        Binding("O", "reverse", "reverse the sort", show=False),
        Binding("space", "select", "select"),
        Binding("A", "select_all", "select all or none", show=False),
    ]

    class Highlighted(Message):
        """The cursor is on another row, or on none."""

        def __init__(self, table: Table[Any], key: str | None) -> None:
            super().__init__()
            self.table, self.key = table, key

        @property
        def control(self) -> Table[Any]:
            """The table it comes from."""
            return self.table

    class Opened(Highlighted):
        """A row was opened with enter or a double click."""

    class Changed(Highlighted):
        """Selection or sorting changed."""

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
        sorting: tuple[str, bool] = ("", False),
        selectable: bool = False,
        opens: bool = False,
        id: str | None = None,  # noqa: A002 - the toolkit's word
    ) -> None:
        super().__init__(id=id)
        self.columns = tuple(columns)
        self.sorting = Table.Sorting(*sorting)
        self.selectable = selectable
        self.opens = opens
        self.selection: frozenset[str] = frozenset()
        self.rows: tuple[Row, ...] = ()
        self._key = key
        self._index: dict[str, int] = {}
        self._cursor = 0
        self._slots: Mapping[str, int] = {}
        self._fitted: tuple[tuple[Column[Row], int], ...] = ()
        self._strips: dict[tuple[int, str], Strip] = {}
        self._width = 0
        self._seen: list[Strip] = []
        """Rows as they are on the screen; empty when that is not known."""

    # Values in

    def show(self, rows: Iterable[Row]) -> None:
        """Show these records; cursor, scroll and selection stay with their rows."""
        before = self.cursor_key
        self.rows = sort_rows(tuple(rows), self._column(self.sorting.key), reverse=self.reverse)
        self._index = {self._key(row): place for place, row in enumerate(self.rows)}
        self.selection &= self._index.keys()
        self._cursor = self._index.get(before or "", min(self._cursor, max(len(self.rows) - 1, 0)))
        self.virtual_size = Size(self.size.width, len(self.rows) + 1)
        self._repaint()
        if self.cursor_key != before:
            self._keep_in_view()
            self.post_message(self.Highlighted(self, self.cursor_key))

    def show_slots(self, slots: Mapping[str, int]) -> None:
        """Mark rows with the colours their lines have in a chart."""
        if slots != self._slots:
            self._slots = dict(slots)
            self._repaint()

    # Questions

    @property
    def reverse(self) -> bool:
        """True when the largest value comes first."""
        return self.sorting.reverse

    @property
    def cursor_key(self) -> str | None:
        """Key of the row under the cursor."""
        return self._key(self.rows[self._cursor]) if self._cursor < len(self.rows) else None

    @property
    def cursor_row(self) -> Row | None:
        """Record under the cursor."""
        return self.rows[self._cursor] if self._cursor < len(self.rows) else None

    @property
    def chosen(self) -> tuple[Row, ...]:
        """Records an action is meant for: those selected, else the one under the cursor."""
        if self.selection:
            return tuple(row for row in self.rows if self._key(row) in self.selection)
        return () if self.cursor_row is None else (self.cursor_row,)

    def keys_in_view(self) -> tuple[str, ...]:
        """Return the keys of the rows that can be seen now."""
        first = round(self.scroll_y)
        return tuple(self._key(row) for row in self.rows[first : first + max(self.size.height, 1)])

    # Keys and mouse

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Return whether an action makes sense for this table."""
        del parameters
        if action == "open":
            return self.opens
        return self.selectable or action not in ("select", "select_all")

    def action_move(self, rows: int) -> None:
        """Move the cursor by some rows."""
        self.move_to(self._cursor + rows)

    def action_edge(self, direction: int) -> None:
        """Move the cursor to the first or the last row."""
        self.move_to(len(self.rows) if direction > 0 else 0)

    def action_page(self, pages: float) -> None:
        """Move the cursor by pages."""
        self.move_to(self._cursor + round(pages * max(self.size.height - 2, 1)))

    def action_open(self) -> None:
        """Open the row under the cursor."""
        if self.opens and self.cursor_key is not None:
            self.post_message(self.Opened(self, self.cursor_key))

    def action_select(self) -> None:
        """Select the row under the cursor, or no longer, and go to the next."""
        if self.cursor_key is not None:
            self.selection ^= {self.cursor_key}
            self._changed()
            self.action_move(1)

    def action_select_all(self) -> None:
        """Select every row, or none when any is selected."""
        self.selection = frozenset() if self.selection else frozenset(self._index)
        self._changed()

    def action_sort(self) -> None:
        """Sort by the next column."""
        sortable = [column.key for column, _ in self._fitted if column.sort is not None]
        if sortable:
            place = sortable.index(self.sorting.key) + 1 if self.sorting.key in sortable else 0
            self.sort_by(sortable[place % len(sortable)], reverse=self.reverse)

    def action_reverse(self) -> None:
        """Turn the order round."""
        self.sort_by(self.sorting.key, reverse=not self.reverse)

    def clear_selection(self) -> None:
        """Select nothing."""
        if self.selection:
            self.selection = frozenset()
            self._changed()

    def sort_by(self, key: str, *, reverse: bool) -> None:
        """Sort by a column; the cursor stays on its row."""
        self.sorting = Table.Sorting(key, reverse)
        self.show(self.rows)
        self._keep_in_view()
        self._changed()

    def move_to(self, index: int) -> None:
        """Put the cursor on a row, as far as there are rows."""
        index = min(max(index, 0), max(len(self.rows) - 1, 0))
        if index != self._cursor:
            self._cursor = index
            self._keep_in_view()
            self._repaint()
            self.post_message(self.Highlighted(self, self.cursor_key))

    def move_to_key(self, key: str) -> None:
        """Put the cursor on the row with this key, if it is there."""
        if key in self._index:
            self.move_to(self._index[key])

    def on_click(self, event: events.Click) -> None:
        """Put the cursor on the row, sort by the header, select by the margin."""
        event.stop()
        if event.y == 0:
            self._sort_at(event.x)
            return
        row = event.y - 1 + round(self.scroll_y)
        if row < len(self.rows):
            self.move_to(row)
            if self.selectable and (event.x < MARGIN or event.ctrl):
                self.selection ^= {self._key(self.rows[row])}
                self._changed()
            elif event.chain == 2:
                self.action_open()

    def _sort_at(self, x: int) -> None:
        start = MARGIN
        for column, width in self._fitted:
            if start <= x < start + width and column.sort is not None:
                again = column.key == self.sorting.key
                self.sort_by(column.key, reverse=not self.reverse if again else False)
            start += width + 1

    # Drawing

    def on_resize(self) -> None:
        """Fit the columns to the new width."""
        self.virtual_size = Size(self.size.width, len(self.rows) + 1)
        self._repaint()
        self._keep_in_view()

    def on_focus(self) -> None:
        """Show the cursor strongly."""
        self._repaint()

    def on_blur(self) -> None:
        """Show the cursor faintly."""
        self._repaint()

    def notify_style_update(self) -> None:
        """Forget what was drawn in another theme."""
        super().notify_style_update()
        self._strips.clear()
        self._seen = []

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Forget which row is where."""
        super().watch_scroll_y(old_value, new_value)
        self._seen = []

    def render_line(self, y: int) -> Strip:
        """Return a line of the viewport: the header or a row."""
        width = self.scrollable_content_region.width
        if width != self._width:
            self._width = width
            self._strips.clear()
            self._fitted = ()
        if not self._fitted:
            self._fitted = fit_columns(self.columns, width - MARGIN)
        if y == 0:
            return self._header(width)
        index = y - 1 + round(self.scroll_y)
        if index >= len(self.rows):
            return Strip.blank(width, self.rich_style)
        key = self._key(self.rows[index])
        if (index, key) not in self._strips:
            self._strips[index, key] = self._draw(index, key, width)
        return self._strips[index, key]

    def _header(self, width: int) -> Strip:
        style = self.get_component_rich_style("table--header")
        segments = [Segment(" " * MARGIN, style)]
        for column, room in self._fitted:
            title = column.title
            if column.key == self.sorting.key:
                arrow = "▾" if self.reverse else "▴"
                title = cut(title, room - 1) + arrow
            segments.append(Segment(_fill(title, room, is_right=column.is_right) + " ", style))
        return Strip(segments).adjust_cell_length(width, self.rich_style)

    def _draw(self, index: int, key: str, width: int) -> Strip:
        dark = is_dark(self)
        ground = self.rich_style
        if index == self._cursor:
            name = "table--cursor" if self.has_focus else "table--idle"
            ground += Style(bgcolor=self.get_component_rich_style(name).bgcolor)
        segments = [self._margin(key, ground, dark=dark)]
        for column, room in self._fitted:
            cell = column.cell(self.rows[index])
            if cell.spans:
                segments.append(Segment(cell.text, ground + _cell_style(cell, dark=dark)))
                break
            shorten = cut_middle if column.cuts_middle else cut
            text = _fill(shorten(cell.text, room), room, is_right=column.is_right) + " "
            if column.takes_colour and key in self._slots:
                style = series_style(self._slots[key], dark=dark)
            else:
                style = _cell_style(cell, dark=dark)
            segments.append(Segment(text, ground + style))
        return Strip(segments).adjust_cell_length(width, ground)

    def _margin(self, key: str, ground: Style, *, dark: bool) -> Segment:
        is_selected = key in self.selection
        slot = self._slots.get(key)
        if slot is not None:
            style = ground + series_style(slot, dark=dark) + Style(bold=is_selected)
            return Segment(marker(slot) + ("▏" if is_selected else " "), style)
        style = ground + role_style(Role.ACCENT, dark=dark)
        return Segment("▪▏" if is_selected else "  ", style)

    def _column(self, key: str) -> Column[Row] | None:
        return next((column for column in self.columns if column.key == key), None)

    def _keep_in_view(self) -> None:
        page = max(self.size.height - 1, 1)
        first = round(self.scroll_y)
        if self._cursor < first:
            self.scroll_to(y=self._cursor, animate=False, immediate=True)
        elif self._cursor >= first + page:
            self.scroll_to(y=self._cursor - page + 1, animate=False, immediate=True)

    def _changed(self) -> None:
        self._repaint()
        self.post_message(self.Changed(self, self.cursor_key))

    def _repaint(self) -> None:
        """Draw the rows in view anew, and send those that look different."""
        self._strips.clear()
        self._fitted = ()
        if not self.is_attached or not self.size.height:
            return
        before, self._seen = self._seen, [self.render_line(y) for y in range(self.size.height)]
        refresh_changed(self, before, self._seen)


def _fill(text: str, width: int, *, is_right: bool) -> str:
    text = cut(text, width)
    return text.rjust(width) if is_right else text.ljust(width)


def _cell_style(cell: Cell, *, dark: bool) -> Style:
    if cell.slot is not None:
        return series_style(cell.slot, dark=dark)
    return role_style(cell.role, dark=dark)
