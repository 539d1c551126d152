"""One line to type into what is looked for in a list or a text."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import Input


class SearchLine(Input):
    """Applied as it is typed; enter keeps it, esc takes it away."""

    DEFAULT_CSS = """
    SearchLine { height: 1; border: none; padding: 0 1; background: $panel; display: none; }
    SearchLine:focus { border: none; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "abandon", "look for nothing")]

    class Typed(Message):
        """Another text is looked for."""

        def __init__(self, text: str, *, is_final: bool) -> None:
            super().__init__()
            self.text, self.is_final = text, is_final

    def __init__(self, hint: str) -> None:
        super().__init__(placeholder=hint)

    def open(self, text: str) -> None:
        """Let the user edit the text."""
        self.value = text
        self.display = True
        self.focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Look for it at once."""
        event.stop()
        if self.display:
            self.post_message(self.Typed(event.value.strip(), is_final=False))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Keep it, and leave the line."""
        event.stop()
        self._close(event.value.strip())

    def action_abandon(self) -> None:
        """Look for nothing."""
        self._close("")

    def _close(self, text: str) -> None:
        self.display = False
        self.post_message(self.Typed(text, is_final=True))
