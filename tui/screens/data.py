"""Screen 5: what is in the feature stores."""

from __future__ import annotations

from typing import ClassVar, cast

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.widgets import Static

from tui.formatting import Role, plural
from tui.records import DataBody, StoreFacts
from tui.screens.base import DataScreen
from tui.widgets.columns import Cell, Column
from tui.widgets.styles import is_dark, role_style
from tui.widgets.table import Table

STORE_COLUMNS: tuple[Column[StoreFacts], ...] = (
    Column(
        key="name",
        title="data",
        width=14,
        cell=lambda s: Cell(s.name, Role.BAD if s.problem else Role.PLAIN),
        sort=lambda s: s.name,
        grows=True,
        cuts_middle=True,
    ),
    Column(
        key="family",
        title="family",
        width=6,
        cell=lambda s: Cell(s.dataset, Role.DIM),
        sort=lambda s: s.dataset,
    ),
    Column(
        key="samples",
        title="samples",
        width=8,
        cell=lambda s: Cell(f"{s.num_samples:,}" if s.num_samples else "", Role.DIM),
        sort=lambda s: s.num_samples,
        is_right=True,
    ),
)


class StoresScreen(DataScreen):
    """Stores on the left, the report of the one under the cursor on the right."""

    NAME = "data"
    EMPTY = (
        "No feature store yet.",
        "\nImport a feature file, or make a small one up:\n\n"
        "$ setgf data import FILE --name NAME\n$ setgf data synth --name NAME",
    )
    DEFAULT_CSS = """
    StoresScreen Horizontal { height: 1fr; }
    StoresScreen Table { width: 38; }
    StoresScreen VerticalScroll { width: 1fr; border-left: solid $panel; padding: 0 1;
        scrollbar-size-vertical: 1; scrollbar-size-horizontal: 1; overflow-x: auto; }
    StoresScreen Static { width: auto; }
    StoresScreen.-narrow Horizontal { layout: vertical; }
    StoresScreen.-narrow Table { width: 1fr; height: 25%; min-height: 4; }
    StoresScreen.-narrow VerticalScroll { border-left: none; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "other_pane", "other pane", show=False),
    ]

    def compose_body(self) -> ComposeResult:
        """Yield list and report."""
        with Horizontal():
            yield Table[StoreFacts](STORE_COLUMNS, lambda s: s.name, id="table")
            with VerticalScroll():
                yield Static(id="report")

    def on_mount(self) -> None:
        """Let the list have the keys."""
        self._table.focus()

    def read(self, request: object) -> DataBody:
        """Read what is in every store."""
        del request
        return DataBody(stores=self.gateway.list_stores())

    def grows_old(self) -> bool:
        """Return True: feature stores are folders, the database knows nothing of them."""
        return True

    def has_nothing(self, body: DataBody) -> bool:
        """Return True when there is no store."""
        return not body.stores

    @property
    def _table(self) -> Table[StoreFacts]:
        return cast("Table[StoreFacts]", self.query_one("#table", Table))

    def show_body(self, body: DataBody) -> None:
        """Hand the stores to the list."""
        self._table.show(body.stores)
        self._show_report()

    def on_table_highlighted(self, _message: Table.Highlighted) -> None:
        """Show the report of another store."""
        self._show_report()

    def _show_report(self) -> None:
        facts = self._table.cursor_row
        if facts is None:
            return
        dark = is_dark(self)
        text = Text().append(facts.problem, role_style(Role.BAD, dark=dark))
        for line in facts.lines:
            is_heading = bool(line) and not line.startswith(" ")
            role = Role.STRONG if is_heading else Role.PLAIN
            text.append(line + "\n", role_style(role, dark=dark))
        self.query_one("#report", Static).update(text)

    def describe(self) -> str:
        """Return how many stores there are, and where."""
        stores = cast(DataBody, self.frame.body).stores if self.frame else ()
        return plural(len(stores), "feature store")

    def action_other_pane(self) -> None:
        """Give the keys to the list or to the report."""
        table = self._table
        (self.query_one(VerticalScroll) if table.has_focus else table).focus()
