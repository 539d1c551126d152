"""A table of records that draws only the rows in view: 10,000 rows cost as little as ten."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from operator import is_
from typing import Any, ClassVar, Generic, TypeVar

from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.message import Message

from tui.widgets.columns import Column, sort_rows
from tui.widgets.host import host
from tui.widgets.table_view import MARGIN, TableView

Row = TypeVar("Row")


class Table(TableView[Row], Generic[Row], inherit_bindings=False):
    """Rows with keys, a cursor that follows its row, sorting, and (on request) a selection."""

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
        Binding("left", "column(-1)", "column to the left", show=False),
        Binding("right", "column(1)", "column to the right", show=False),
        Binding("o", "sort", "sort by next column", show=False),
        Binding("O", "reverse", "reverse the sort", show=False),
        Binding("equals_sign", "sort_here", "sort by this column", show=False),
        Binding("space", "select", "select"),
        Binding("V", "range", "select from here to ...", show=False),
        Binding("A", "select_all", "select all or none", show=False),
        Binding("y", "copy_cell", "copy the cell", show=False),
        Binding("ctrl+y", "copy_rows", "copy the rows", show=False),
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
        super().__init__(columns, key, id=id)
        self.sorting = TableView.Sorting(*sorting)
        self.selectable = selectable
        self.opens = opens
        self.selection: frozenset[str] = frozenset()
        self.range_start: str | None = None
        """Where a range begins that is not ended yet."""
        self._items: tuple[Row, ...] = ()
        self._arranged: object = None
        """What the rows were arranged by."""
        self._index: dict[str, int] = {}

    # Values in

    def show(self, rows: Iterable[Row]) -> None:
        """Show these records; cursor, scroll and selection stay with their rows."""
        items = tuple(rows)
        if self._is_arranged_for(items):
            return
        self._items = items
        if self.selection:
            self.selection &= frozenset(map(self._key, items))
        self._arrange()

    def _is_arranged_for(self, items: tuple[Row, ...]) -> bool:
        """Return True where the very same records are shown already, in the order asked for."""
        if self._arranged != (self.columns, self.sorting) or len(items) != len(self._items):
            return False
        return all(map(is_, items, self._items))

    def ordered(self, rows: Sequence[Row]) -> tuple[Row, ...]:
        """Return the rows in the order they are shown in."""
        return sort_rows(rows, self._column(self.sorting.key), reverse=self.reverse)

    def keys_of(self, row: Row) -> tuple[str, ...]:
        """Return the keys that selecting a row selects."""
        return (self._key(row),)

    def _arrange(self) -> None:
        self._arranged = (self.columns, self.sorting)
        before, old, place = self.cursor_key, self.rows, self._cursor
        self.rows = self.ordered(self._items)
        self._index = {self._key(row): place for place, row in enumerate(self.rows)}
        self._cursor = self._index.get(before or "", min(self._cursor, max(len(self.rows) - 1, 0)))
        self.virtual_size = Size(self.size.width, len(self.rows) + 1)
        self._repaint_changed(old, {place, self._cursor})
        if self.cursor_key != before:
            self._keep_in_view()
            self.post_message(self.Highlighted(self, self.cursor_key))

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
        keys = self.selection
        if not keys and self.cursor_row is not None:
            keys = frozenset(self.keys_of(self.cursor_row))
        return tuple(row for row in self.records() if self._key(row) in keys)

    def records(self) -> tuple[Row, ...]:
        """Return all records in their order, those that are folded away as well."""
        return self.rows

    def keys_in_view(self) -> tuple[str, ...]:
        """Return the keys of the rows that can be seen now."""
        first = round(self.scroll_y)
        return tuple(self._key(row) for row in self.rows[first : first + max(self.size.height, 1)])

    def is_marked(self, row: Row) -> bool:
        """Return True for a row that is selected, or will be when the range ends here."""
        keys = self.keys_of(row)
        if self.range_start is not None and self._key(row) in self._index:
            low, high = sorted((self._index.get(self.range_start, self._cursor), self._cursor))
            if low <= self._index[self._key(row)] <= high:
                return True
        return bool(keys) and self.selection.issuperset(keys)

    # Keys and mouse

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Return whether an action makes sense for this table."""
        del parameters
        if action == "open":
            return self.opens
        return self.selectable or action not in ("select", "select_all", "range")

    def action_move(self, rows: int) -> None:
        """Move the cursor by some rows."""
        self.move_to(self._cursor + rows)

    def action_edge(self, direction: int) -> None:
        """Move the cursor to the first or the last row."""
        self.move_to(len(self.rows) if direction > 0 else 0)

    def action_page(self, pages: float) -> None:
        """Move the cursor by pages."""
        self.move_to(self._cursor + round(pages * max(self.size.height - 2, 1)))

    def action_column(self, direction: int) -> None:
        """Move the cursor to another column; also to those there was no room for."""
        keys = [column.key for column in self.columns]
        if keys:
            here = keys.index(self.column_cursor) if self.column_cursor in keys else -1
            place = here + direction if here >= 0 else (0 if direction > 0 else len(keys) - 1)
            self.column_cursor = keys[min(max(place, 0), len(keys) - 1)]
            self._repaint()

    def action_open(self) -> None:
        """Open the row under the cursor."""
        if self.opens and self.cursor_key is not None:
            self.post_message(self.Opened(self, self.cursor_key))

    def action_select(self) -> None:
        """Select the row under the cursor, or no longer, and go to the next."""
        if self.cursor_row is not None:
            self._toggle(self.cursor_row)
            self.action_move(1)

    def action_range(self) -> None:
        """Begin a range at the cursor; the second time, select from there to the cursor."""
        if self.range_start is None or self.range_start not in self._index:
            self.range_start = self.cursor_key
        else:
            self._select_range(self._index[self.range_start], self._cursor)
        self._changed()

    def action_select_all(self) -> None:
        """Select every row, or none when any is selected."""
        every = frozenset(map(self._key, self._items))
        self.selection = frozenset() if self.selection else every
        self.range_start = None
        self._changed()

    def action_sort(self) -> None:
        """Sort by the next column."""
        sortable = [column.key for column, _ in self.fitted if column.sort is not None]
        if sortable:
            place = sortable.index(self.sorting.key) + 1 if self.sorting.key in sortable else 0
            self.sort_by(sortable[place % len(sortable)], reverse=self.reverse)

    def action_sort_here(self) -> None:
        """Sort by the column under the cursor; the second time, the other way round."""
        column = self._column(self.column_cursor)
        if column is not None and column.sort is not None:
            again = column.key == self.sorting.key
            self.sort_by(column.key, reverse=not self.reverse if again else False)

    def action_reverse(self) -> None:
        """Turn the order round."""
        self.sort_by(self.sorting.key, reverse=not self.reverse)

    def action_copy_cell(self) -> None:
        """Copy the cell under the cursor, else the name of the row."""
        row = self.cursor_row
        column = self._column(self.column_cursor) or next(
            (c for c in self.columns if c.grows), None
        )
        if row is not None and column is not None:
            self._copy(column.cell(row).text, column.title or column.key)

    def action_copy_rows(self) -> None:
        """Copy the chosen rows as they are shown, with tabs between the cells."""
        rows = self.chosen
        if rows:
            columns = [column for column, _ in self.fitted]
            lines = ("\t".join(column.cell(row).text for column in columns) for row in rows)
            self._copy("\n".join(lines), f"{len(rows)} row{'' if len(rows) == 1 else 's'}")

    def clear_selection(self) -> None:
        """Select nothing, and begin no range."""
        if self.selection or self.range_start is not None:
            self.selection, self.range_start = frozenset(), None
            self._changed()

    def select(self, keys: Iterable[str]) -> None:
        """Select the rows with these keys, as far as they are here."""
        here = frozenset(keys) & frozenset(map(self._key, self._items))
        if here != self.selection:
            self.selection = here
            self._changed()

    def sort_by(self, key: str, *, reverse: bool) -> None:
        """Sort by a column; the cursor stays on its row."""
        self.sorting = TableView.Sorting(key, reverse)
        self._arrange()
        self._keep_in_view()
        self._changed()

    def move_to(self, index: int) -> None:
        """Put the cursor on a row, as far as there are rows."""
        index = min(max(index, 0), max(len(self.rows) - 1, 0))
        if index != self._cursor:
            before, self._cursor = self._cursor, index
            self._keep_in_view()
            if self.range_start is None:
                self._repaint_rows(before, index)
            else:
                self._repaint()
            self.post_message(self.Highlighted(self, self.cursor_key))

    def move_to_key(self, key: str) -> None:
        """Put the cursor on the row with this key, if it is there."""
        if key in self._index:
            self.move_to(self._index[key])

    def on_click(self, event: events.Click) -> None:
        """Put the cursor on the row, sort by the header, select by the margin or with ctrl."""
        event.stop()
        column = self._column_at(event.x)
        if event.y == 0:
            if column is not None and column.sort is not None:
                again = column.key == self.sorting.key
                self.sort_by(column.key, reverse=not self.reverse if again else False)
            return
        row, before = event.y - 1 + round(self.scroll_y), self._cursor
        if row >= len(self.rows):
            return
        self.move_to(row)
        if self.selectable and event.shift:
            self._select_range(before, row)
            self._changed()
        elif self.selectable and (event.x < MARGIN or event.ctrl):
            self._toggle(self.rows[row])
        elif event.chain == 2:
            self.action_open()

    def _column_at(self, x: int) -> Column[Row] | None:
        start = MARGIN
        for column, width in self.fitted:
            if start <= x < start + width:
                return column
            start += width + 1
        return None

    def _toggle(self, row: Row) -> None:
        keys = frozenset(self.keys_of(row))
        if self.selection >= keys:
            self.selection -= keys
        else:
            self.selection |= keys
        if len(keys) == 1 and len(self.rows) == len(self._items):  # else it may be of a group
            self._repaint_rows(self._index[self._key(row)])
            self.post_message(self.Changed(self, self.cursor_key))
        else:
            self._changed()

    def _select_range(self, start: int, end: int) -> None:
        low, high = sorted((start, end))
        for row in self.rows[low : high + 1]:
            self.selection |= frozenset(self.keys_of(row))
        self.range_start = None

    def _copy(self, text: str, what: str) -> None:
        host(self).copy_to_clipboard(text)
        self.notify(f"Copied {what}." if len(text) > 60 or "\n" in text else f"Copied {text}.")

    def _column(self, key: str) -> Column[Row] | None:
        return next((column for column in self.columns if column.key == key), None)

    def _changed(self) -> None:
        self._repaint()
        self.post_message(self.Changed(self, self.cursor_key))
