"""Text of users on a terminal: control characters are shown, never obeyed; tables without Rich."""

from __future__ import annotations

import os
import re
import shutil
import sys
import unicodedata
from collections.abc import Collection, Sequence

from setgf.cli.output import say

GAP = "  "
CUT = "\u2026"
NARROWEST = 6
"""A column is not cut below this many cells."""
_OBEYED = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
"""What a terminal acts on: control characters, line ends, directions of writing."""
_NAMED = {"\n": "\\n", "\r": "\\r", "\t": "\\t", "\x1b": "\\e"}


def show_text(text: str) -> str:
    r"""Return text with everything a terminal would act on written out.

    >>> print(show_text("red \x1b[31m\nnext"))
    red \e[31m\nnext
    """
    return _OBEYED.sub(lambda match: _NAMED.get(match[0], f"\\u{ord(match[0]):04x}"), text)


def show_lines(text: str) -> list[str]:
    """Return the lines of a longer text, each safe to print."""
    return [show_text(line) for line in text.split("\n")]


def say_plain_table(
    columns: Sequence[str], rows: Sequence[Sequence[str]], *, right: Collection[str] = ()
) -> None:
    """Print rows under column names; cut to the terminal's width only when there is a terminal."""
    cells = [[show_text(cell) for cell in row] for row in (columns, *rows)]
    widths = [max(map(_width, column)) for column in zip(*cells, strict=True)]
    is_terminal = sys.stdout.isatty()
    if is_terminal:
        _shrink(widths, shutil.get_terminal_size().columns)
    on_right = [name in right for name in columns]
    lines = [
        GAP.join(
            _fit(cell, width, at_right)
            for cell, width, at_right in zip(row, widths, on_right, strict=True)
        ).rstrip()
        for row in cells
    ]
    if is_terminal and "NO_COLOR" not in os.environ:
        lines[0] = f"\x1b[1m{lines[0]}\x1b[0m"
    say("\n".join(lines))


def _shrink(widths: list[int], room: int) -> None:
    """Cut the widest columns until all fit."""
    while sum(widths) + len(GAP) * (len(widths) - 1) > room and max(widths) > NARROWEST:
        widths[widths.index(max(widths))] -= 1


def _fit(cell: str, width: int, at_right: bool) -> str:
    missing = width - _width(cell)
    if missing < 0:
        while _width(cell) > width - 1:
            cell = cell[:-1]
        cell += CUT
        missing = width - _width(cell)
    return " " * missing + cell if at_right else cell + " " * missing


def _width(text: str) -> int:
    """Return how many cells a text takes; East Asian letters take two, combining marks none."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(letter) else 1 + (unicodedata.east_asian_width(letter) in "WF")
        for letter in text
    )
