"""Two lines that say what a run is and how it stands."""

from __future__ import annotations

from rich.text import Text
from textual.widget import Widget

from db.records import Run
from tui.formatting import STATE_GLYPHS, STATE_ROLES, Role, duration, number, percent
from tui.plotting.spark import meter
from tui.widgets.styles import is_dark, role_style

SHOWN = (
    ("MAE", "mae"),
    ("Corr", "corr"),
    ("Acc-2", "acc2_non0"),
    ("Acc-2", "acc2"),
    ("F1", "f1_non0"),
    ("Acc-3", "acc3"),
    ("Acc-5", "acc5"),
    ("Acc-7", "acc7"),
)


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
        """Return both lines."""
        if self._run is None:
            return Text()
        dark = is_dark(self)
        text = self._first(self._run, dark=dark)
        return text.append("\n").append_text(_second(self._run, dark=dark))

    def _first(self, run: Run, *, dark: bool) -> Text:
        dim = role_style(Role.DIM, dark=dark)
        state = role_style(STATE_ROLES[run.state], dark=dark)
        text = Text(" ", no_wrap=True, overflow="ellipsis")
        text.append(f"{STATE_GLYPHS[run.state]} {run.state.value}", state).append("  ")
        text.append(run.name, role_style(Role.STRONG, dark=dark))
        text.append(f"  {run.data_name}  ", dim)
        share = run.epoch / max(run.max_epochs, 1)
        text.append(meter(share, 12), state if run.state.is_live else dim)
        text.append(f" epoch {run.epoch}/{run.max_epochs}  step {run.step:,}", dim)
        if run.started_at is not None:
            text.append(f"  {duration((run.finished_at or self._now) - run.started_at)}", dim)
        return text


def _second(run: Run, *, dark: bool) -> Text:
    dim, plain = role_style(Role.DIM, dark=dark), role_style(Role.PLAIN, dark=dark)
    text = Text(" ", no_wrap=True, overflow="ellipsis")
    if run.best_valid is not None:
        text.append(f"best valid {run.monitor.removeprefix('valid.')} ", dim)
        text.append(number(run.best_valid), plain)
        if run.best_epoch is not None:
            text.append(f" in epoch {run.best_epoch}", dim)
    shown = [(title, run.metrics.get(f"test.{name}")) for title, name in SHOWN]
    found = [(title, value) for title, value in shown if value is not None]
    if found:
        text.append("   test ", dim)
    for title, value in found:
        written = number(value) if title in ("MAE", "Corr") else percent(value)
        text.append(f" {title} ", dim).append(written, plain)
    return text
