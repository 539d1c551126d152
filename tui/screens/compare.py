"""Screen 4: models over their seeds, beside floors and published results."""

from __future__ import annotations

from typing import ClassVar, cast

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.events import Resize

from tui.formatting import plural
from tui.gateway import Gateway
from tui.plotting.palette import assign_slots
from tui.records import CompareBody, RowKind
from tui.screens import compare_parts as parts
from tui.screens.base import Clock, DataScreen
from tui.screens.compare_parts import CompareRow
from tui.widgets.bar_chart import BarChart
from tui.widgets.dialogs import Choose
from tui.widgets.host import host
from tui.widgets.table import Table

TALL = 42
"""Rows from which there is room for more bars."""


class CompareScreen(DataScreen):
    """Bars above, table below."""

    NAME = "compare"
    EMPTY = (
        "Nothing to compare yet.",
        "\nA model appears here when its first run has finished.",
    )
    DEFAULT_CSS = """
    CompareScreen Vertical { height: 1fr; }
    CompareScreen BarChart { max-height: 60%; margin-bottom: 1; }
    CompareScreen Table { height: 1fr; min-height: 6; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("m", "choose", "data set"),
        Binding("comma", "next(-1)", "previous data set", show=False, key_display=","),
        Binding("full_stop", "next(1)", "next data set", show=False, key_display="."),
        Binding("p", "published", "published"),
    ]

    def __init__(self, gateway: Gateway, time: Clock) -> None:
        super().__init__(gateway, time)
        self._choice = ""
        self._has_published = True
        self._slots: dict[str, int] = {}

    def compose_body(self) -> ComposeResult:
        """Yield bars and table."""
        with Vertical():
            yield BarChart(id="bars")
            yield Table[CompareRow]((), lambda line: line.key, id="table")

    def on_mount(self) -> None:
        """Let the table have the keys."""
        self.query_one(Table).focus()

    def request(self) -> str:
        """Ask for the chosen feature store."""
        return self._choice

    def read(self, request: str) -> CompareBody:
        """Read the comparison."""
        return self.gateway.compare(request)

    def has_nothing(self, body: CompareBody) -> bool:
        """Return True before the first run."""
        return not any(row.kind is RowKind.RUNS for row in body.rows)

    @property
    def body(self) -> CompareBody:
        """What is shown now, without what the user has hidden."""
        return cast(CompareBody, self.frame.body) if self.frame else CompareBody()

    def show_body(self, body: CompareBody) -> None:
        """Hand bars and rows to their widgets."""
        rows = tuple(r for r in body.rows if self._has_published or r.kind is not RowKind.PUBLISHED)
        shown = CompareBody(
            choices=body.choices,
            choice=body.choice,
            dataset=body.dataset,
            metrics=body.metrics,
            lower_is_better=body.lower_is_better,
            rows=rows,
        )
        ours = [row.key for row in rows if row.kind is RowKind.RUNS]
        self._slots |= assign_slots(ours, self._slots)
        slots = {key: self._slots[key] for key in ours}
        self.query_one(BarChart).show(parts.bar_panels(shown, slots, more=self.size.height >= TALL))
        table = cast("Table[CompareRow]", self.query_one(Table))
        table.columns = parts.compare_columns(body.metrics)
        table.show_slots(slots)
        table.show(parts.compare_rows(shown))

    def on_resize(self, event: Resize) -> None:
        """Use the new room."""
        del event
        if self.frame:
            self.show_body(self.body)

    def describe(self) -> str:
        """Return the data set, and what of it counts."""
        body = self.body
        ours = [row for row in body.rows if row.kind is RowKind.RUNS]
        place = body.choices.index(body.choice) + 1 if body.choice in body.choices else 1
        seeds = sum(row.num_seeds for row in ours)
        failed = sum(row.num_failed for row in ours)
        going = sum(row.num_unfinished for row in ours)
        row = cast("Table[CompareRow]", self.query_one(Table)).cursor_row
        remark = row.row.remark if row and row.row else ""
        if remark and row:
            return f"{row.label}: {remark}"
        parts_ = [
            f"{body.choice} ({body.dataset}), data set {place} of {len(body.choices)}",
            f"{plural(seeds, 'finished run')} on test",
        ]
        parts_ += [f"{failed} failed"] * bool(failed) + [f"{going} to come"] * bool(going)
        return " · ".join(parts_)

    def on_table_highlighted(self, _message: Table.Highlighted) -> None:
        """Say how the published row under the cursor was selected."""
        self.show_status()

    def action_published(self) -> None:
        """Show or hide published results."""
        self._has_published = not self._has_published
        if self.frame:
            self.show_body(self.body)

    def action_next(self, direction: int) -> None:
        """Compare on the next data set."""
        choices = self.body.choices
        if choices:
            place = choices.index(self.body.choice) if self.body.choice in choices else 0
            self._choose(choices[(place + direction) % len(choices)])

    def action_choose(self) -> None:
        """Offer all data sets."""
        if self.body.choices:
            ask = Choose("data set", self.body.choices, self.body.choice)
            host(self).push_screen(ask, self._choose)

    def _choose(self, choice: str | None) -> None:
        if choice is not None:
            self._choice = choice
            self.poll()
