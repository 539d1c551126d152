"""What the terminal can show, and how the screen is brought to it: without colour, in ASCII."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.color import Color
from textual.filter import LineFilter

_POOR = frozenset({"linux", "dumb", "vt52", "vt100", "vt102", "vt220", "ansi", "cons25", "unknown"})
"""Terminals whose fonts lack braille and most symbols; `linux` is the text console."""
_COLOURLESS = frozenset({"dumb", "vt52", "vt100", "vt102", "vt220", "unknown"})
_LOCALE_VARIABLES = ("LC_ALL", "LC_CTYPE", "LANG")
ASCII = {
    **dict.fromkeys("●◐◑▪■◆★", "*"),
    **dict.fromkeys("○◌△", "o"),
    **dict.fromkeys("✓✔", "+"),
    **dict.fromkeys("✗✘×", "x"),  # noqa: RUF001
    **dict.fromkeys("⊘", "/"),
    **dict.fromkeys("‖", "="),
    **dict.fromkeys("▲▴↑△", "^"),
    **dict.fromkeys("▼▾↓", "v"),
    **dict.fromkeys("▸▶→", ">"),
    **dict.fromkeys("◂◀←", "<"),
    **dict.fromkeys("│┃║▏▎▍▌▕▐┤├╎┊┆", "|"),
    **dict.fromkeys("━═╍┅╸╺", "="),
    **dict.fromkeys("─╌┄┈╴╶", "-"),
    **dict.fromkeys("┌┐└┘┬┴┼╭╮╰╯╔╗╚╝┏┓┗┛", "+"),
    **dict.fromkeys("▁▂▃▄▅▆▇█▉▊▋▀", "#"),
    **dict.fromkeys("░▒▓", "."),
    **dict.fromkeys("·•∙", "."),
    **dict.fromkeys("–—−‐", "-"),  # noqa: RUF001
    **dict.fromkeys("“”„", '"'),
    **dict.fromkeys("‘’‚", "'"),  # noqa: RUF001
    "…": "~",
    "±": "~",
    "\xa0": " ",
    "Δ": "d",
    "μ": "u",
    "≤": "<",
    "≥": ">",
}
"""What every other character of ours becomes; each is one cell wide."""


@dataclass(frozen=True, slots=True)
class Abilities:
    """What the terminal can show."""

    is_ascii: bool = False
    """Nothing but ASCII: the locale is not UTF-8, or the font is poor."""
    has_colour: bool = True


def find_abilities(
    environment: Mapping[str, str] = os.environ,
    *,
    wants_ascii: bool = False,
    is_picture: bool = False,
) -> Abilities:
    """Return what the terminal can show, by its name, the locale, and `NO_COLOR`.

    Args:
        environment: variables of the process.
        wants_ascii: the user asked for ASCII.
        is_picture: a picture is drawn, which shows everything, or a browser is.
    """
    has_colour = not environment.get("NO_COLOR")
    if is_picture or environment.get("TERM_PROGRAM") == "textual":
        return Abilities(is_ascii=wants_ascii, has_colour=has_colour)
    terminal = environment.get("TERM", "").lower()
    locale = next((environment[name] for name in _LOCALE_VARIABLES if environment.get(name)), "")
    is_utf8 = "utf8" in locale.lower().replace("-", "")
    return Abilities(
        is_ascii=wants_ascii or terminal in _POOR or not is_utf8,
        has_colour=has_colour and terminal not in _COLOURLESS,
    )


class AsciiFilter(LineFilter):
    """Writes ASCII for every other character, cell by cell."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """Return the segments in ASCII."""
        del background
        return [
            segment if segment.text.isascii() else Segment(to_ascii(segment.text), segment.style)
            for segment in segments
        ]


@lru_cache(4096)
def to_ascii(text: str) -> str:
    """Return text of the same width in ASCII; what has no likeness becomes `?`.

    >>> to_ascii("● 3 · café …")
    '* 3 . caf? ~'
    """
    return "".join(c if c.isascii() else ASCII.get(c, "?" * cell_len(c)) for c in text)


class PlainFilter(LineFilter):
    """Takes all colour away; what stood out by a bright ground is shown in reverse."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """Return the segments without colour."""
        del background
        return [
            segment if segment.style is None else Segment(segment.text, _plain(segment.style))
            for segment in segments
        ]


@lru_cache(1024)
def _plain(style: Style) -> Style:
    ground = style.bgcolor
    is_bright = ground is not None and Color.from_rich_color(ground).brightness > 0.5
    marks = Style(bold=style.bold, underline=style.underline, italic=style.italic)
    return marks + Style(reverse=bool(style.reverse) != is_bright, meta=style.meta)


class ContrastFilter(LineFilter):
    """Brings every text to a contrast of 7 to its ground, the level AAA of WCAG 2."""

    LEAST = 7.0

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """Return the segments with colours that can be read."""
        ground = background.hex6
        return [
            segment
            if segment.style is None
            else Segment(segment.text, _readable(segment.style, ground))
            for segment in segments
        ]


@lru_cache(2048)
def _readable(style: Style, default_ground: str) -> Style:
    text = style.bgcolor if style.reverse else style.color
    under = style.color if style.reverse else style.bgcolor
    if text is None or text.is_default:
        return style
    ground = (
        Color.parse(default_ground)
        if under is None or under.is_default
        else Color.from_rich_color(under)
    )
    found = readable(Color.from_rich_color(text), ground).rich_color
    return style + (Style(bgcolor=found) if style.reverse else Style(color=found))


def readable(colour: Color, ground: Color, least: float = ContrastFilter.LEAST) -> Color:
    """Return the colour nearest to one that has enough contrast to its ground.

    Args:
        colour: of a text.
        ground: behind it.
        least: contrast from 1 to 21, as WCAG 2 defines it.
    """
    end = Color(255, 255, 255) if contrast(Color(255, 255, 255), ground) > 4.6 else Color(0, 0, 0)
    for share in range(0, 101, 5):
        mixed = colour.blend(end, share / 100)
        if contrast(mixed, ground) >= least:
            return mixed
    return end


def contrast(one: Color, other: Color) -> float:
    """Return the contrast of two colours, 1 to 21 (WCAG 2.2, 1.4.3)."""
    brighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (brighter + 0.05) / (darker + 0.05)


def _luminance(colour: Color) -> float:
    def linear(part: int) -> float:
        share = part / 255
        return share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4

    red, green, blue = (linear(part) for part in colour.rgb)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
