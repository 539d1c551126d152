"""How roles and series look on dark and on light ground."""

from __future__ import annotations

from functools import cache

from rich.style import Style
from textual.widget import Widget

from tui.formatting import Role
from tui.plotting.glyphs import UNICODE, Glyphs
from tui.plotting.inks import Ink, ink_of
from tui.plotting.palette import NUM_SLOTS, colour
from tui.widgets.host import host

_DARK = {
    Role.PLAIN: Style(color="#d5dae0"),
    Role.DIM: Style(color="#7f8a97"),
    Role.STRONG: Style(color="#f2f5f8", bold=True),
    Role.ACCENT: Style(color="#7cc4f0"),
    Role.LIVE: Style(color="#2ec4a0", bold=True),
    Role.GOOD: Style(color="#6fae8f"),
    Role.WARN: Style(color="#e6a83a"),
    Role.BAD: Style(color="#f0705a", bold=True),
}
_LIGHT = {
    Role.PLAIN: Style(color="#22272e"),
    Role.DIM: Style(color="#67707c"),
    Role.STRONG: Style(color="#000000", bold=True),
    Role.ACCENT: Style(color="#00619c"),
    Role.LIVE: Style(color="#00704f", bold=True),
    Role.GOOD: Style(color="#3d7a5e"),
    Role.WARN: Style(color="#945700"),
    Role.BAD: Style(color="#b92f19", bold=True),
}
_GRID = {True: "#2a323b", False: "#dcdcd6"}
_AXIS = {True: "#55606c", False: "#a2a8b0"}


def is_dark(widget: Widget) -> bool:
    """Return whether the theme in force has a dark ground."""
    return host(widget).current_theme.dark


def has_colour(widget: Widget) -> bool:
    """Return False where NO_COLOR asks for none."""
    return not host(widget).no_color


def glyphs(widget: Widget) -> Glyphs:
    """Return the characters charts are drawn with: Unicode unless the app says otherwise."""
    return getattr(host(widget), "glyphs", UNICODE)


def role_style(role: Role, *, dark: bool) -> Style:
    """Return the style of a role."""
    return (_DARK if dark else _LIGHT)[role]


@cache
def series_style(slot: int, *, dark: bool) -> Style:
    """Return the style of a line or its marker."""
    return Style(color=colour(slot, dark=dark))


@cache
def ink_style(ink: Ink, slot: int, *, dark: bool) -> Style:
    """Return the style of a span of a chart."""
    if ink in (Ink.LINE, Ink.MARKER):
        return series_style(slot, dark=dark) + Style(bold=ink is Ink.MARKER)
    if ink is Ink.FAINT:
        return Style(color=_blend(colour(slot, dark=dark), dark=dark))
    plain = {
        Ink.BLANK: Style(),
        Ink.GRID: Style(color=_GRID[dark]),
        Ink.AXIS: Style(color=_AXIS[dark]),
        Ink.LABEL: role_style(Role.DIM, dark=dark),
        Ink.CURSOR: role_style(Role.ACCENT, dark=dark),
        Ink.BAD: role_style(Role.BAD, dark=dark),
        Ink.MARK: role_style(Role.ACCENT, dark=dark) + Style(bold=True),
    }
    return plain[ink]


@cache
def code_styles(ground: Style, *, dark: bool) -> tuple[Style, ...]:
    """Return the style of every code of a chart's cells on some ground."""
    codes = range(len(Ink) * NUM_SLOTS)
    return tuple(ground + ink_style(*ink_of(code), dark=dark) for code in codes)


def _blend(colour_name: str, *, dark: bool, share: float = 0.3) -> str:
    """Return a colour mixed into the ground, so that raw values lie behind smoothed ones."""
    ground = (0x0F, 0x14, 0x19) if dark else (0xFB, 0xFB, 0xF9)
    parts = (int(colour_name[place : place + 2], 16) for place in (1, 3, 5))
    mixed = (
        round(share * part + (1 - share) * base) for part, base in zip(parts, ground, strict=True)
    )
    return "#" + "".join(f"{part:02x}" for part in mixed)
