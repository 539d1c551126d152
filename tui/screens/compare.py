"""Screen 4: models over their seeds, beside floors and published results."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, cast

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.events import Resize

from tui.compare_records import ALL, CompareBody, RowKind
from tui.formatting import plural
from tui.gateway import Gateway
from tui.plotting.palette import assign_slots
from tui.screens import compare_parts as parts
from tui.screens.base import Clock, DataScreen
from tui.screens.compare_parts import CompareLook, CompareRow
from tui.widgets.bar_chart import BarChart
from tui.widgets.dialogs import Choose
from tui.widgets.host import host
from tui.widgets.table import Table

TALL = 42
"""Rows from which there is room for more bars."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CompareRequest:
    """What the Compare screen asks for."""

    choice: str = ""
    """A feature store; empty for the newest run's."""
    baseline: str | None = None
    """Key of the row the others are tested against; empty for none, None for the pinned run's."""


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
        Binding("b", "baseline", "baseline"),
        Binding("e", "spread", "sd or 95 %"),
        Binding("p", "published", "published"),
    ]

    def __init__(self, gateway: Gateway, time: Clock) -> None:
        super().__init__(gateway, time)
        self._asked = CompareRequest()
        self._style = CompareLook()
        self._slots: dict[str, int] = {}
        self._choice = ""

    def compose_body(self) -> ComposeResult:
        """Yield bars and table."""
        with Vertical():
            yield BarChart(id="bars")
            yield Table[CompareRow]((), lambda line: line.key, id="table")

    def on_mount(self) -> None:
        """Let the table have the keys."""
        self.table.focus()

    @property
    def table(self) -> Table[CompareRow]:
        """The table."""
        return cast("Table[CompareRow]", self.query_one(Table))

    @property
    def body(self) -> CompareBody:
        """What is shown now."""
        return cast(CompareBody, self.frame.body) if self.frame else CompareBody()

    def request(self) -> CompareRequest:
        """Ask for the chosen feature store."""
        return self._asked

    def read(self, request: CompareRequest) -> CompareBody:
        """Read the comparison."""
        return self.gateway.compare(request.choice, request.baseline)

    def has_nothing(self, body: CompareBody) -> bool:
        """Return True before the first run."""
        return not any(section.of_kind(RowKind.RUNS) for section in body.sections)

    # Showing

    def show_body(self, body: CompareBody) -> None:
        """Hand bars and rows to their widgets."""
        ours = [row for section in body.sections for row in section.of_kind(RowKind.RUNS)]
        # A model has one colour on all data sets; variants of it have others.
        keys = list(dict.fromkeys(row.label for row in ours))
        self._slots |= assign_slots(keys, self._slots)
        slots = {row.key: self._slots[row.label] for row in ours}
        more = self.size.height >= TALL
        panels = parts.bar_panels(body, self._style, slots, more=more)
        self.query_one(BarChart).show(panels)
        if body.choice != self._choice:
            self._choice = body.choice
            self.table.move_to(0)
        has_baseline = any(row.is_baseline for row in ours)
        self.table.columns = parts.compare_columns(
            body.metrics, self._style, has_baseline=has_baseline
        )
        self.table.show_slots(slots)
        self.table.show(parts.compare_rows(body, self._style))

    def on_resize(self, event: Resize) -> None:
        """Use the new room."""
        del event
        self._show_again()

    def _show_again(self) -> None:
        if self.frame:
            self.show_body(self.body)
            self.show_status()

    def describe(self) -> str:
        """Return the row under the cursor in full; on a heading what is compared."""
        body, line = self.body, self.table.cursor_row
        if line is not None and line.row is not None:
            return parts.row_in_full(line.row)
        ours = [row for section in body.sections for row in section.of_kind(RowKind.RUNS)]
        failed = sum(row.num_failed for row in ours)
        going = sum(row.num_unfinished for row in ours)
        said = [
            self._where(body),
            f"{plural(sum(row.num_seeds for row in ours), 'finished run')} on test",
        ]
        said += [f"{failed} failed"] * bool(failed) + [f"{going} to come"] * bool(going)
        said += [one.note for one in body.sections if one.note and not self._style.published]
        return " · ".join(said)

    def _where(self, body: CompareBody) -> str:
        if body.choice == ALL:
            return f"{plural(len(body.sections), 'data set')}"
        dataset = body.sections[0].dataset if body.sections else ""
        number = len([name for name in body.choices if name != ALL])
        place = body.choices.index(body.choice) + 1 if body.choice in body.choices else 1
        return f"{body.choice} ({dataset}), data set {place} of {number}"

    def on_table_highlighted(self, _message: Table.Highlighted) -> None:
        """Say everything of the row under the cursor."""
        self.show_status()

    # Keys

    def action_published(self) -> None:
        """Show or hide published results."""
        shown = any(self._style.shows_published(section) for section in self.body.sections)
        self._style = replace(self._style, published=not shown)
        self._show_again()

    def action_spread(self) -> None:
        """Show the 95 % interval of the mean instead of the standard deviation, or back."""
        self._style = replace(self._style, intervals=not self._style.intervals)
        self._show_again()

    def action_baseline(self) -> None:
        """Test the others against the row under the cursor; once more tests none."""
        line = self.table.cursor_row
        if line is None or line.row is None or line.row.kind is not RowKind.RUNS:
            return
        key = "" if line.row.is_baseline else line.key
        self._asked = replace(self._asked, baseline=key)
        self.poll()

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
            self._asked = replace(self._asked, choice=choice)
            self.poll()
