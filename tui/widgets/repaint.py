"""Sends to the terminal only the rows that look different: over SSH bytes are time."""

from __future__ import annotations

from collections.abc import Sequence

from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget


def refresh_changed(widget: Widget, before: Sequence[Strip], after: Sequence[Strip]) -> None:
    """Refresh the rows of a widget in which two pictures of it differ."""
    if len(before) != len(after):
        widget.refresh()
        return
    width = widget.size.width
    changed = [y for y, strip in enumerate(after) if strip != before[y]]
    if changed:
        widget.refresh(*(Region(0, y, width, 1) for y in changed))
