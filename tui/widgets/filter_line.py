"""One line to type a filter into, with completion, history, and what is wrong under it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Input

from db.errors import FilterError
from db.filters import parse
from tui.filter_completion import (
    Known,
    Place,
    Slot,
    candidates,
    common_beginning,
    completed,
    place_of,
)
from tui.formatting import Role
from tui.widgets.styles import is_dark, role_style

_OPERATORS = re.compile(r"==|!=|<=|>=|<|>|=|~|\bin\b\s*\[|^\s*(?:not\s+)?has\s")
MAX_HISTORY = 50
INDENT = 1
"""Cells left of the text."""


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


class FilterInput(Input):
    """The line itself; its keys for completion and history go before the screen's."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "complete(1)", "complete", priority=True),
        Binding("shift+tab", "complete(-1)", "complete backwards", show=False, priority=True),
        Binding("up", "history(1)", "older filters"),
        Binding("down", "history(-1)", "newer filters", show=False),
        Binding("escape", "abandon", "no filter"),
    ]

    @property
    def line(self) -> FilterLine:
        """The line this is a part of."""
        parent = self.parent
        assert isinstance(parent, FilterLine)
        return parent

    def action_complete(self, direction: int) -> None:
        """Complete what is being typed; once more takes the next that fits."""
        self.line.complete(direction)

    def action_history(self, direction: int) -> None:
        """Take an older or a newer filter."""
        self.line.recall(direction)

    def action_abandon(self) -> None:
        """Take the filter away."""
        self.line.abandon()


class Hint(Widget):
    """What fits here, or what is wrong: a line or two under the filter."""

    DEFAULT_CSS = "Hint { height: auto; max-height: 3; background: $panel; display: none; }"

    def __init__(self) -> None:
        super().__init__()
        self._text = Text()

    def say(self, text: Text) -> None:
        """Show a text; an empty one hides the line."""
        self._text = text
        self.display = bool(text.plain)
        self.refresh(layout=True)

    def render(self) -> Text:
        """Return the text."""
        return self._text


