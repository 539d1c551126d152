"""Two lines that say what a run is and how it stands."""

from __future__ import annotations

from rich.text import Text
from textual.widget import Widget

from db.records import Run
from tui.widgets.run_facts import best_line, progress_line, state_line, test_line
from tui.widgets.styles import is_dark


class RunSummary(Widget):
    """Name, state, progress; best and final metrics."""

    DEFAULT_CSS = "RunSummary { height: 2; background: $background; }"

    def __init__(self) -> None:
        super().__init__()
        self._run: Run | None = None
        self._now = 0.0

    def show(self, run: Run, now: float) -> None:
        """Show this run."""
        if (run, now) != (self._run, self._now):
            self._run, self._now = run, now
            self.refresh()

    def render(self) -> Text:
        """Return both lines, each cut at the edge."""
        text = Text(no_wrap=True, overflow="ellipsis")
        if self._run is not None:
            dark = is_dark(self)
            text.append_text(state_line(self._run, dark=dark)).append(" ")
            text.append_text(progress_line(self._run, self._now, dark=dark)).append("\n")
            text.append_text(best_line(self._run, dark=dark)).append("  ")
            text.append_text(test_line(self._run, dark=dark))
        return text
