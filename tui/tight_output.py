"""Writes to the terminal what changed, in few bytes: over a slow line bytes are time.

The toolkit writes each line of a change from the left edge of its widget, and spells out and resets
all colours for every piece of text. Here only the cells that changed are written, and only the
colours that differ from those before.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache

from rich.color import ColorSystem
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from textual._compositor import ChopsUpdate, CompositorUpdate, LayoutUpdate

_ATTRIBUTES = (
    *(("bold", "1"), ("dim", "2"), ("italic", "3"), ("underline", "4"), ("blink", "5")),
    *(("blink2", "6"), ("reverse", "7"), ("conceal", "8"), ("strike", "9"), ("underline2", "21")),
    *(("frame", "51"), ("encircle", "52"), ("overline", "53")),
)
_ON_BLANKS = frozenset({"4", "7", "9", "21", "53"})
"""Attributes that can be seen where there is no letter; without them its colour can't."""
_PLAIN = ("", "39", "49", True)


class TightUpdate(CompositorUpdate):
    """An update of the screen, as few bytes."""

    def __init__(self, update: ChopsUpdate | LayoutUpdate) -> None:
        self._update = update

    def render_segments(self, console: Console) -> str:
        """Return what is to be written."""
        update = self._update
        pieces = _whole(update) if isinstance(update, LayoutUpdate) else _changed(update)
        names = {"standard": ColorSystem.STANDARD, "256": ColorSystem.EIGHT_BIT}
        system = names.get(console.color_system or "", ColorSystem.TRUECOLOR)
        return written(pieces, system)


Piece = tuple[int, int, Iterable[Segment]]
"""Column, row, and the text that stands from there on."""


def written(pieces: Iterable[Piece], system: ColorSystem = ColorSystem.TRUECOLOR) -> str:
    """Return what writes pieces of text, in their order, in the colours the terminal has."""
    out: list[str] = []
    pen = _Pen()
    for x, y, segments in pieces:
        out.append(f"\x1b[{y + 1};{x + 1}H")
        for text, style, _ in segments:
            if style is not None and style.link:
                out.append(pen.dropped() + style.render(text, color_system=system))
            else:
                parts = _PLAIN if style is None else _parts(style, system)
                out.append(pen.changed_to(parts, text) + text)
    out.append("\x1b[0m")
    return "".join(out)


class _Pen:
    """The colours the terminal writes with now."""

    def __init__(self) -> None:
        self._attributes = self._colour = self._ground = "?"

    def dropped(self) -> str:
        """Return what ends all colours."""
        self._attributes = "?"
        return "\x1b[0m"

    def changed_to(self, parts: tuple[str, str, str, bool], text: str) -> str:
        """Return what changes to other colours for a text, where that can be seen."""
        attributes, colour, ground, hides_on_blanks = parts
        codes: list[str] = []
        if attributes != self._attributes:
            codes = ["0", attributes] if attributes else ["0"]
            self._attributes, self._colour, self._ground = attributes, "39", "49"
        if colour != self._colour and not (hides_on_blanks and text.isspace()):
            self._colour = colour
            codes.append(colour)
        if ground != self._ground:
            self._ground = ground
            codes.append(ground)
        return f"\x1b[{';'.join(codes)}m" if codes else ""


def _whole(update: LayoutUpdate) -> Iterator[Piece]:
    """Yield every line of the screen."""
    x, top = update.region.x, update.region.y
    for y, strips in enumerate(update.strips, top):
        yield x, y, (segment for strip in strips for segment in strip)


def _changed(update: ChopsUpdate) -> Iterator[Piece]:
    """Yield the parts of the widgets' lines that lie within what has changed."""
    for y, first, last in update.spans:
        for end, (x, strip) in zip(update.chop_ends[y], update.chops[y].items(), strict=False):
            start, stop = max(x, first), min(end, last)
            if strip is not None and start < stop:
                yield start, y, strip.crop(start - x, stop - x)


@lru_cache(8192)
def _parts(style: Style, system: ColorSystem) -> tuple[str, str, str, bool]:
    """Return the codes of attributes, colour and ground, and whether blanks have no colour."""
    codes = [code for name, code in _ATTRIBUTES if getattr(style, name)]
    colour, ground = style.color, style.bgcolor
    return (
        ";".join(codes),
        ";".join(colour.downgrade(system).get_ansi_codes()) if colour else "39",
        ";".join(ground.downgrade(system).get_ansi_codes(foreground=False)) if ground else "49",
        _ON_BLANKS.isdisjoint(codes),
    )
