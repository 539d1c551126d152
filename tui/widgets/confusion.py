"""Confusion matrices as text: counts and shares of each row, heat by shade and by number.

Rows are the classes of the labels, columns those of the scores; the diagonal is right.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tui.formatting import Role, cut
from tui.run_records import ConfusionMatrix
from tui.widgets.styles import has_colour, is_dark, role_style

CELL_WIDTH, MIN_CELL_WIDTH = 10, 6
LABEL_WIDTH = 16
GAP = 4
SHADES = " ░▒▓█"
"""Where there is no colour: from none to all of a row, in quarters."""
_GROUND = {True: (0x0F, 0x14, 0x19), False: (0xFB, 0xFB, 0xF9)}
_HEAT = {True: (0x1F, 0x6F, 0xB0), False: (0x8C, 0xC4, 0xEE)}
_MISS = {True: (0xA8, 0x55, 0x2A), False: (0xF3, 0xB0, 0x8A)}


def heat(share: float, *, is_right: bool, dark: bool) -> Style:
    """Return the ground of a cell: the larger its share of the row, the further from black."""
    base, full = _GROUND[dark], (_HEAT if is_right else _MISS)[dark]
    mixed = (round(b + (f - b) * min(share, 1.0)) for b, f in zip(base, full, strict=True))
    return Style(bgcolor="#" + "".join(f"{part:02x}" for part in mixed))


def matrix_rows(
    matrix: ConfusionMatrix, *, dark: bool, has_colour: bool, cell: int = CELL_WIDTH
) -> list[list[Segment]]:
    """Return the lines of a matrix, all of one width: a title, the names, two lines a class."""
    dim, plain = role_style(Role.DIM, dark=dark), role_style(Role.PLAIN, dark=dark)
    strong = role_style(Role.STRONG, dark=dark)
    k, total = len(matrix.names), matrix.total
    width = LABEL_WIDTH + (k + 1) * cell
    right = f"{100 * matrix.right / total:.1f} % right" if total else ""
    title = f"{k} classes  {right} ({matrix.right:,} of {total:,})"
    names = [_name(name, cell - 1).rjust(cell - 1) + " " for name in matrix.names]
    rows = [
        [Segment(cut(title, width).ljust(width), strong)],
        [
            Segment("label \\ score".ljust(LABEL_WIDTH), dim),
            *(Segment(name, dim) for name in names),
            Segment("all".rjust(cell - 1) + " ", dim),
        ],
    ]
    for place, (name, counts) in enumerate(zip(matrix.names, matrix.counts, strict=True)):
        of_class = sum(counts)
        upper = [Segment(cut(name, LABEL_WIDTH - 1).ljust(LABEL_WIDTH), plain)]
        lower = [Segment(" " * LABEL_WIDTH, dim)]
        for column, count in enumerate(counts):
            share = count / of_class if of_class else 0.0
            ground = heat(share, is_right=column == place, dark=dark) if has_colour else Style()
            shade = " " if has_colour else SHADES[round(share * (len(SHADES) - 1))]
            text = plain + ground + Style(bold=column == place)
            upper.append(Segment(f"{count:>{cell - 1},} ", text))
            lower.append(Segment(f"{_percent(share, of_class):>{cell - 1}}{shade}", text))
        part = of_class / total if total else 0.0
        upper.append(Segment(f"{of_class:>{cell - 1},} ", dim))
        lower.append(Segment(f"{_percent(part, total):>{cell - 1}} ", dim))
        rows += [upper, lower]
    return rows


def _name(name: str, width: int) -> str:
    """Return a class's name in a column: `weakly negative` becomes `weak neg`, then `weak n…`."""
    if len(name) <= width:
        return name
    short = name.replace("weakly", "weak").replace("non-", "non")
    short = short.replace("negative", "neg").replace("positive", "pos").replace("neutral", "neut")
    return cut(short, width)


def _percent(share: float, of: int) -> str:
    return f"{100 * share:.0f} %" if of else "-"


class ConfusionPage(ScrollView, can_focus=True, inherit_bindings=False):
    """Matrices side by side where there is room, else below each other."""

    DEFAULT_CSS = """
    ConfusionPage { background: $background; height: 1fr; overflow-x: hidden;
        scrollbar-size-vertical: 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j,down", "scroll_lines(2)", "down", show=False),
        Binding("k,up", "scroll_lines(-2)", "up", show=False),
        Binding("g,home", "scroll_lines(-9999)", "top", show=False),
        Binding("G,end", "scroll_lines(9999)", "bottom", show=False),
        Binding("pagedown,ctrl+d,ctrl+f", "scroll_pages(1)", "page down", show=False),
        Binding("pageup,ctrl+u,ctrl+b", "scroll_pages(-1)", "page up", show=False),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._matrices: tuple[ConfusionMatrix, ...] = ()
        self._strips: list[Strip] = []

    def show(self, matrices: Sequence[ConfusionMatrix]) -> None:
        """Show these matrices."""
        if tuple(matrices) != self._matrices:
            self._matrices = tuple(matrices)
            self._draw()

    def on_resize(self) -> None:
        """Use the new room."""
        self._draw()

    def notify_style_update(self) -> None:
        """Draw anew in another theme."""
        super().notify_style_update()
        if self.is_attached:
            self._draw()

    def render_line(self, y: int) -> Strip:
        """Return a line of the viewport."""
        width = self.scrollable_content_region.width
        place = y + round(self.scroll_y)
        if place >= len(self._strips):
            return Strip.blank(width, self.rich_style)
        return self._strips[place]

    def action_scroll_lines(self, lines: int) -> None:
        """Scroll by lines."""
        self.scroll_to(y=self.scroll_y + lines, animate=False, immediate=True)

    def action_scroll_pages(self, pages: int) -> None:
        """Scroll by pages."""
        self.action_scroll_lines(pages * max(self.size.height - 1, 1))

    def _draw(self) -> None:
        width = self.scrollable_content_region.width
        if not width:
            return
        dark, colour = is_dark(self), has_colour(self)
        most = max((len(one.names) for one in self._matrices), default=1) + 1
        cell = max(min((width - LABEL_WIDTH - 2) // most, CELL_WIDTH), MIN_CELL_WIDTH)
        drawn = [
            matrix_rows(one, dark=dark, has_colour=colour, cell=cell) for one in self._matrices
        ]
        self._strips = packed(drawn, width, self.rich_style)
        self.virtual_size = Size(width, len(self._strips))
        self.refresh()


def packed(drawn: Sequence[list[list[Segment]]], width: int, ground: Style) -> list[Strip]:
    """Return the lines of a page: from the left, as many matrices beside each other as fit."""
    shelves: list[list[list[list[Segment]]]] = []
    used = 0
    for rows in drawn:
        needed = Strip(rows[0]).cell_length + GAP
        if not shelves or used + needed > width + GAP:
            shelves.append([])
            used = 1
        shelves[-1].append(rows)
        used += needed
    strips: list[Strip] = []
    for shelf in shelves:
        for y in range(max(map(len, shelf))):
            line = [Segment(" ", ground)]
            for rows in shelf:
                wide = Strip(rows[0]).cell_length
                cells = rows[y] if y < len(rows) else [Segment(" " * wide)]
                line += [Segment(s.text, ground + s.style if s.style else ground) for s in cells]
                line.append(Segment(" " * GAP, ground))
            strips.append(Strip(line).adjust_cell_length(width, ground))
        strips.append(Strip.blank(width, ground))
    return strips
