"""The list side of the Runs screen: filter, columns, groups, and what of it is remembered."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar, cast

from textual.binding import Binding, BindingType
from textual.message import Message

from db.records import Run
from tui.formatting import day_begin, plural
from tui.gateway import Gateway, GatewayError
from tui.gateway_runs import RunNames
from tui.records import RunsBody
from tui.screens.base import Clock
from tui.screens.curves import CurvesScreen
from tui.widgets.column_chooser import ColumnChooser
from tui.widgets.dialogs import Choose
from tui.widgets.filter_line import MAX_HISTORY, FilterLine, has_words, is_expression
from tui.widgets.host import host
from tui.widgets.run_columns import DEFAULT_COLUMNS, DELTA, RUN_COLUMNS, names_to_read
from tui.widgets.run_rows import NO_VALUES, RunRow
from tui.widgets.run_table import RunTable
from tui.widgets.table import Table

NO_GROUP = "(no groups)"
GROUPS = ("variant", "model", "data", "dataset", "seed", "group", "status", "host", "tags")
"""Columns that runs are grouped by, offered before the settings."""


class NamesRead(Message):
    """The names that filters and columns can use."""

    def __init__(self, names: RunNames, wanted: str) -> None:
        super().__init__()
        self.names = names
        self.wanted = wanted
        """What they were asked for: `filter`, `columns` or `group`."""


class ValuesRead(Message):
    """The values that runs have under a name."""

    def __init__(self, name: str, values: tuple[str, ...]) -> None:
        super().__init__()
        self.name, self.values = name, values


class RunListScreen(CurvesScreen):
    """A table of runs with a filter."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "filter", "filter", key_display="/"),
        Binding("C", "columns", "columns"),
        Binding("u", "group", "group"),
        Binding("Z", "show_archived", "archived ones too", show=False),
        Binding("escape", "clear", "no filter, no selection", show=False),
    ]

    def __init__(self, gateway: Gateway, time: Clock) -> None:
        super().__init__(gateway, time)
        self.filter = gateway.remembered.settings.filter
        self._typed: str | None = None
        """A filter the user has just typed and that was not read yet."""
        self._filter_problem = ""
        self.archived = False
        self._is_restored = False
        self._kept: dict[str, RunRow] = {}
        """Rows as they were handed to the table: equal ones stay the same objects."""
        self._baseline_row: RunRow | None = None

    # Parts

    @property
    def table(self) -> RunTable:
        """The table of runs."""
        return self.query_one(RunTable)

    @property
    def body(self) -> RunsBody:
        """What is shown now."""
        return cast(RunsBody, self.frame.body) if self.frame else RunsBody()

    @property
    def where(self) -> str:
        """The filter in force as an expression; empty where it is words."""
        return self.filter if is_expression(self.filter) else ""

    def remember(self, **changes: Any) -> None:
        """Remember how the user looks at the runs."""
        remembered = self.gateway.remembered
        remembered.remember(replace(remembered.settings, **changes))

    def run_id_here(self) -> str | None:
        """Return the run under the cursor."""
        row = self.table.cursor_run
        return None if row is None else row.run.id

    def names_needed(self) -> tuple[str, ...]:
        """Return the settings and metrics that columns, groups and order need."""
        table = self.table
        return names_to_read((*table.names, table.group, table.sorting.key))

    # Showing

    def show_rows(self) -> None:
        """Hand the runs to the table."""
        if not self._is_restored:
            self._restore()
        body = self.body
        now = self.frame.read_at if self.frame else 0.0
        table = self.table
        pinned = body.baseline
        if (pinned is not None) != table.has_baseline:
            table.set_columns(table.names, has_baseline=pinned is not None)
        table.show(self._rows(body, now))
        if not self._is_restored and body.runs:
            self._is_restored = True
            table.select(self.gateway.remembered.settings.selected)

    def _rows(self, body: RunsBody, now: float) -> Iterator[RunRow]:
        today = day_begin(now)
        before, self._kept = self._kept, {}
        baseline = None if body.baseline is None else self._kept_row(body, body.baseline, now)
        words = "" if self.where else self.filter
        for run in body.runs:
            if words and not has_words(words, _haystack(run)):
                continue
            run_id = run.id
            spark, values = body.sparks.get(run_id, ()), body.values.get(run_id, NO_VALUES)
            time = now if run.state.is_live else today
            row = before.get(run_id)
            if (
                row is None
                or row.run is not run
                or row.now != time
                or row.baseline is not baseline
                or row.values is not values
                or row.spark != spark
            ):
                row = RunRow(run=run, spark=spark, now=time, values=values, baseline=baseline)
            self._kept[run_id] = row
            yield row

    def _kept_row(self, body: RunsBody, run: Run, now: float) -> RunRow:
        """Return the row of the pinned run: the same object as long as nothing of it changes."""
        values = body.values.get(run.id, NO_VALUES)
        row = RunRow(run=run, now=now if run.state.is_live else 0.0, values=values)
        if row != self._baseline_row:
            self._baseline_row = row
        return self._baseline_row or row

    def _restore(self) -> None:
        """Look at the runs as the user did the last time."""
        settings = self.gateway.remembered.settings
        table = self.table
        table.sorting = RunTable.Sorting(settings.sort, settings.reverse)
        table.set_columns(settings.columns, has_baseline=self.body.baseline is not None)
        table.set_group(settings.group, settings.folded)

    def show_filter_problem(self, where: str) -> None:
        """Say what is wrong with a filter where it was typed; `where` is the one that was read."""
        self._filter_problem = self.body.filter_problem
        if self._typed is not None and self._typed == where:
            typed, self._typed = self._typed, None
            if self._filter_problem:
                line = self.query_one(FilterLine)
                line.open(typed, self.gateway.remembered.settings.filters)
                line.refuse(self._filter_problem)

    def list_status(self) -> list[str]:
        """Return how many runs are shown, by what filter, in what order."""
        table = self.table
        total = max(self.frame.counts.runs if self.frame else 0, len(self.body.runs))
        shown = len(table.records())
        parts = [plural(total, "run") if shown == total else f"{shown:,} of {total:,} runs"]
        if self.filter:
            parts.append(f"filter: {self.filter}")
        if self._filter_problem:
            parts.append(self._filter_problem.partition("\n")[0])
        if self.archived:
            parts.append("archived ones too")
        if table.range_start is not None:
            parts.append("range: V ends it")
        if table.selection:
            parts.append(f"{len(table.selection)} selected")
        if table.group:
            parts.append(f"{plural(len(table.groups), 'group')} by {table.group}")
        if table.sorting.key:
            parts.append(f"by {table.sorting.key}{', largest first' if table.reverse else ''}")
        if table.names and len(table.fitted) < len(table.columns):
            hidden = len(table.columns) - len(table.fitted)
            parts.append(f"{hidden} columns more: ← →")
        return parts

    def on_table_changed(self, _message: Table.Changed) -> None:
        """Remember how the table is looked at."""
        table = self.table
        if self._is_restored:
            self.remember(
                sort=table.sorting.key,
                reverse=table.reverse,
                columns=table.names,
                folded=tuple(sorted(table.folded)),
                selected=tuple(sorted(table.selection)),
            )

    # Filter

    def action_filter(self) -> None:
        """Let the user type a filter."""
        self.query_one(FilterLine).open(self.filter, self.gateway.remembered.settings.filters)

    def on_filter_line_asked(self, message: FilterLine.Asked) -> None:
        """Read names or values that can be completed."""
        if message.name:
            self._read_in_thread(partial(self._read_values, message.name))
        else:
            self._read_in_thread(partial(self._read_names, "filter"))

    def on_filter_line_filtered(self, message: FilterLine.Filtered) -> None:
        """Put the filter in force."""
        had_expression = bool(self.where)
        self.filter = message.text
        self._filter_problem = ""
        if message.is_final:
            self._typed = message.text if is_expression(message.text) else None
            filters = self.gateway.remembered.settings.filters
            if message.text:
                others = tuple(one for one in filters if one != message.text)
                filters = (message.text, *others)[:MAX_HISTORY]
            self.remember(filter=message.text, filters=filters)
            self.query_one(FilterLine).close()
            self.table.focus()
        if had_expression or self.where:
            self.reread()
        self.rows_changed()

    def rows_changed(self) -> None:
        """Show other rows, and all that follows from them."""

    def action_clear(self) -> None:
        """Take away the selection, else the filter."""
        table = self.table
        if table.selection or table.range_start is not None:
            table.clear_selection()
        elif self.filter:
            self.on_filter_line_filtered(FilterLine.Filtered("", is_final=True))

    def action_show_archived(self) -> None:
        """Show the runs that were put away as well, or no longer."""
        self.archived = not self.archived
        self.reread()

    # Columns and groups

    def action_columns(self) -> None:
        """Let the user choose the columns."""
        self._read_in_thread(partial(self._read_names, "columns"))

    def action_group(self) -> None:
        """Let the user choose what the runs are grouped by."""
        self._read_in_thread(partial(self._read_names, "group"))

    def on_names_read(self, message: NamesRead) -> None:
        """Offer the names where they were asked for."""
        names, table = message.names, self.table
        if message.wanted == "filter":
            known = (*names.metrics, *names.settings, *FILTER_NAMES)
            self.query_one(FilterLine).know(known, names.tags)
        elif message.wanted == "columns":
            deltas = (f"{DELTA}{name}" for name in names.metrics if name.startswith("test."))
            best = (f"best.{name}" for name in names.metrics if name.startswith("valid."))
            every = (*RUN_COLUMNS, *names.settings, *names.metrics, *best, *deltas)
            chooser = ColumnChooser(every, table.names, DEFAULT_COLUMNS)
            host(self).push_screen(chooser, self._columns_chosen)
        else:
            every = (NO_GROUP, *GROUPS, *names.settings)
            chosen = Choose("group by", every, table.group or NO_GROUP)
            host(self).push_screen(chosen, self._group_chosen)

    def on_values_read(self, message: ValuesRead) -> None:
        """Offer the values of a name."""
        self.query_one(FilterLine).know_values(message.name, message.values)

    def _columns_chosen(self, names: tuple[str, ...] | None) -> None:
        if names is not None:
            self.table.set_columns(names, has_baseline=self.body.baseline is not None)
            self.remember(columns=names)
            self.show_status()
            self.poll()

    def _group_chosen(self, name: str | None) -> None:
        if name is not None:
            group = "" if name == NO_GROUP else name
            self.table.set_group(group, ())
            self.remember(group=group, folded=())
            self.rows_changed()
            self.poll()

    def _read_in_thread(self, read: Any) -> None:
        self.run_worker(read, thread=True, group="names")

    def _read_names(self, wanted: str) -> None:
        try:
            self.post_message(NamesRead(self.gateway.list_names(), wanted))
        except GatewayError:  # the list itself says what is wrong with the database
            self.post_message(NamesRead(RunNames(), wanted))

    def _read_values(self, name: str) -> None:
        try:
            self.post_message(ValuesRead(name, self.gateway.list_values(name)))
        except GatewayError:
            self.post_message(ValuesRead(name, ()))


FILTER_NAMES = (
    *("state", "name", "id", "model", "dataset", "data", "seed", "group", "variant", "tag", "note"),
    *("epoch", "step", "best_valid", "best_epoch", "duration", "created", "started", "finished"),
    *("parameters", "host", "device", "error", "archived", "dirty", "commit", "job", "attempt"),
)
"""Columns that a filter can name, the usual ones first."""


def _haystack(run: Run) -> str:
    words = (run.id, run.name, run.model, run.data_name, run.dataset, run.state.value, run.note)
    return " ".join((*words, run.group_name or "", str(run.seed), *run.tags))
