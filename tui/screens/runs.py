"""Screen 1: all runs, and the live curves of those that matter now."""

from __future__ import annotations

from time import monotonic
from typing import ClassVar, cast

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.timer import Timer

from tui.gateway import Gateway
from tui.messages import OpenRun
from tui.plotting.palette import assign_slots
from tui.records import RunsBody
from tui.screens.base import Clock
from tui.screens.curves import Cast, LineStore, Style, chart_data, remembered_look, step_windows
from tui.screens.run_actions import RunActionsScreen
from tui.screens.run_reader import RunReader, RunsRequest, default_runs
from tui.widgets.dialogs import Choose
from tui.widgets.filter_line import FilterLine
from tui.widgets.host import host
from tui.widgets.line_chart import LineChart
from tui.widgets.run_facts import RunFacts
from tui.widgets.run_table import RunTable
from tui.widgets.table import Table

FOLLOW_SECONDS, MOST_FOLLOW_SECONDS = 0.12, 2.0
"""So long after the last key the chart follows, and so long at most after the first."""
FIRST_SECONDS = 0.1
"""So long the first list of runs has for itself, before the rest is loaded and read."""


class RunsScreen(RunActionsScreen):
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
        Binding("m", "choose_series", "metric"),
        Binding("comma", "next_series(-1)", "previous metric", show=False, key_display=","),
        Binding("full_stop", "next_series(1)", "next metric", show=False, key_display="."),
    ]

    def __init__(self, gateway: Gateway, time: Clock) -> None:
        super().__init__(gateway, time)
        self._series = gateway.remembered.settings.series
        self._slots: dict[str, int] = {}
        self._reader = RunReader(gateway)
        self._lines = LineStore()
        self.look = remembered_look(gateway.remembered.settings)
        self._pause: Timer | None = None
        """Runs once the cursor has moved; at its end the chart follows."""
        self._moved_at = 0.0
        self._drawn_for: tuple[object, ...] = ()
        self._drawn_runs: tuple[str, ...] = ()

    def compose_body(self) -> ComposeResult:
        """Yield table and chart."""
        with Horizontal(id="split"):
            with Vertical(id="left"):
                yield RunTable(id="table")
                yield RunFacts(id="facts")
            yield LineChart(id="chart")
        yield FilterLine(checks=True)

    def on_mount(self) -> None:
        """Let the table have the keys."""
        self.table.focus()

    # Reading

    def request(self) -> RunsRequest:
        """Ask for the runs, the drawn curves and the sparklines in view."""
        table = self.table
        chart = self.query_one(LineChart)
        return RunsRequest(
            where=self.where,
            drawn=self._drawn(),
            series=self._series,
            in_view=table.keys_in_view(),
            windows=step_windows(self.body.curves, self.look.x_axis, chart.window),
            archived=self.archived,
            names=self.names_needed(),
            baseline=self.baseline,
            is_first=self.frame is None,
        )

    def poll(self) -> None:
        """Look for news; while keys follow each other, once they rest: they go first."""
        if self._pause is None:
            super().poll()

    def read(self, request: RunsRequest) -> RunsBody:
        """Read runs, series names, curves and sparklines."""
        return self._reader.read(request)

    @property
    def is_reading(self) -> bool:
        """True while a thread looks for news, or the cursor's move is not drawn everywhere."""
        return super().is_reading or self._pause is not None

    def grows_old(self) -> bool:
        """Return True while runs live: they may train on without a worker."""
        return any(run.state.is_live for run in self.body.runs)

    def ticks(self) -> bool:
        """Return True while a run lives: its time grows."""
        return self.grows_old()

    def has_nothing(self, body: RunsBody) -> bool:
        """Return True before the first run; a filter without result is no such thing."""
        return not body.runs and not self.filter

    # Showing

    def show_body(self, body: RunsBody) -> None:
        """Hand rows to the table and curves to the chart."""
        request = cast("RunsRequest | None", self._seen_request)
        self.show_filter_problem(request.where if request else "")
        if not self._series:
            self._series = next((curve.series for curve in body.curves), "")
        self.show_rows()
        self.show_curves()
        if request is not None and request.is_first:
            self._follow_later(FIRST_SECONDS)
        elif self._drawn() != tuple(curve.run_id for curve in body.curves):
            self.poll()

    def show_curves(self) -> None:
        """Draw the curves of the chosen runs, and tell of the one under the cursor."""
        slots = self._show_marks()
        drawn = self._drawn()
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
                hint=self._hint(),
            )
        )

    def _show_marks(self) -> dict[str, int]:
        """Tell of the run under the cursor, mark what is drawn; return its colours by run id."""
        row = self.table.cursor_run
        self.query_one(RunFacts).show(row.run if row else None, row.now if row else 0.0)
        drawn = self._drawn()
        self._slots |= assign_slots(drawn, self._slots)
        slots = {run_id: self._slots[run_id] for run_id in drawn}
        self.table.show_slots(slots)
        return slots

    def _hint(self) -> str:
        """Return what stands where there is no curve."""
        if self.filter and not self.table.rows:
            return "No run matches the filter; esc takes it away."
        return f"No points of {self._series} yet." if self._series else "No points yet."

    def _cast(self, slots: dict[str, int]) -> Cast:
        """Return names, colours, best epochs and groups of the runs."""
        runs = [run for run in self.body.runs if run.id in slots]
        table = self.table
        if table.group:
            groups = {r.key: f"{table.group} {g.label}" for g in table.groups for r in g.runs}
        else:
            groups = {run.id: f"variant {run.variant}" for run in runs}
        return Cast(
            labels={run.id: run.name for run in runs},
            slots=slots,
            baseline=self.baseline,
            best_epochs={run.id: run.best_epoch for run in runs},
            groups=groups,
        )

    def candidate(self) -> str:
        """Return the run under the cursor: it can be pinned as the baseline."""
        return self.run_id_here() or ""

    def _drawn(self) -> tuple[str, ...]:
        """Return the runs to draw: the selected ones, else live and newest; and the cursor's.

        With bands all runs of their groups are drawn. The baseline always is, as the last.
        """
        state = (self.table.rows, self.body.runs, self.table.selection, self.baseline)
        state += (self.table.cursor_key, self.look.style, self.table.group)
        if not _is_same(state, self._drawn_for):
            self._drawn_for, self._drawn_runs = state, self._find_drawn()
        return self._drawn_runs

    def _find_drawn(self) -> tuple[str, ...]:
        table = self.table
        rows = table.runs
        if table.selection:
            # In the order of the list, not of the table: sorting and grouping redraw nothing.
            chosen = [run.id for run in self.body.runs if run.id in table.selection]
        else:
            chosen = [run.id for run in default_runs([row.run for row in rows])]
        here = table.cursor_run
        if here is not None and here.key not in chosen:
            chosen.append(here.key)
        if self.look.style is Style.BANDS:
            chosen += self._of_same_groups(frozenset(chosen))
        known = {run.id for run in self.body.runs}
        chosen += [self.baseline] if self.baseline in known else []
        return tuple(dict.fromkeys(chosen))

    def _of_same_groups(self, chosen: frozenset[str]) -> list[str]:
        """Return all runs of the groups, else of the variants, that these runs are of."""
        table = self.table
        if table.group:
            members = [[row.key for row in group.runs] for group in table.groups]
            return [key for keys in members if not chosen.isdisjoint(keys) for key in keys]
        variants = {row.run.variant for row in table.runs if row.key in chosen}
        return [row.key for row in table.runs if row.run.variant in variants]

    def describe(self) -> str:
        """Return counts, filter, selection and sorting."""
        parts = self.list_status()
        row = self.table.cursor_run
        if row is not None and row.run.error and self.has_class("-short"):
            parts.insert(2 if self.filter else 1, " ".join(row.run.error.split()))
        if self.gateway.read_only:
            parts.append("read-only")
        return " · ".join(parts)

    # Keys

    def on_table_highlighted(self, _message: Table.Highlighted) -> None:
        """Draw the run under the cursor as well, and say how it stands.

        The table goes first: while keys follow each other, the rest is drawn now and then only.
        """
        self._follow_later(FOLLOW_SECONDS)

    def _follow_later(self, seconds: float) -> None:
        """Let the rest follow once the keys rest; while they go on, it does so now and then."""
        now = monotonic()
        if self._pause is None:
            self._moved_at = now
        elif now - self._moved_at < MOST_FOLLOW_SECONDS:
            self._pause.stop()
        else:
            return
        self._pause = self.set_timer(seconds, self._follow_cursor)

    def _follow_cursor(self) -> None:
        self._pause = None
        if set(self._drawn()) <= {curve.run_id for curve in self.body.curves}:
            self.show_curves()
        else:  # the picture is drawn once: when the curves that are missing have been read
            self._show_marks()
        self.show_status()
        self.poll()

    def on_table_changed(self, message: Table.Changed) -> None:
        """Draw what is selected now."""
        super().on_table_changed(message)
        self.show_status()
        self._follow_later(FOLLOW_SECONDS)

    def on_table_opened(self, message: Table.Opened) -> None:
        """Show the run on its own screen."""
        if message.key is not None:
            self.post_message(OpenRun(message.key))

    def rows_changed(self) -> None:
        """Show other rows, and all that follows from them."""
        self.show_rows()
        self.show_curves()
        self.show_status()

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
            self.remember(series=series)
            self.poll()


def _is_same(some: tuple[object, ...], others: tuple[object, ...]) -> bool:
    """Return whether two states are equal; long tuples count as equal only if they are one."""
    if len(some) != len(others):
        return False
    return all(
        a is b or (not isinstance(a, tuple) and a == b) for a, b in zip(some, others, strict=True)
    )
