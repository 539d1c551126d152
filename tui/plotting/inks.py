"""What the cells of a chart are drawn with: a kind of ink and the colour of a line, as one code."""

from __future__ import annotations

from enum import IntEnum

from tui.plotting.palette import NUM_SLOTS


class Ink(IntEnum):
    """What a span of the picture is made of."""

    BLANK = 0
    GRID = 1
    AXIS = 2
    LABEL = 3
    CURSOR = 4
    FAINT = 5
    LINE = 6
    MARKER = 7
    BAD = 8
    MARK = 9


def code_of(ink: Ink, slot: int = 0) -> int:
    """Return ink and colour as one small number."""
    return int(ink) * NUM_SLOTS + slot % NUM_SLOTS


def ink_of(code: int) -> tuple[Ink, int]:
    """Return the ink and the colour behind a number."""
    return Ink(code // NUM_SLOTS), code % NUM_SLOTS
