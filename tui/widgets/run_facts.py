"""The run under the cursor in a few lines: how it stands, and why it failed."""

from __future__ import annotations

from rich.text import Text
from textual.widget import Widget

from db.records import Run
from tui.formatting import (
    STATE_GLYPHS,
    STATE_ROLES,
    Role,
    duration,
    number,
    percent,
)
from tui.plotting.spark import meter
from tui.widgets.styles import is_dark, role_style

METRICS = (
    ("MAE", "mae"),
    ("Corr", "corr"),
    ("F1", "f1_non0"),
    ("F1", "f1"),
    ("Acc-2", "acc2_non0"),
    ("Acc-2", "acc2"),
    ("Acc-3", "acc3"),
    ("Acc-5", "acc5"),
    ("Acc-7", "acc7"),
)
NOT_PERCENT = ("mae", "corr")
ERRORS = tuple(name for _, name in METRICS if not name.startswith("acc"))
ACCURACIES = tuple(name for _, name in METRICS if name.startswith("acc"))


class RunFacts(Widget):
    """Name, progress, metrics and error of one run."""

    DEFAULT_CSS = "RunFacts { background: $background; height: auto; }"

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - the toolkit's word
        super().__init__(id=id)
        self._shown = Text()

    def show(self, run: Run | None, now: float) -> None:
        """Show this run; None shows nothing."""
        text = Text() if run is None else self._text(run, now)
        if text != self._shown or text.spans != self._shown.spans:
            # A new layout draws the whole screen anew: only when the height may change.
            is_same_height = len(text.split()) == len(self._shown.split())
            self._shown = text
            self.refresh(layout=not is_same_height)

    def render(self) -> Text:
        """Return the lines."""
        return self._shown

    def _text(self, run: Run, now: float) -> Text:
        text = Text(overflow="fold")
        dark = is_dark(self)
        lines = [state_line(run, dark=dark), progress_line(run, now, dark=dark)]
        lines.append(best_line(run, dark=dark))
        lines += [test_line(run, dark=dark, names=names) for names in (ERRORS, ACCURACIES)]
        text.append_text(Text("\n").join(line for line in lines if line.cell_len))
        if run.error:
            said = " ".join(run.error.split())
            text.append(f"\n {said}", role_style(Role.BAD, dark=dark))
        elif run.note:
            text.append(f"\n {run.note}", role_style(Role.DIM, dark=dark))
        return text


def state_line(run: Run, *, dark: bool) -> Text:
    """Return state, name and data of a run."""
    text = Text(" ")
    state = role_style(STATE_ROLES[run.state], dark=dark)
    text.append(f"{STATE_GLYPHS[run.state]} {run.state.value}", state).append("  ")
    text.append(run.name, role_style(Role.STRONG, dark=dark))
    return text.append(f"  {run.data_name}", role_style(Role.DIM, dark=dark))


def progress_line(run: Run, now: float, *, dark: bool) -> Text:
    """Return how far a run has come, and in what time."""
    dim = role_style(Role.DIM, dark=dark)
    share = run.epoch / max(run.max_epochs, 1)
    text = Text(" ")
    is_live = run.state.is_live
    text.append(meter(share, 12), role_style(STATE_ROLES[run.state], dark=dark) if is_live else dim)
    text.append(f" epoch {run.epoch}/{run.max_epochs}  step {run.step:,}", dim)
    if run.started_at is not None:
        text.append(f"  {duration((run.finished_at or now) - run.started_at)}", dim)
    return text


def best_line(run: Run, *, dark: bool) -> Text:
    """Return the best value on valid; nothing before there is one."""
    if run.best_valid is None:
        return Text()
    dim = role_style(Role.DIM, dark=dark)
    text = Text(" ").append(f"best valid {run.monitor.removeprefix('valid.')} ", dim)
    text.append(number(run.best_valid), role_style(Role.PLAIN, dark=dark))
    return text.append(f" in epoch {run.best_epoch}" if run.best_epoch else "", dim)


def test_line(run: Run, *, dark: bool, names: tuple[str, ...] = ERRORS + ACCURACIES) -> Text:
    """Return these metrics on test; nothing before there are any."""
    found = [
        (title, name, run.metrics[f"test.{name}"])
        for title, name in METRICS
        if name in names and f"test.{name}" in run.metrics
    ]
    if not found:
        return Text()
    dim = role_style(Role.DIM, dark=dark)
    text = Text(" ").append("test" if "mae" in names else "    ", dim)
    for title, name, value in found:
        written = number(value) if name in NOT_PERCENT else percent(value)
        text.append(f"  {title} ", dim).append(written, role_style(Role.PLAIN, dark=dark))
    return text
