"""Names of the parts of a screen in one line."""

from __future__ import annotations

from rich.style import Style
from rich.text import Text
from textual import events
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget

from tui.formatting import Role
from tui.widgets.styles import is_dark, role_style

GAPS = (3, 2, 1)
"""Blanks between two names, as many as there is room for."""


class TabLine(Widget):
    """One of several names is current; a click chooses another."""

    DEFAULT_CSS = "TabLine { height: 1; background: $background; }"

    current: reactive[str] = reactive("")

    class Chosen(Message):
        """A name was clicked."""

        def __init__(self, name: str) -> None:
            super().__init__()
            self.name = name

    def __init__(self, names: tuple[str, ...]) -> None:
        super().__init__()
        self.names = names
        self.set_reactive(TabLine.current, names[0])
        self._places: list[tuple[int, int, str]] = []

    def render(self) -> Text:
        """Return the names, the current one underlined."""
        dark = is_dark(self)
        text = Text(" ", no_wrap=True, end="")
        self._places = []
        letters = sum(map(len, self.names))
        gap = next((g for g in GAPS if letters + g * len(self.names) < self.size.width), GAPS[-1])
        for name in self._in_view(gap):
            is_current = name == self.current
            role = Role.ACCENT if is_current else Role.DIM
            start = text.cell_len
            style = role_style(role, dark=dark) + Style(bold=is_current, underline=is_current)
            text.append(name.capitalize() if name in self.names else name, style).append(" " * gap)
            self._places.append((start, text.cell_len, name))
        return text

    def _in_view(self, gap: int) -> list[str]:
        """Return the names around the current one that fit, with `<` and `>` for more."""
        names = list(self.names)
        room = self.size.width - 2
        while len(names) > 1 and sum(len(name) + gap for name in names) > room:
            # The current name stays, with as many on either side as there is room for.
            last_half = names.index(self.current) > len(names) // 2
            names.pop(0 if last_half else -1)
            room = self.size.width - 2 - 2 * (1 + gap)
        before = ["<"] if names[0] != self.names[0] else []
        after = [">"] if names[-1] != self.names[-1] else []
        return [*before, *names, *after]

    def on_click(self, event: events.Click) -> None:
        """Choose the name under the mouse."""
        for start, end, name in self._places:
            if start <= event.x < end:
                beyond = {"<": -1, ">": 1}
                if name in beyond:
                    place = self.names.index(self.current) + beyond[name]
                    name = self.names[min(max(place, 0), len(self.names) - 1)]
                self.post_message(self.Chosen(name))
