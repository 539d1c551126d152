"""A recording made small: of every moment only the cells that changed, with the fewest codes.

What a program writes repeats its colours with every word and paints more than it changes; on a
terminal that costs little, in a repository it is most of the file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import pyte

SECONDS_A_PICTURE = 0.1
_OPEN_END = re.compile(r"\x1b(?:[\[\]P][^A-Za-z\x07]*)?\Z")
"""A control sequence whose end comes with the next piece."""
_UNKNOWN = re.compile(r"\x1b\[[<>=?][0-9;]*(?:\$[a-z]|[A-Zac-gi-km-z])")
"""Questions to the terminal and modes of keys, which pyte would print."""
_FLAGS = (("bold", "1"), ("italics", "3"), ("underscore", "4"), ("reverse", "7"))
_NAMES = ("black", "red", "green", "brown", "blue", "magenta", "cyan", "white")
Events = Sequence[tuple[float, str]]


class Cell(NamedTuple):
    """A letter and its style, as codes of a terminal."""

    text: str
    flags: str
    front: str
    back: str


Picture = Sequence[Sequence[Cell]]


def compact(events: Events, columns: int, rows: int) -> Iterator[tuple[float, str]]:
    """Yield the events of a recording that looks the same, at most ten a second."""
    screen = pyte.Screen(columns, rows)
    stream = pyte.Stream(screen)
    shown = _cells(screen)
    rest = ""
    yield 0.0, "\x1b[?25l\x1b[2J"
    for place, (at, text) in enumerate(events):
        text = _UNKNOWN.sub("", rest + text)
        split = _OPEN_END.search(text)
        rest = "" if split is None else text[split.start() :]
        stream.feed(text[: len(text) - len(rest)])
        following = events[place + 1][0] if place + 1 < len(events) else at + 1
        if following - at < SECONDS_A_PICTURE / 2:
            continue
        cells = _cells(screen)
        change = _change(shown, cells)
        shown = cells
        if change:
            yield round(at, 2), change
    yield round(events[-1][0], 2), "\x1b[0m\x1b[?25h"


def _cells(screen: Any) -> Picture:
    """Return the cells of the screen, row by row."""
    rows = (screen.buffer[row] for row in range(screen.lines))
    return [[_cell(row[column]) for column in range(screen.columns)] for row in rows]


def _cell(cell: Any) -> Cell:
    flags = ";".join(code for name, code in _FLAGS if getattr(cell, name))
    return Cell(cell.data, flags, _colour(cell.fg, 30), _colour(cell.bg, 40))


def _colour(name: str, base: int) -> str:
    if name == "default":
        return str(base + 9)
    if name in _NAMES:
        return str(base + _NAMES.index(name))
    if not re.fullmatch("[0-9a-f]{6}", name):
        return str(base + 9)
    red, green, blue = (int(name[place : place + 2], 16) for place in (0, 2, 4))
    return f"{base + 8};2;{red};{green};{blue}"


def _change(before: Picture, after: Picture) -> str:
    """Return what turns one picture into the other."""
    parts: list[str] = []
    style: Cell | None = None
    for row, (old, new) in enumerate(zip(before, after, strict=True)):
        at = -1
        for column, cell in enumerate(new):
            if cell == old[column] or not cell.text:
                continue
            if at != column:
                parts.append(f"\x1b[{row + 1};{column + 1}H")
            parts.append(_codes(style, cell))
            parts.append(cell.text)
            style, at = cell, column + 1
    return "".join(parts)


def _codes(before: Cell | None, after: Cell) -> str:
    """Return what changes the style: only what differs, where that can be said alone."""
    if before is None or before.flags != after.flags:
        codes = ["0", after.flags, after.front, after.back]
    else:
        codes = [
            new
            for old, new in ((before.front, after.front), (before.back, after.back))
            if old != new
        ]
    said = ";".join(filter(None, codes))
    return f"\x1b[{said}m" if said else ""
