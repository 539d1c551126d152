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

    A single row is packed; several rows have columns of equal width. What does not fit is counted,
    never silently dropped.
    """
    shown = [line for line in lines if len(line.x)]
    if not shown or rows < 1:
        return []
    digits = 3 if rows == 1 else 4
    values = [number(line.last if at is None else line.value_at(at), digits) for line in shown]
    widest, longest = max(map(len, values)), max(len(line.label) for line in shown)
    label = min(longest, MAX_LABEL)
    per_row = _per_row(width, label, widest)
    while rows > 1 and per_row * rows < len(shown) and label > MIN_LABEL:
        label -= 1
        per_row = _per_row(width, label, widest)
    entries = [
        _entry(line, value, label=label, dark=dark, ground=ground)
        for line, value in zip(shown, values, strict=True)
    ]
    if rows == 1:
        return [_packed(entries, width, dark=dark, ground=ground)]
    entries = [entry.adjust_cell_length(label + widest + 5, ground) for entry in entries]
    blank = Strip([Segment(" ", ground)])
    strips = [
        Strip.join([blank, *entries[start : start + per_row]])
        for start in range(0, min(len(entries), per_row * rows), per_row)
    ]
    hidden = len(entries) - per_row * rows
    if hidden > 0:
        strips[-1] = Strip.join([strips[-1], _more(hidden, dark=dark, ground=ground)])
    return strips


def _per_row(width: int, label: int, value: int) -> int:
    return max((width - 1) // (label + value + 5), 1)


def _entry(line: Line, value: str, *, label: int, dark: bool, ground: Style) -> Strip:
    style = ground + series_style(line.slot, dark=dark)
    return Strip(
        [
            Segment(f"{marker(line.slot)} ", style + Style(bold=True)),
            Segment(
                f"{cut_middle(line.label, label)} ", ground + role_style(Role.PLAIN, dark=dark)
            ),
            Segment(f"{value}  ", style),
        ]
    )


def _packed(entries: Sequence[Strip], width: int, *, dark: bool, ground: Style) -> Strip:
    """Return as many entries as fit into one row, and how many do not."""
    room = width - 1
    taken: list[Strip] = []
    for place, entry in enumerate(entries):
        after = len(entries) - place - 1
        if sum(strip.cell_length for strip in (*taken, entry)) > room - (3 if after else 0):
            taken.append(_more(after + 1, dark=dark, ground=ground))
            break
        taken.append(entry)
    return Strip.join([Strip([Segment(" ", ground)]), *taken])


def _more(hidden: int, *, dark: bool, ground: Style) -> Strip:
    return Strip([Segment(f"+{hidden}", ground + role_style(Role.DIM, dark=dark))])
