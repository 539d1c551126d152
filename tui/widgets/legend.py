"""The legend of a chart: marker, name and value of every line, in as many rows as there are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from tui.formatting import Role, cut_middle, number
from tui.plotting.glyphs import UNICODE, Glyphs
from tui.widgets.styles import role_style, series_style

if TYPE_CHECKING:
    from tui.plotting.lines import Line

MAX_LABEL = 24
MIN_LABEL = 8


def legend_strips(
    lines: Sequence[Line],
    width: int,
    rows: int,
    *,
    at: float | None,
    dark: bool,
    ground: Style,
    glyphs: Glyphs = UNICODE,
) -> list[Strip]:
    """Return at most `rows` strips; values are the newest, or those at the cursor.

    A single row is packed; several rows have columns of equal width. What does not fit is counted,
    never silently dropped.
    """
    shown = [line for line in lines if len(line.x) and not line.baseline_of]
    if not shown or rows < 1:
        return []
    digits = 3 if rows == 1 else 4
    values = [value_text(line, at, baseline_for(line, lines), digits, glyphs) for line in shown]
    widest, longest = max(map(len, values)), max(len(line.label) for line in shown)
    label = min(longest, MAX_LABEL)
    per_row = _per_row(width, label, widest)
    while rows > 1 and per_row * rows < len(shown) and label > MIN_LABEL:
        label -= 1
        per_row = _per_row(width, label, widest)
    entries = [
        _entry(line, value, label=label, dark=dark, ground=ground, glyphs=glyphs)
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


def value_text(line: Line, at: float | None, base: Line | None, digits: int, glyphs: Glyphs) -> str:
    """Return the value of a line with all that goes with it.

    At the cursor the smoothed value stands behind the raw one, of a band the deviation behind the
    mean. Then come the distance to the baseline and how many values are not finite.
    """
    place = float(line.x[-1]) if at is None else at
    value = line.last if at is None else line.value_at(at)
    text = number(value, digits)
    spread = line.band_at(place)
    smoothed = None if at is None else line.smooth_at(at)
    if spread is not None and spread[0] == spread[0]:
        text += f"{glyphs.plus_minus}{number(spread[0], max(digits - 1, 2))}"
        text += f" n={spread[1]}" if at is not None else ""
    elif smoothed is not None:
        text += f" ~{number(smoothed, digits)}"
    theirs = None if base is None else _level(base, place)
    ours = _level(line, place)
    if theirs is not None and ours is not None:
        distance = number(ours - theirs, max(digits - 1, 2)) if ours != theirs else "same"
        text += f" ({'+' if ours > theirs else ''}{distance})"
    return text + (f" {glyphs.nan}{line.num_bad}" if line.num_bad else "")


def baseline_for(line: Line, lines: Sequence[Line]) -> Line | None:
    """Return what a line is held against; None for nothing, and for a baseline itself."""
    if line.is_baseline:
        return None
    bases = (one for one in lines if one.is_baseline and len(one.x))
    return next((one for one in bases if one.baseline_of in ("", line.key)), None)


def _level(line: Line, at: float) -> float | None:
    """Return what a line is held against another by: its smoothed value where it has one."""
    smoothed = line.smooth_at(at)
    value = line.value_at(at) if smoothed is None else smoothed
    return None if value is None or value != value else value


def _per_row(width: int, label: int, value: int) -> int:
    return max((width - 1) // (label + value + 5), 1)


def _entry(
    line: Line, value: str, *, label: int, dark: bool, ground: Style, glyphs: Glyphs
) -> Strip:
    style = ground + series_style(line.slot, dark=dark)
    role = Role.STRONG if line.is_baseline else Role.PLAIN
    name = cut_middle(line.label, label)
    return Strip(
        [
            Segment(f"{glyphs.marker(line.slot)} ", style + Style(bold=True)),
            Segment(f"{name} ", ground + role_style(role, dark=dark)),
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
