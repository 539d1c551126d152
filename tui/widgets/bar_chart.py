"""Horizontal bars by metric: one panel a metric, one bar a model, spread as a light line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.segment import Segment
from textual.strip import Strip
from textual.widget import Widget

from tui.formatting import Role, cut_middle
from tui.plotting.palette import marker
from tui.plotting.spark import bar
from tui.widgets.styles import is_dark, role_style, series_style

MIN_PANEL, COMFORTABLE_PANEL = 38, 50
MIN_LABEL, MAX_LABEL = 8, 22


@dataclass(frozen=True, slots=True)
class Bar:
    """One model's bar."""

    label: str
    value: float | None
    spread: float | None
    """Standard deviation; drawn beyond the value."""
    text: str
    """The value as it is written beside the bar."""
    slot: int | None
    """Colour; None for what is not ours."""


@dataclass(frozen=True, slots=True)
class BarPanel:
    """The bars of one metric."""

    title: str
    bars: tuple[Bar, ...]


class BarChart(Widget):
    """Panels side by side where there is room, else below each other."""

    DEFAULT_CSS = "BarChart { height: auto; background: $background; }"

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - the toolkit's word
        super().__init__(id=id)
        self._panels: tuple[BarPanel, ...] = ()

    def show(self, panels: Sequence[BarPanel]) -> None:
        """Show these panels."""
        if tuple(panels) != self._panels:
            self._panels = tuple(panels)
            self.refresh(layout=True)

    def get_content_height(self, container: object, viewport: object, width: int) -> int:
        """Return the rows the panels need at a width."""
        del container, viewport
        rows = max((len(panel.bars) for panel in self._panels), default=0) + 1
        columns = self._columns(width)
        stacked = -(-len(self._panels) // columns)
        return stacked * rows + stacked - 1 if self._panels else 0

    def _columns(self, width: int) -> int:
        columns = max(width // COMFORTABLE_PANEL, min(width // MIN_PANEL, 2), 1)
        return max(min(columns, len(self._panels)), 1)

    def render_line(self, y: int) -> Strip:
        """Return one row across the panels of its line."""
        width, dark, ground = self.size.width, is_dark(self), self.rich_style
        columns = self._columns(width)
        rows = max((len(panel.bars) for panel in self._panels), default=0) + 1
        line, row = divmod(y, rows + 1)
        panels = self._panels[line * columns : (line + 1) * columns]
        each = width // columns
        segments: list[Segment] = []
        for panel in panels:
            segments += _panel_row(panel, row, each, dark=dark)
        strip = Strip([Segment(s.text, ground + s.style if s.style else ground) for s in segments])
        return strip.adjust_cell_length(width, ground)


def _panel_row(panel: BarPanel, row: int, width: int, *, dark: bool) -> list[Segment]:
    if row == 0:
        return [Segment(f" {panel.title}".ljust(width), role_style(Role.STRONG, dark=dark))]
    if row > len(panel.bars):
        return [Segment(" " * width)]
    one = panel.bars[row - 1]
    longest = max(len(b.label) for b in panel.bars)
    text_width = max(len(b.text) for b in panel.bars)
    label = min(max(min(longest, MAX_LABEL), MIN_LABEL), max(width - text_width - 16, MIN_LABEL))
    room = max(width - label - text_width - 7, 1)
    top = max((b.value or 0.0) + (b.spread or 0.0) for b in panel.bars) or 1.0
    is_ours = one.slot is not None
    style = role_style(Role.DIM, dark=dark)
    if one.slot is not None:
        style = series_style(one.slot, dark=dark)
    name = role_style(Role.PLAIN if is_ours else Role.DIM, dark=dark)
    glyph = marker(one.slot) if one.slot is not None else " "
    value = max(one.value or 0.0, 0.0)
    drawn = bar(value / top, room, (one.spread or 0.0) / top if value else 0.0)
    return [
        Segment(f" {glyph} ", style),
        Segment(cut_middle(one.label, label).ljust(label) + " ", name),
        Segment(drawn, style),
        Segment(f" {one.text:>{text_width}}  ", name),
    ]
