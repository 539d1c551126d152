"""Screen 1: all runs, and the live curves of those that matter now."""

from __future__ import annotations

from functools import partial
from typing import ClassVar, cast

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical

from db.records import Run
from tui.formatting import plural
from tui.gateway import Gateway
from tui.messages import OpenRun
from tui.plotting.palette import assign_slots
from tui.records import RunsBody
from tui.screens.base import Clock
from tui.screens.curves import (
    Cast,
    CurvesScreen,
    LineStore,
    Style,
    chart_data,
    remembered_look,
    step_windows,
)
from tui.screens.run_reader import RunReader, RunsRequest, default_runs
from tui.widgets.dialogs import Choose
from tui.widgets.filter_line import FilterLine, has_words, is_expression
from tui.widgets.host import host
from tui.widgets.line_chart import LineChart
from tui.widgets.run_facts import RunFacts
from tui.widgets.run_table import RunRow, RunTable
from tui.widgets.table import Table


class RunsScreen(CurvesScreen):
    """Table of runs on the left, overlaid curves on the right."""

    NAME = "runs"
    REMEMBERS_LOOK = True
    EMPTY = (
        "No runs yet.",
        "\nQueue some, and start a worker:\n\n"
        "$ setgf queue add --data NAME --model setgf --seeds 1111-1115\n"
        "$ setgf worker start\n\nThey appear here by themselves.",
    )
    DEFAULT_CSS = """
    RunsScreen #split { height: 1fr; }
    RunsScreen #left { width: 9fr; min-width: 40; }
    RunsScreen RunTable { height: 1fr; }
    RunsScreen RunFacts { max-height: 8; padding: 1 0; }
    RunsScreen LineChart { width: 11fr; border-left: solid $panel; }
    RunsScreen.-narrow #split { layout: vertical; }
    RunsScreen.-narrow #left { width: 1fr; height: 5fr; }
    RunsScreen.-narrow LineChart { width: 1fr; height: 6fr; border-left: none; }
    RunsScreen.-short RunFacts { display: none; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "filter", "filter", key_display="/"),
        Binding("m", "choose_series", "metric"),
        Binding("comma", "next_series(-1)", "previous metric", show=False, key_display=","),
        Binding("full_stop", "next_series(1)", "next metric", show=False, key_display="."),
        Binding("t", "archive", "put away", show=False),
        Binding("escape", "clear", "no filter, no selection", show=False),
    ]

    def __init__(self, gateway: Gateway, time: Clock) -> None:
        super().__init__(gateway, time)
        self._filter = ""
        self._series = ""
        self._slots: dict[str, int] = {}
        self._filter_problem = ""
        self._reader = RunReader(gateway)
        self._lines = LineStore()
        self.look = remembered_look(gateway.remembered.settings)

    def compose_body(self) -> ComposeResult:
        """Yield table and chart."""
        with Horizontal(id="split"):
            with Vertical(id="left"):
                yield RunTable(id="table")
                yield RunFacts(id="facts")
            yield LineChart(id="chart")
        yield FilterLine()

    def on_mount(self) -> None:
        """Let the table have the keys."""
        self.query_one(RunTable).focus()

    # Reading

    def request(self) -> RunsRequest:
        """Ask for the runs, the drawn curves and the sparklines in view."""
        table = self.query_one(RunTable)
        where = self._filter if is_expression(self._filter) else ""
        window = self.query_one(LineChart).window
        return RunsRequest(
            where=where,
            drawn=self._drawn(),
            series=self._series,
            in_view=table.keys_in_view(),
            windows=step_windows(self.body.curves, self.look.x_axis, window),
        )

    def read(self, request: RunsRequest) -> RunsBody:
        """Read runs, series names, points and sparklines."""
        return self._reader.read(request)

    def grows_old(self) -> bool:
        """Return True while runs live: they may train on without a worker."""
        return any(run.state.is_live for run in self.body.runs)

    def ticks(self) -> bool:
        """Return True while a run lives: its time grows."""
        return self.grows_old()

    def has_nothing(self, body: RunsBody) -> bool:
        """Return True before the first run; a filter without result is no such thing."""
        return not body.runs and not self._filter

    # Showing

    @property
    def body(self) -> RunsBody:
        """What is shown now."""
        return cast(RunsBody, self.frame.body) if self.frame else RunsBody()

    def show_body(self, body: RunsBody) -> None:
        """Hand rows to the table and curves to the chart."""
        self._filter_problem = body.filter_problem
        if not self._series:
            self._series = next((curve.series for curve in body.curves), "")
        self._show_rows()
        self.show_curves()
        if self._drawn() != tuple(curve.run_id for curve in body.curves):
            self.call_later(self.poll)

    def _show_rows(self) -> None:
        now = self.frame.read_at if self.frame else 0.0
        sparks = self.body.sparks
        self.query_one(RunTable).show(
            RunRow(run=run, spark=sparks.get(run.id, ()), now=now)
            for run in self.body.runs
            if is_expression(self._filter) or has_words(self._filter, _haystack(run))
        )

    def show_curves(self) -> None:
        """Draw the curves of the chosen runs, and tell of the one under the cursor."""
        row = self.query_one(RunTable).cursor_row
        self.query_one(RunFacts).show(row.run if row else None, row.now if row else 0.0)
        drawn = self._drawn()
        self._slots |= assign_slots(drawn, self._slots)
        slots = {run_id: self._slots[run_id] for run_id in drawn}
        self.query_one(RunTable).show_slots(slots)
        curves = {curve.run_id: curve for curve in self.body.curves}
        self._lines.keep(self.body.curves)
        self.query_one(LineChart).show(
            chart_data(
                self._series or "curves",
                [curves[run_id] for run_id in drawn if run_id in curves],
                self.look,
                self._cast(slots),
                self._lines,
                is_growing=self.grows_old(),
                hint=f"No points of {self._series} yet." if self._series else "No points yet.",
            )
        )

    def _cast(self, slots: dict[str, int]) -> Cast:
        """Return names, colours, best epochs and variants of the runs."""
        runs = self.body.runs
        return Cast(
            labels={run.id: run.name for run in runs},
            slots=slots,
            baseline=self.baseline,
            best_epochs={run.id: run.best_epoch for run in runs},
            groups={run.id: f"variant {run.variant}" for run in runs},
        )

    def candidate(self) -> str:
        """Return the run under the cursor: it can be pinned as the baseline."""
        return self.query_one(RunTable).cursor_key or ""

    def _drawn(self) -> tuple[str, ...]:
        """Return the runs to draw: the selected ones, else live and newest; and the cursor's.

        With bands all seeds of their variants are drawn. The baseline always is, as the last.
        """
        table = self.query_one(RunTable)
        if table.selection:
            chosen = [row.run.id for row in table.rows if row.run.id in table.selection]
        else:
            chosen = [run.id for run in default_runs([row.run for row in table.rows])]
        if table.cursor_key is not None and table.cursor_key not in chosen:
            chosen.append(table.cursor_key)
        runs = [row.run for row in table.rows]
        if self.look.style is Style.BANDS:
            variants = {run.variant for run in runs if run.id in set(chosen)}
            chosen += [run.id for run in runs if run.variant in variants]
        known = {run.id for run in self.body.runs}
        chosen += [self.baseline] if self.baseline in known else []
        return tuple(dict.fromkeys(chosen))

    def describe(self) -> str:
        """Return counts, selection, sorting and filter."""
        table = self.query_one(RunTable)
        total = max(self.frame.counts.runs if self.frame else 0, len(self.body.runs))
        shown = len(table.rows)
        parts = [plural(total, "run") if shown == total else f"{shown:,} of {total:,} runs"]
        row = table.cursor_row
        if row is not None and row.run.error and self.has_class("-short"):
            parts.insert(0, " ".join(row.run.error.split()))
        if table.selection:
            parts.append(f"{len(table.selection)} selected")
        if table.sorting.key:
            parts.append(f"by {table.sorting.key}{', largest first' if table.reverse else ''}")
        if self._filter:
            parts.append(f"filter: {self._filter}")
        if self._filter_problem:
            parts.append(self._filter_problem)
        if self.gateway.read_only:
            parts.append("read-only")
        return " · ".join(parts)

    # Keys

    def on_table_highlighted(self, _message: Table.Highlighted) -> None:
        """Draw the run under the cursor as well, and say how it stands."""
        self.show_curves()
        self.show_status()
        self.poll()

    def on_table_changed(self, _message: Table.Changed) -> None:
        """Draw what is selected now."""
        self.show_curves()
        self.show_status()
        self.poll()

    def on_table_opened(self, message: Table.Opened) -> None:
        """Show the run on its own screen."""
        if message.key is not None:
            self.post_message(OpenRun(message.key))

    def action_filter(self) -> None:
        """Let the user type a filter."""
        self.query_one(FilterLine).open(self._filter)

    def on_filter_line_filtered(self, message: FilterLine.Filtered) -> None:
        """Put the filter in force."""
        had_expression = is_expression(self._filter)
        self._filter = message.text
        self._filter_problem = ""
        if message.is_final:
            self.query_one(FilterLine).close()
            self.query_one(RunTable).focus()
        self._show_rows()
        self.show_curves()
        self.show_status()
        if had_expression or is_expression(self._filter):
            self.reread()

    def action_clear(self) -> None:
        """Take away the selection, else the filter."""
        table = self.query_one(RunTable)
        if table.selection:
            table.clear_selection()
        elif self._filter:
            self.on_filter_line_filtered(FilterLine.Filtered("", is_final=True))

    def action_next_series(self, direction: int) -> None:
        """Draw the next metric."""
        names = self.body.series
        if names:
            place = names.index(self._series) if self._series in names else 0
            self._choose(names[(place + direction) % len(names)])

    def action_choose_series(self) -> None:
        """Offer all metrics."""
        if self.body.series:
            host(self).push_screen(Choose("metric", self.body.series, self._series), self._choose)

    def _choose(self, series: str | None) -> None:
        if series is not None and series != self._series:
            self._series = series
            self.poll()

    def action_archive(self) -> None:
        """Put the chosen runs away; nothing of them is deleted."""
        rows = self.query_one(RunTable).chosen
        if rows and not self.gateway.read_only:
            ids = [row.run.id for row in rows]
            self.act_after_asking(
                f"Put {plural(len(ids), 'run')} away?",
                "They leave this list; nothing is deleted. `setgf runs archive --undo` brings "
                "them back.",
                partial(self.gateway.archive_runs, ids, archived=True),
            )


def _haystack(run: Run) -> str:
    words = (run.id, run.name, run.model, run.data_name, run.dataset, run.state.value, run.note)
    return " ".join((*words, run.group_name or "", str(run.seed), *run.tags))
