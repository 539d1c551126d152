"""The legend of a chart: marker, name and value of every line, in as many rows as there are."""

from __future__ import annotations

from collections.abc import Sequence

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from tui.formatting import Role, cut_middle, number
from tui.plotting.lines import Line
from tui.plotting.palette import marker
from tui.widgets.styles import role_style, series_style

MAX_LABEL = 24
MIN_LABEL = 8


def legend_strips(
    lines: Sequence[Line], width: int, rows: int, *, at: float | None, dark: bool, ground: Style
) -> list[Strip]:
    """Return at most `rows` strips; values are the newest, or those at the cursor.

    Entries stand in columns of equal width. What does not fit is counted, never silently dropped.
    """
    entries = [(line, _value(line, at)) for line in lines if len(line.x)]
    if not entries or rows < 1:
        return []
    widest = max(len(value) for _, value in entries)
    longest = max(len(line.label) for line, _ in entries)
    label = min(longest, MAX_LABEL)
    per_row = max((width - 1) // (label + widest + 5), 1)
    while per_row * rows < len(entries) and label > MIN_LABEL:
        label -= 1
        per_row = max((width - 1) // (label + widest + 5), 1)
    shown = entries[: per_row * rows]
    hidden = len(entries) - len(shown)
    strips: list[Strip] = []
    for start in range(0, len(shown), per_row):
        segments = [Segment(" ", ground)]
        for line, value in shown[start : start + per_row]:
            style = ground + series_style(line.slot, dark=dark)
            segments += [
                Segment(f"{marker(line.slot)} ", style + Style(bold=True)),
                Segment(
                    cut_middle(line.label, label).ljust(label) + " ",
                    ground + role_style(Role.PLAIN, dark=dark),
                ),
                Segment(value.rjust(widest) + "  ", style),
            ]
        strips.append(Strip(segments))
    if hidden:
        more = Segment(f" +{hidden} more", ground + role_style(Role.DIM, dark=dark))
        strips[-1] = Strip([*strips[-1], more])
    return strips


def _value(line: Line, at: float | None) -> str:
    return number(line.last if at is None else line.value_at(at))
