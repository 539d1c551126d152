"""The characters of a chart: Unicode where the terminal has it, else ASCII."""

from __future__ import annotations

from dataclasses import dataclass

MARKERS = ("●", "▲", "■", "◆", "▼", "□", "○", "△")
ASCII_MARKERS = ("o", "x", "*", "#", "@", "%", "&", "=")


@dataclass(frozen=True, slots=True, kw_only=True)
class Glyphs:
    """One character for everything a chart draws."""

    is_braille: bool
    """False draws a cell a line touches as the line's own marker."""
    markers: tuple[str, ...]
    """By slot."""
    vertical: str
    horizontal: str
    corner: str
    tick_left: str
    tick_below: str
    grid: str
    faint: str
    """A cell of raw values behind a smoothed line, where there is no braille."""
    band: str
    """A cell of a band, where there is no braille."""
    nan: str
    infinite: str
    best: str
    checkpoint: str
    rule: str
    """The vertical line at a mark."""
    ellipsis: str
    separator: str
    levels: str
    """Heights of a sparkline, lowest first, where there is no braille."""
    bar: str
    """Whole and half cell of a bar, and its lighter continuation."""
    plus_minus: str

    def marker(self, slot: int) -> str:
        """Return the one-cell marker of a slot; it changes where colours begin again."""
        return self.markers[(slot + slot // len(self.markers)) % len(self.markers)]


UNICODE = Glyphs(
    is_braille=True,
    markers=MARKERS,
    vertical="│",
    horizontal="─",
    corner="└",
    tick_left="┤",
    tick_below="┬",
    grid="┈",
    faint="·",
    band="░",
    nan="✕",
    infinite="∞",
    best="★",
    checkpoint="◇",
    rule="┊",
    ellipsis="…",
    separator="·",
    levels="",
    bar="━╸─",
    plus_minus="±",
)
ASCII = Glyphs(
    is_braille=False,
    markers=ASCII_MARKERS,
    vertical="|",
    horizontal="-",
    corner="+",
    tick_left="+",
    tick_below="+",
    grid=".",
    faint=".",
    band=":",
    nan="X",
    infinite="!",
    best="^",
    checkpoint="v",
    rule=":",
    ellipsis="~",
    separator="-",
    levels="_.-=^",
    bar="=--",
    plus_minus="+-",
)
