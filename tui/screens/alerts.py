"""The alerts nobody has seen yet, over the screen that is open."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, cast

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Static

from tui.formatting import Role, clock, plural
from tui.job_records import Alert, AlertKind
from tui.widgets.columns import Cell, Column
from tui.widgets.table import Table


class AlertsScreen(ModalScreen[str | None]):
    """Lists alerts; enter closes it with the run of the one under the cursor."""

    DEFAULT_CSS = """
    AlertsScreen { align: center middle; background: $background 60%; }
    AlertsScreen > Vertical { width: 110; max-width: 96%; height: auto; max-height: 80%;
        padding: 1 1; background: $panel; }
    AlertsScreen Table { height: auto; max-height: 24; min-height: 3; background: $panel; }
    AlertsScreen .keys { color: $dim; margin-top: 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,exclamation_mark", "dismiss(None)", "close"),
    ]

    def __init__(self, alerts: Sequence[Alert]) -> None:
        super().__init__()
        self._alerts = tuple(alerts)

    def compose(self) -> ComposeResult:
        """Yield the list."""
        with Vertical():
            count = len(self._alerts)
            title = f"{plural(count, 'alert')} not seen before" if count else "No alerts."
            yield Static(title, markup=False)
            yield Table[Alert](ALERT_COLUMNS, lambda alert: alert.key, opens=True, id="alerts")
            yield Static("enter the run    esc close, all seen", classes="keys", markup=False)

    def on_mount(self) -> None:
        """Fill the table."""
        table = cast("Table[Alert]", self.query_one("#alerts", Table))
        table.display = bool(self._alerts)
        table.styles.height = min(len(self._alerts) + 1, 24)
        table.show(self._alerts)
        table.focus()

    def on_table_opened(self, message: Table.Opened) -> None:
        """Close with the run of an alert."""
        chosen = next(alert for alert in self._alerts if alert.key == message.key)
        self.dismiss(chosen.run_id)


ALERT_COLUMNS: tuple[Column[Alert], ...] = (
    Column(key="at", title="when", width=8, cell=lambda a: Cell(clock(a.at), Role.DIM)),
    Column(
        key="kind",
        title="what",
        width=9,
        cell=lambda a: Cell(a.kind.value, Role.GOOD if a.kind is AlertKind.FINISHED else Role.BAD),
    ),
    Column(key="text", title="", width=30, cell=lambda a: Cell(a.text), grows=True),
)
