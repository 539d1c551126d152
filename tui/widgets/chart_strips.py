"""A chart as strips: title, legend and picture; rows that look as before are the same objects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from tui.formatting import Role, plural
from tui.plotting.glyphs import UNICODE, Glyphs
from tui.plotting.scale import AxisKind, tick_labels
from tui.widgets.styles import code_styles, role_style

if TYPE_CHECKING:
    from tui.plotting.axes import Mark
    from tui.plotting.cells import Cells
    from tui.plotting.chart import Picture
    from tui.plotting.lines import Line

MIN_TITLE = 12


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ChartData:
    """Everything a chart shows; a new object means new data."""

    title: str
    lines: tuple[Line, ...] = ()
    x_title: str = "step"
    x_kind: AxisKind = AxisKind.NUMBER
    x_whole: bool = True
    x_range: tuple[float, float] | None = None
    """The whole range of x, where it is not that of the lines: charts over one time axis."""
    log_y: bool = False
    with_raw: bool = True
    """Raw values lie faint behind smoothed ones."""
    marks: tuple[Mark, ...] = ()
    """Best epoch and checkpoints."""
    hint: str = ""
    """Shown where there is nothing to draw."""
    note: str = ""
    """Shown right of the title."""
    is_growing: bool = False
    """More points are to come."""


def same_data(some: ChartData, other: ChartData) -> bool:
    """Return whether two charts would look the same."""
    names = [field.name for field in fields(ChartData) if field.name != "lines"]
    if any(getattr(some, name) != getattr(other, name) for name in names):
        return False
    if not some.lines or not other.lines:
        return some.lines == other.lines
    from tui.plotting.lines import same_lines

    return same_lines(some.lines, other.lines)


def fidelity(lines: Sequence[Line]) -> str:
    """Return how many points are drawn, and that none is lost where they are many."""
    total = sum(line.total for line in lines)
    is_thinned = any(line.num_points > len(line.x) for line in lines if line.band is None)
    if not total:
        return ""
    return f"{plural(total, 'point')}, {'envelope exact' if is_thinned else 'all drawn'}"


@dataclass(frozen=True, slots=True, kw_only=True)
class TitleState:
    """What the title line says beside the title."""

    is_zoomed: bool = False
    is_locked: bool = False
    cursor: float | None = None
    has_focus: bool = False


def title_strip(
    data: ChartData,
    state: TitleState,
    picture: Picture | None,
    width: int,
    *,
    dark: bool,
    ground: Style,
    glyphs: Glyphs = UNICODE,
) -> Strip:
    """Return the title, and as much of how the chart is drawn as there is room for."""
    parts = [part for part in _notes(data, state, picture) if part]
    separator = f" {glyphs.separator} "
    room = width - min(len(data.title), max(width // 2, MIN_TITLE)) - 3
    while len(parts) > 1 and len(separator.join(parts)) > room:
        parts.pop()
    note = separator.join(parts) + " "
    title = data.title[: max(width - len(note) - 2, 4)]
    gap = " " * max(width - len(title) - len(note) - 1, 1)
    role = Role.ACCENT if state.has_focus else Role.STRONG
    dim = ground + role_style(Role.DIM, dark=dark)
    strip = Strip(
        [Segment(" " + title, ground + role_style(role, dark=dark)), Segment(gap + note, dim)]
    )
    return strip.adjust_cell_length(width, ground)


def _notes(data: ChartData, state: TitleState, picture: Picture | None) -> list[str]:
    """Return what there is to say, the most important first."""
    x_title = data.x_title
    if state.cursor is not None:
        at = round(state.cursor) if data.x_whole else round(state.cursor, 2)
        x_title += " " + tick_labels([at], data.x_kind)[0]
    clipped = picture.num_clipped if picture else 0
    unlogged = picture.num_without_log if picture else 0
    return [
        x_title,
        f"{plural(clipped, 'point')} clipped" if clipped else "",
        f"{unlogged:,} not above 0 left out" if unlogged else "",
        "log y" if data.log_y else "",
        "zoomed" if state.is_zoomed else "",
        "y locked" if state.is_locked else "",
        data.note,
        fidelity(data.lines),
    ]


def nothing_strips(
    data: ChartData, width: int, height: int, *, dark: bool, ground: Style
) -> list[Strip]:
    """Return the hint in the middle of empty rows."""
    rows = [Strip.blank(width, ground)] * max(height, 0)
    if rows:
        text = data.hint[: max(width - 2, 0)].center(width)
        style = ground + role_style(Role.DIM, dark=dark)
        rows[len(rows) // 2] = Strip([Segment(text, style)], width)
    return rows


class CellStrips:
    """Turns cells into strips, and keeps the strips of rows that did not change."""

    def __init__(self) -> None:
        self._cells: Cells | None = None
        self._look: object = None
        self._strips: list[Strip] = []

    def strips(self, cells: Cells, *, dark: bool, ground: Style) -> list[Strip]:
        """Return one strip a row."""
        styles = code_styles(ground, dark=dark)
        before = self._cells if self._look == (dark, ground) else None
        strips = list(self._strips)
        height, width = cells.text.shape
        if len(strips) != height or before is None:
            before, strips = None, [Strip([])] * height
        for row in cells.changed_rows(before):
            segments = [Segment(text, styles[code]) for text, code in cells.spans(row)]
            strips[row] = Strip(segments, width)
        self._cells, self._look, self._strips = cells, (dark, ground), strips
        return list(strips)
