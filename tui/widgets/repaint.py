"""Sends to the terminal only the cells that look different: over SSH bytes are time."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile

from rich.segment import Segment
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget


def refresh_changed(widget: Widget, before: Sequence[Strip], after: Sequence[Strip]) -> None:
    """Refresh the cells of a widget in which two pictures of it differ."""
    if len(before) != len(after):
        widget.refresh()
        return
    regions = changed_regions(before, after)
    if regions:
        widget.refresh(*regions)


def changed_regions(before: Sequence[Strip], after: Sequence[Strip]) -> list[Region]:
    """Return for each row that differs the cells from the first to the last that do."""
    regions: list[Region] = []
    for y, (old, new) in enumerate(zip(before, after, strict=True)):
        if old is new or old == new:
            continue
        width = max(old.cell_length, new.cell_length)
        olds, news = list(old), list(new)
        start = _common(olds, news)
        end = width - _common(olds[::-1], news[::-1], from_end=True)
        if old.cell_length != new.cell_length:
            end = width
        regions.append(Region(start, y, max(end - start, 1), 1))
    return regions


def _common(some: list[Segment], others: list[Segment], *, from_end: bool = False) -> int:
    """Return how many cells from one end are equal."""
    same = list(takewhile(lambda pair: pair[0] == pair[1], zip(some, others, strict=False)))
    cells = sum(pair[0].cell_length for pair in same)
    if len(same) == min(len(some), len(others)):
        return cells
    one, other = some[len(same)], others[len(same)]
    if one.style != other.style or not (one.text.isascii() or one.cell_length == len(one.text)):
        return cells
    letters = zip(
        one.text[::-1] if from_end else one.text,
        other.text[::-1] if from_end else other.text,
        strict=False,
    )
    return cells + sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], letters))
