"""The table of runs, in groups where the user wants them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar, cast

from textual.binding import Binding, BindingType

from tui.widgets.columns import sort_rows
from tui.widgets.run_columns import SPARK_WIDTH, columns_of, value_of
from tui.widgets.run_rows import RunGroup, RunLine, RunRow, group_rows
from tui.widgets.table import Table

__all__ = ["SPARK_WIDTH", "RunRow", "RunTable"]


class RunTable(Table[RunLine]):
    """Runs; the marker on the left is that of the run's line in the chart."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("less_than_sign", "move_column(-1)", "move the column left", show=False),
        Binding("greater_than_sign", "move_column(1)", "move the column right", show=False),
    ]

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - the toolkit's word
        columns = columns_of((), has_baseline=False, groups=False)
        super().__init__(columns, lambda line: line.key, selectable=True, opens=True, id=id)
        self.names: tuple[str, ...] = ()
        """Columns the user chose; empty for the default ones."""
        self.group = ""
        """Name the runs are grouped by."""
        self.folded: frozenset[str] = frozenset()
        self.groups: tuple[RunGroup, ...] = ()
        """The groups in their order; empty without."""
        self.has_baseline = False

    # Values in

    def set_columns(self, names: Iterable[str], *, has_baseline: bool) -> None:
        """Show other columns."""
        self.names, self.has_baseline = tuple(names), has_baseline
        self._fit_groups()
        self._arrange()

    def set_group(self, name: str, folded: Iterable[str]) -> None:
        """Group by a name; an empty one ends that."""
        self.group, self.folded = name, frozenset(folded)
        self._fit_groups()
        self._arrange()

    def _fit_groups(self) -> None:
        names, groups = self.names, bool(self.group)
        self.columns = columns_of(names, has_baseline=self.has_baseline, groups=groups)
        self._strips.clear()
        self._fitted = ()

    # Order

    def ordered(self, rows: Sequence[RunLine]) -> tuple[RunLine, ...]:
        """Return the rows as they are shown: sorted, in groups, those of folded ones left out."""
        column = self._column(self.sorting.key)
        if not self.group:
            self.groups = ()
            return sort_rows(rows, column, reverse=self.reverse)
        runs = cast("Sequence[RunRow]", rows)
        groups = group_rows(runs, value_of(self.group), self.folded)
        self.groups = cast("tuple[RunGroup, ...]", sort_rows(groups, column, reverse=self.reverse))
        lines: list[RunLine] = []
        for group in self.groups:
            lines.append(group)
            if not group.is_folded:
                lines += self._sorted(group)
        return tuple(lines)

    def records(self) -> tuple[RunLine, ...]:
        """Return all runs in their order, those of folded groups as well."""
        if not self.groups:
            return self.rows
        return tuple(row for group in self.groups for row in self._sorted(group))

    def _sorted(self, group: RunGroup) -> tuple[RunLine, ...]:
        column = self._column(self.sorting.key)
        return sort_rows(cast("Sequence[RunLine]", group.runs), column, reverse=self.reverse)

    def keys_of(self, row: RunLine) -> tuple[str, ...]:
        """Return the run's id, or those of all runs of a group."""
        return (row.key,) if isinstance(row, RunRow) else tuple(one.key for one in row.runs)

    # Questions

    @property
    def runs(self) -> tuple[RunRow, ...]:
        """All runs in their order."""
        return tuple(row for row in self.records() if isinstance(row, RunRow))

    @property
    def cursor_run(self) -> RunRow | None:
        """The run under the cursor; of a group its first."""
        row = self.cursor_row
        if row is None or isinstance(row, RunRow):
            return row
        return row.runs[0]

    @property
    def chosen_runs(self) -> tuple[RunRow, ...]:
        """The selected runs, else the one, or the group, under the cursor."""
        return tuple(row for row in self.chosen if isinstance(row, RunRow))

    # Keys

    def action_open(self) -> None:
        """Open a run; fold or unfold a group."""
        row = self.cursor_row
        if isinstance(row, RunGroup):
            self.folded ^= {row.label}
            self._arrange()
            self._changed()
        else:
            super().action_open()

    def action_move_column(self, direction: int) -> None:
        """Move the column under the cursor to the left or to the right."""
        keys = [column.key for column in self.columns]
        if self.column_cursor in keys:
            place = keys.index(self.column_cursor)
            other = min(max(place + direction, 0), len(keys) - 1)
            keys.insert(other, keys.pop(place))
            self.set_columns(keys, has_baseline=self.has_baseline)
            self._changed()
