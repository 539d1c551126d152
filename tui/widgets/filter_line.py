"""One line to type a filter into; the filter in force is always visible."""

from __future__ import annotations

import re
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import Input

_OPERATORS = re.compile(r"==|!=|<=|>=|<|>|=|\bin\b")


def is_expression(text: str) -> bool:
    """Return True for the query language, False for plain words to be found."""
    return bool(_OPERATORS.search(text))


def has_words(text: str, haystack: str) -> bool:
    """Return True when every word of `text` occurs, whatever its case; `!word` must not occur."""
    haystack = haystack.lower()
    for word in text.lower().split():
        if word.startswith("!") and len(word) > 1:
            if word[1:] in haystack:
                return False
        elif word not in haystack:
            return False
    return True


class FilterLine(Input):
    """Words are applied as they are typed, expressions on enter; esc takes the filter away."""

    DEFAULT_CSS = """
    FilterLine { height: 1; border: none; padding: 0 1; background: $panel; display: none; }
    FilterLine:focus { border: none; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "abandon", "no filter"),
    ]

    class Filtered(Message):
        """Another filter is in force."""

        def __init__(self, text: str, *, is_final: bool) -> None:
            super().__init__()
            self.text, self.is_final = text, is_final

    def __init__(self) -> None:
        super().__init__(placeholder='filter: words, or test.mae < 1.0 and model == "setgf"')

    def open(self, text: str) -> None:
        """Let the user edit the filter."""
        self.value = text
        self.display = True
        self.focus()

    def close(self) -> None:
        """Hide the line."""
        self.display = False

    def on_input_changed(self, event: Input.Changed) -> None:
        """Apply words at once."""
        event.stop()
        if self.display and not is_expression(event.value):
            self.post_message(self.Filtered(event.value.strip(), is_final=False))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Apply whatever was typed."""
        event.stop()
        self.post_message(self.Filtered(event.value.strip(), is_final=True))

    def action_abandon(self) -> None:
        """Take the filter away."""
        self.post_message(self.Filtered("", is_final=True))
