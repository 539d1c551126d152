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
        for name in self.names:
            is_current = name == self.current
            role = Role.ACCENT if is_current else Role.DIM
            start = text.cell_len
            style = role_style(role, dark=dark) + Style(bold=is_current, underline=is_current)
            text.append(name.capitalize(), style).append("   ")
            self._places.append((start, text.cell_len, name))
        return text

    def on_click(self, event: events.Click) -> None:
        """Choose the name under the mouse."""
        for start, end, name in self._places:
            if start <= event.x < end:
                self.post_message(self.Chosen(name))