class FilterLine(Vertical):
    """Words are applied as they are typed, expressions on enter; esc takes the filter away."""

    DEFAULT_CSS = """
    FilterLine { height: auto; background: $panel; display: none; }
    FilterLine Input { height: 1; border: none; padding: 0 1; background: $panel; }
    FilterLine Input:focus { border: none; }
    """

    class Filtered(Message):
        """Another filter is in force."""

        def __init__(self, text: str, *, is_final: bool) -> None:
            super().__init__()
            self.text, self.is_final = text, is_final

    class Asked(Message):
        """Names are needed, or the values of a name."""

        def __init__(self, name: str) -> None:
            super().__init__()
            self.name = name

    def __init__(self, *, checks: bool = False) -> None:
        """Make a line.

        Args:
            checks: what is typed may be an expression, which is checked before it is in force.
        """
        super().__init__()
        self._checks = checks
        self._known = Known(values={})
        self._history: tuple[str, ...] = ()
        self._recalled = -1
        self._draft = ""
        self._before = ""
        """The filter in force when the line was opened."""
        self._offered: tuple[Place, tuple[str, ...], int] | None = None
        self._applied = ""
        self._is_refused = False
        """What is wrong stands under the line, until something else is typed."""
        self._own: list[str] = []
        """Texts this line wrote into the input, until it says so."""

    def compose(self) -> ComposeResult:
        """Yield the line and what stands under it."""
        yield FilterInput(placeholder='filter: words, or test.mae < 1.0 and model == "setgf"')
        yield Hint()

    @property
    def input(self) -> FilterInput:
        """The line itself."""
        return self.query_one(FilterInput)

    @property
    def value(self) -> str:
        """What is typed."""
        return self.input.value

    @value.setter
    def value(self, text: str) -> None:
        self.input.value = text

    def open(self, text: str, history: Sequence[str] = ()) -> None:
        """Let the user edit the filter."""
        self._history, self._recalled = tuple(history), -1
        self._before = self._applied = text
        self.display = True
        self.input.value = text
        self.input.cursor_position = len(text)
        self.input.focus()
        self._is_refused = False
        self._say("")
        if self._checks and not self._known.names:
            self.post_message(self.Asked(""))

    def close(self) -> None:
        """Hide the line."""
        self.display = False

    def know(self, names: Sequence[str], tags: Sequence[str]) -> None:
        """Take the names and tags that can be completed."""
        self._known = Known(names=tuple(names), tags=tuple(tags), values=self._known.values)
        self._offer()

    def know_values(self, name: str, values: Sequence[str]) -> None:
        """Take the values that a name has."""
        every = {**self._known.values, name: tuple(values)}
        self._known = Known(names=self._known.names, tags=self._known.tags, values=every)
        self._offer()

    def refuse(self, problem: str) -> None:
        """Show what is wrong with the filter, with a caret where."""
        self._is_refused = True
        message, _, shown = problem.partition("\n  ")
        caret = shown.rpartition("\n  ")[2] if "\n" in shown else ""
        text = Text(no_wrap=False)
        bad = role_style(Role.BAD, dark=is_dark(self))
        if caret:
            text.append(" " * INDENT + caret + "\n", bad)
        text.append(" " * INDENT + message, bad)
        self.query_one(Hint).say(text)

    # What the input does

    def on_input_changed(self, event: Input.Changed) -> None:
        """Apply words at once; offer what fits."""
        event.stop()
        if not self.display:
            return
        if event.value in self._own:
            self._own.remove(event.value)
        else:
            self._offered = None
            self._is_refused = False
            self._offer()
        is_one = self._checks and is_expression(event.value)
        # The words that an expression begins with are no filter: what was in force stays.
        text = self._before if is_one else event.value.strip()
        if text != self._applied:
            self._applied = text
            self.post_message(self.Filtered(text, is_final=False))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Apply whatever was typed, if it can be read."""
        event.stop()
        text = event.value.strip()
        if self._checks and is_expression(text):
            try:
                parse(text)
            except FilterError as error:
                self.refuse(str(error))
                return
        self.post_message(self.Filtered(text, is_final=True))

    def abandon(self) -> None:
        """Take the filter away."""
        self.post_message(self.Filtered("", is_final=True))

    def recall(self, direction: int) -> None:
        """Take an older or a newer filter; the newest of all is what was being typed."""
        if self._recalled < 0:
            self._draft = self.value
        place = min(max(self._recalled + direction, -1), len(self._history) - 1)
        if place != self._recalled:
            self._recalled = place
            self._write(self._draft if place < 0 else self._history[place])

    def complete(self, direction: int) -> None:
        """Complete what is being typed; once more takes the next that fits."""
        if not self._checks:
            return
        text, cursor = self.value, self.input.cursor_position
        if self._offered is not None:
            place, words, chosen = self._offered
            chosen = (chosen + direction) % len(words)
            self._take(place, words, chosen)
            return
        place = place_of(text, cursor)
        words = candidates(place, self._known)
        if not words:
            return
        begins = [word for word in words if word.lower().startswith(place.typed.lower())]
        common = common_beginning(begins)
        if len(words) == 1:
            self._put(place, words[0], is_whole=True)
        elif len(begins) == len(words) and len(common) > len(place.typed):
            self._put(place, common, is_whole=False)
            self._say(_listed(words, -1, self.size.width))
        else:
            self._take(place, words, 0 if direction > 0 else len(words) - 1)

    def _take(self, place: Place, words: tuple[str, ...], chosen: int) -> None:
        self._put(place, words[chosen], is_whole=False)
        self._offered = (place, words, chosen)
        self._say(_listed(words, chosen, self.size.width))

    def _put(self, place: Place, word: str, *, is_whole: bool) -> None:
        text, cursor = completed(
            self.value, self.input.cursor_position, place, word, is_whole=is_whole
        )
        self._write(text, cursor)

    def _write(self, text: str, cursor: int | None = None) -> None:
        if text != self.input.value:
            self._own.append(text)
            self.input.value = text
        self.input.cursor_position = len(text) if cursor is None else cursor

    def _offer(self) -> None:
        """Say what fits here, and ask for values that are not known yet."""
        if not self._checks or not self.display or self._is_refused:
            return
        text = self.value
        place = place_of(text, self.input.cursor_position)
        is_value = place.slot is Slot.VALUE and place.name
        if is_value and place.name not in self._known.values:
            self._known = Known(
                names=self._known.names,
                tags=self._known.tags,
                values={**self._known.values, place.name: ()},
            )
            self.post_message(self.Asked(place.name))
        is_word = place.slot is Slot.NAME and not place.typed and not is_expression(text)
        words = () if is_word else candidates(place, self._known)
        has_more = words and words != (place.typed,)
        self._say(_listed(words, -1, self.size.width) if has_more else "")

    def _say(self, text: str | Text) -> None:
        if isinstance(text, str):
            text = Text(text)
        text.stylize(role_style(Role.DIM, dark=is_dark(self)))
        self.query_one(Hint).say(text)


def _listed(words: Sequence[str], chosen: int, width: int) -> Text:
    """Return as many words as fit on a line, the chosen one marked; it is always among them."""
    text = Text(" " * INDENT, no_wrap=True, overflow="ellipsis")
    first = 0
    while chosen >= 0 and sum(len(word) + 2 for word in words[first : chosen + 1]) > width - 4:
        first += 1
    for place, word in enumerate(words[first:], start=first):
        if text.cell_len + len(word) + 4 > width:
            text.append(f"+{len(words) - place}")
            break
        text.append(word, "reverse" if place == chosen else "").append("  ")
    return text
