"""Screen 6: what happened, the newest first; what happened since the last visit is marked."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, cast

from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from db.records import JobState
from tui.formatting import STATE_GLYPHS, STATE_ROLES, Role, clock, moment, plural
from tui.gateway import Gateway
from tui.job_records import EventLine, EventsBody
from tui.messages import OpenRun
from tui.screens.base import Clock, DataScreen
from tui.widgets.columns import Cell, Column
from tui.widgets.filter_line import FilterLine, has_words
from tui.widgets.host import host
from tui.widgets.table import Table

SHOWN = 1000
"""Events at most; `setgf queue show` and the Run screen have all of a job."""
SECONDS_A_DAY = 86400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRow:
    """An event with what the table adds to it."""

    line: EventLine
    is_new: bool
    now: float


class EventsScreen(DataScreen):
    """What jobs, runs, workers and users did."""

    NAME = "events"
    EMPTY = ("Nothing has happened yet.", "\nPress a to add jobs.")
    DEFAULT_CSS = """
    EventsScreen Table { height: 1fr; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "filter", "filter", key_display="/"),
        Binding("n", "only_new", "only new ones"),
        Binding("escape", "clear", "no filter", show=False),
    ]

    def __init__(self, gateway: Gateway, time: Clock) -> None:
        super().__init__(gateway, time)
        self._filter = ""
        self._is_only_new = False
        self._seen = gateway.remembered.settings.seen_event

    def compose_body(self) -> ComposeResult:
        """Yield the table of events."""
        yield Table[EventRow](
            EVENT_COLUMNS, lambda row: str(row.line.event.id), opens=True, id="table"
        )
        yield FilterLine()

    def on_mount(self) -> None:
        """Let the table have the keys."""
        self._table.focus()

    def on_screen_suspend(self) -> None:
        """What was shown is no news at the next visit; a dialog over it is no leaving."""
        if host(self).current_mode != self.NAME:
            self.mark_seen()

    def on_screen_resume(self) -> None:
        """Mark what is new now."""
        if self.frame is not None:
            self._show_rows()
            self.show_status()

    def on_unmount(self) -> None:
        """Remember what was seen when the dashboard is left from here."""
        self.mark_seen()

    def mark_seen(self) -> None:
        """Remember the newest event as seen."""
        if self.body.lines:
            newest = self.body.lines[0].event.id
            remembered = self.gateway.remembered
            if newest > remembered.settings.seen_event:
                remembered.remember(replace(remembered.settings, seen_event=newest))
            self._seen = max(newest, self._seen)

    def read(self, request: object) -> EventsBody:
        """Read the newest events."""
        del request
        return self.gateway.read_events(SHOWN)

    def has_nothing(self, body: EventsBody) -> bool:
        """Return True when nothing has happened."""
        return not body.lines

    def show_body(self, body: EventsBody) -> None:
        """Hand the events to the table."""
        del body
        self._show_rows()

    @property
    def body(self) -> EventsBody:
        """What is shown now."""
        return cast(EventsBody, self.frame.body) if self.frame else EventsBody()

    @property
    def _table(self) -> Table[EventRow]:
        return cast("Table[EventRow]", self.query_one("#table", Table))

    def _show_rows(self) -> None:
        now = self.frame.read_at if self.frame else 0.0
        rows = (
            EventRow(line=line, is_new=line.event.id > self._seen, now=now)
            for line in self.body.lines
        )
        self._table.show(
            row
            for row in rows
            if has_words(self._filter, _haystack(row)) and (row.is_new or not self._is_only_new)
        )

    def describe(self) -> str:
        """Return how much is shown, and how much of it is new."""
        new = sum(line.event.id > self._seen for line in self.body.lines)
        shown, total = len(self._table.rows), len(self.body.lines)
        parts = [
            plural(total, "event") if shown == total else f"{shown} of {plural(total, 'event')}"
        ]
        parts.append(f"{new} since your last visit" if new else "none since your last visit")
        if self._filter:
            parts.append(f"filter: {self._filter}")
        if self._is_only_new:
            parts.append("only new ones")
        row = self._table.cursor_row
        if row is not None and row.line.event.why:
            parts.insert(0, " ".join(row.line.event.why.split()))
        return " · ".join(parts)

    def run_id_here(self) -> str | None:
        """Return the run of the event under the cursor."""
        row = self._table.cursor_row
        return None if row is None else row.line.event.run_id

    # Keys

    def on_table_highlighted(self, _message: Table.Highlighted) -> None:
        """Say the whole reason."""
        self.show_status()

    def on_table_opened(self, _message: Table.Opened) -> None:
        """Show the run it happened to."""
        run_id = self.run_id_here()
        if run_id is None:
            self.notify("This happened to no run.")
        else:
            self.post_message(OpenRun(run_id))

    def action_filter(self) -> None:
        """Let the user type a filter."""
        self.query_one(FilterLine).open(self._filter)

    def action_only_new(self) -> None:
        """Show only what happened since the last visit, or all again."""
        self._is_only_new = not self._is_only_new
        self._show_rows()
        self.show_status()

    def on_filter_line_filtered(self, message: FilterLine.Filtered) -> None:
        """Put the filter in force."""
        self._filter = message.text
        if message.is_final:
            self.query_one(FilterLine).close()
            self._table.focus()
        self._show_rows()
        self.show_status()

    def action_clear(self) -> None:
        """Take the filter away."""
        self._is_only_new = False
        self.on_filter_line_filtered(FilterLine.Filtered("", is_final=True))


def _haystack(row: EventRow) -> str:
    event = row.line.event
    states = f"{event.from_state or ''} {event.to_state or ''}"
    return f"{row.line.name} {event.kind} {event.job_id or ''} {states} {event.why} {event.actor}"


def _at(row: EventRow) -> Cell:
    at = row.line.event.at
    words = clock(at) if row.now - at < SECONDS_A_DAY else f"{moment(at, row.now)} {clock(at)[:5]}"
    return Cell(words, Role.DIM)


def _about(row: EventRow) -> Cell:
    event = row.line.event
    if event.job_id is not None:
        return Cell(f"{event.job_id} {row.line.name}")
    return Cell(row.line.name or event.run_id or event.kind, Role.DIM)


def _what(row: EventRow) -> Cell:
    event = row.line.event
    if event.to_state in set(JobState):
        state = JobState(event.to_state)
        return Cell(f"{STATE_GLYPHS[state]} {state.value}", STATE_ROLES[state])
    return Cell(event.to_state or event.kind, Role.DIM)


EVENT_COLUMNS: tuple[Column[EventRow], ...] = (
    Column(
        key="new",
        title="",
        width=3,
        cell=lambda r: Cell("new" if r.is_new else "", Role.ACCENT),
    ),
    Column(key="at", title="when", width=11, cell=_at, sort=lambda r: -r.line.event.id),
    Column(key="what", title="what", width=12, cell=_what, sort=lambda r: _what(r).text),
    Column(
        key="about",
        title="job or run",
        width=22,
        cell=_about,
        sort=lambda r: (r.line.event.job_id or 0, r.line.name),
        cuts_middle=True,
        grows=True,
    ),
    Column(
        key="why",
        title="why",
        width=20,
        cell=lambda r: Cell(" ".join(r.line.event.why.split()), Role.DIM),
        sort=lambda r: r.line.event.why,
        grows=True,
        rank=1,
    ),
    Column(
        key="actor",
        title="who",
        width=12,
        cell=lambda r: Cell(r.line.event.actor, Role.DIM),
        sort=lambda r: r.line.event.actor,
        cuts_middle=True,
        rank=2,
    ),
)
