"""One prediction in full: its classes, where every score lies on the scale, and the transcript."""

from __future__ import annotations

import math
import textwrap

from rich.text import Text
from textual.widget import Widget

from db.records import Prediction
from tui.formatting import Role, cut
from tui.run_records import BRANCHES, Sample
from tui.widgets.styles import is_dark, role_style, series_style

LETTERS = {"label": "▼", "fusion": "F", "text": "t", "audio": "a", "vision": "v"}
MAX_SCALE = 61


def scale_marks(prediction: Prediction, limit: float, width: int) -> dict[int, str]:
    """Return which mark stands in which cell of a scale from -limit to limit.

    The label is drawn last and hides what is under it; scores beyond the scale stand at its ends.
    """
    marks: dict[int, str] = {}
    for name in ("vision", "audio", "text", "fusion", "label"):
        value = getattr(prediction, name)
        if value is not None and math.isfinite(value):
            share = (min(max(value, -limit), limit) + limit) / (2 * limit)
            marks[round(share * (width - 1))] = LETTERS[name]
    return marks


class SampleView(Widget):
    """Four lines for the sample under the cursor."""

    DEFAULT_CSS = "SampleView { height: 4; background: $panel; padding: 0 1; }"

    def __init__(self) -> None:
        super().__init__()
        self._sample: Sample | None = None
        self._limit = 3.0

    def show(self, sample: Sample | None, limit: float) -> None:
        """Show this sample on a scale from -limit to limit; None shows nothing."""
        if (sample, limit) != (self._sample, self._limit):
            self._sample, self._limit = sample, limit
            self.refresh()

    def render(self) -> Text:
        """Return the lines."""
        text = Text(no_wrap=True, overflow="ellipsis", end="")
        if self._sample is None:
            return text
        dark, width = is_dark(self), max(self.size.width, 20)
        facts = Text(end="")
        self._facts(facts, self._sample, dark=dark)
        facts.truncate(width - 2, overflow="ellipsis")
        text.append_text(facts).append("\n")
        self._scale(text, self._sample.prediction, min(width - 8, MAX_SCALE), dark=dark)
        lines = textwrap.wrap(self._sample.transcript or "no transcript here", width)
        if len(lines) > 2:
            lines[1] = cut(f"{lines[1]} {lines[2]}", width)
        for line in lines[:2]:
            text.append("\n" + line, role_style(Role.PLAIN, dark=dark))
        return text

    def _facts(self, text: Text, sample: Sample, *, dark: bool) -> None:
        dim, plain = role_style(Role.DIM, dark=dark), role_style(Role.PLAIN, dark=dark)
        row = sample.prediction
        text.append(f"{row.sample_id}  ", role_style(Role.STRONG, dark=dark))
        text.append("label ", dim).append(f"{row.label:+.2f} {sample.label_class}", plain)
        for name in BRANCHES:
            value = getattr(row, name)
            if value is not None:
                said = f" {sample.score_class}" if name == "fusion" else ""
                text.append(f"  {name} ", dim).append(f"{value:+.2f}{said}", plain)
        wrong = sample.label_class != sample.score_class
        role = Role.BAD if wrong else Role.GOOD
        text.append(f"  error {sample.error:+.2f}", role_style(role, dark=dark))

    def _scale(self, text: Text, row: Prediction, width: int, *, dark: bool) -> None:
        dim = role_style(Role.DIM, dark=dark)
        marks = scale_marks(row, self._limit, width)
        colours = {LETTERS[name]: place for place, name in enumerate(BRANCHES)}
        text.append(f"{-self._limit:+.0f} ", dim)
        for cell in range(width):
            mark = marks.get(cell)
            if mark is None:
                text.append("┼" if cell == width // 2 else "─", dim)
            elif mark in colours:
                text.append(mark, series_style(colours[mark], dark=dark))
            else:
                text.append(mark, role_style(Role.STRONG, dark=dark))
        text.append(f" {self._limit:+.0f}", dim)
