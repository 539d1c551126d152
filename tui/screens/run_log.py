"""The log tab of the Run screen: follow, search, jump."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, cast

from textual.binding import BindingType
from textual.widget import Widget

from db.records import RunDetail
from tui.formatting import plural
from tui.gateway import Gateway
from tui.records import LogText
from tui.screens.run_tab import FINDING, Nothing, RunTab
from tui.widgets.log_tail import LogTail
from tui.widgets.search_line import SearchLine

LOG_BYTES = 262_144


class LogTab(RunTab):
    """The end of the newest attempt's log."""

    NAME = "log"
    BINDINGS: ClassVar[list[BindingType]] = list(FINDING)

    def compose_content(self) -> Iterator[Widget]:
        """Yield the log and the line to search in it."""
        yield LogTail()
        yield SearchLine("search; :120 goes to line 120, 14:03 to that time")

    def read(self, gateway: Gateway, detail: RunDetail, choice: object) -> LogText:
        """Read the end of the log."""
        del choice
        return gateway.read_log(detail.run.id, LOG_BYTES)

    def nothing(self, detail: RunDetail, part: LogText) -> Nothing | None:
        """Say that nothing is logged."""
        if part.lines:
            return None
        waits = "" if detail.run.attempt else "\nThe job has not started."
        return ("Nothing logged yet.", f"{waits}\n{part.path}".rstrip())

    def show(self, detail: RunDetail, part: LogText) -> None:
        """Show the log; following stays as it is."""
        del detail
        self.query_one(LogTail).show(part)

    def describe(self) -> str:
        """Return the file, and what is looked for."""
        part = cast("LogText | None", self.part)
        if part is None:
            return ""
        tail = self.query_one(LogTail)
        cut = " (its end)" if part.is_cut else ""
        follows = "follows" if tail.is_following else "stands still, f follows"
        found = ""
        if tail.pattern:
            found = f"`{tail.pattern}`: {plural(len(tail.matches), 'line')} · "
        return f"{found}{follows} · {part.path}{cut}"

    def on_log_tail_moved(self) -> None:
        """Say whether the log is followed."""
        self.post_message(self.Said())

    def action_find(self) -> None:
        """Type what to look for."""
        self.query_one(SearchLine).open(self.query_one(LogTail).pattern)

    def on_search_line_typed(self, message: SearchLine.Typed) -> None:
        """Mark what is found, and go to the newest of it."""
        tail = self.query_one(LogTail)
        tail.search(message.text)
        if message.is_final:
            tail.focus()
        self.post_message(self.Said())

    def action_next(self, direction: int) -> None:
        """Go to the next line found; without a search, to the next warning or error."""
        self.query_one(LogTail).to_match(direction)
