"""A chart with title and legend as text, in the terminal's colours or in none."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.console import Console
from rich.style import Style
from rich.text import Text

from setgf.cli.run_text import show_text
from tui.formatting import cut_middle, number
from tui.plotting.cells import Ink
from tui.plotting.chart import View, draw
from tui.plotting.glyphs import ASCII, UNICODE, Glyphs
from tui.plotting.lines import Line
from tui.plotting.palette import colour
from tui.plotting.scale import AxisKind

if TYPE_CHECKING:
    from tui.plotting.cells import Span

MAX_LABEL, MAX_ENTRIES = 32, 24
_TITLES = {
    "step": "step",
    "epoch": "epoch",
    "time": "time since the start",
    "clock": "clock time",
    "rate": "missing rate",
}
_KINDS = {"time": AxisKind.SECONDS, "clock": AxisKind.CLOCK}
_GREY = {Ink.GRID: "grey35", Ink.AXIS: "grey50", Ink.LABEL: "grey62"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ChartText:
    """How charts are written."""

    size: tuple[int, int]
    """Cells across and down, without title and legend."""
    x: str
    log_y: bool
    ascii_only: bool

    def draw(self, metric: str, lines: Sequence[Line], *, note: str = "") -> str:
        """Return the chart of a metric: title, legend, plot."""
        console = make_console(self.size[0])
        has_colour = console.color_system is not None and not console.no_color
        glyphs = ASCII if self.ascii_only or not _has_unicode() else UNICODE
        with console.capture() as captured:
            self._print(console, self._rows(metric, lines, note, glyphs, has_colour=has_colour))
        return captured.get().rstrip("\n")

    def picture(self, charts: Mapping[str, Sequence[Line]], *, note: str = "", is_svg: bool) -> str:
        """Return the charts of some metrics, one below the other, as SVG or as plain text."""
        glyphs = ASCII if self.ascii_only else UNICODE
        console = Console(
            width=self.size[0],
            file=io.StringIO(),
            record=True,
            force_terminal=is_svg,
            color_system="truecolor" if is_svg else None,
            markup=False,
            highlight=False,
            emoji=False,
        )
        for metric, lines in charts.items():
            self._print(console, self._rows(metric, lines, note, glyphs, has_colour=is_svg))
            console.print()
        return console.export_svg(title=", ".join(charts)) if is_svg else console.export_text()

    @staticmethod
    def _print(console: Console, rows: Sequence[Text]) -> None:
        for row in rows:
            row.rstrip()
            console.print(row, no_wrap=True, overflow="crop", crop=False)

    def _rows(
        self, metric: str, lines: Sequence[Line], note: str, glyphs: Glyphs, *, has_colour: bool
    ) -> list[Text]:
        is_number = self.x in ("step", "epoch")
        view = View(
            width=self.size[0],
            height=self.size[1],
            log_y=self.log_y,
            markers_along=not has_colour,
            x_kind=_KINDS.get(self.x, AxisKind.NUMBER),
            x_whole=is_number,
            glyphs=glyphs,
        )
        picture = draw(lines, view)
        rows = [self._title(metric, lines, note, glyphs), *self._legend(lines, glyphs)]
        return rows + [_paint(row) for row in picture.rows]

    def _title(self, metric: str, lines: Sequence[Line], note: str, glyphs: Glyphs) -> Text:
        total = sum(line.total for line in lines)
        drawn = sum(len(line.x) for line in lines)
        parts = [f"by {_TITLES[self.x]}", *(["log y"] if self.log_y else []), *filter(None, [note])]
        has_bands = any(line.band is not None for line in lines)
        thinned = ", envelope exact" if drawn < total and not has_bands else ""
        parts.append(f"{total:,} point{'' if total == 1 else 's'}{thinned}")
        bad = sum(line.num_bad for line in lines)
        if bad:
            parts.append(f"{bad} not finite")
        text = Text(show_text(metric), Style(bold=True))
        words = f"  {f' {glyphs.separator} '.join(parts)}"
        return text.append(words[: max(self.size[0] - len(metric), 0)], Style(color="grey62"))

    def _legend(self, lines: Sequence[Line], glyphs: Glyphs) -> list[Text]:
        """Return the legend in columns: marker, name and newest value; what is left is counted."""
        shown = lines[:MAX_ENTRIES]
        label = min(max(len(line.label) for line in shown), MAX_LABEL)
        values = [_value(line, glyphs) for line in shown]
        entry = label + max(map(len, values)) + 5
        across = max(self.size[0] // entry, 1)
        rows: list[Text] = []
        for place, (line, value) in enumerate(zip(shown, values, strict=True)):
            if place % across == 0:
                rows.append(Text())
            style = Style(color=colour(line.slot, dark=is_dark()), bold=True)
            name = cut_middle(line.label, label)
            if not glyphs.is_braille:
                name = name.encode("ascii", "replace").decode()
            rows[-1].append(f"{glyphs.marker(line.slot)} ", style)
            rows[-1].append(f"{name:<{label}} ").append(f"{value:<{entry - label - 3}}", style)
        if len(lines) > len(shown):
            rows.append(Text(f"and {len(lines) - len(shown)} more", Style(color="grey62")))
        return rows


def make_console(width: int) -> Console:
    """Return a console on stdout for a picture of this width; without colours in a pipe."""
    return Console(width=width, markup=False, highlight=False, emoji=False, soft_wrap=True)


def is_dark() -> bool:
    """Return whether the terminal says, by COLORFGBG, nothing of a light ground."""
    ground = os.environ.get("COLORFGBG", "").rpartition(";")[2]
    return ground not in ("7", "15")


def _value(line: Line, glyphs: Glyphs) -> str:
    if line.band is None:
        return number(line.last)
    half, size = line.band_at(line.x[-1]) or (float("nan"), 0)
    spread = f" {glyphs.plus_minus} {number(half)}" if size > 1 else ""
    return number(line.last) + spread


def _paint(row: Sequence[Span]) -> Text:
    text = Text()
    for span in row:
        text.append(span.text, _style(span))
    return text


def _style(span: Span) -> Style | None:
    if span.ink in (Ink.LINE, Ink.MARKER, Ink.FAINT):
        shade = colour(span.slot, dark=is_dark())
        return Style(color=shade, bold=span.ink is Ink.MARKER, dim=span.ink is Ink.FAINT)
    if span.ink in (Ink.BAD, Ink.MARK):
        return Style(color="red" if span.ink is Ink.BAD else "yellow", bold=True)
    grey = _GREY.get(span.ink)
    return None if grey is None else Style(color=grey)


def _has_unicode() -> bool:
    """Return whether what stdout is written in has braille."""
    try:
        "\u2801\u25cf".encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except (UnicodeEncodeError, LookupError):
        return False
    return True
