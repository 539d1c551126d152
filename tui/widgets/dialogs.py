"""Questions over a screen: yes or no, and one of a list."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option


class Confirm(ModalScreen[bool]):
    """Asks before something is done that can't be undone."""

    DEFAULT_CSS = """
    Confirm { align: center middle; background: $background 60%; }
    Confirm > Vertical {
        width: 60; max-width: 90%; height: auto; padding: 1 2;
        background: $panel; border-left: thick $warning;
    }
    Confirm .question { text-style: bold; }
    Confirm .detail { color: $dim; margin-top: 1; }
    Confirm .keys { margin-top: 1; color: $primary; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y,enter", "answer(True)", "yes"),
        Binding("n,escape,q", "answer(False)", "no"),
    ]

    def __init__(self, question: str, detail: str) -> None:
        super().__init__()
        self._question, self._detail = question, detail

    def compose(self) -> ComposeResult:
        """Yield the question and its keys."""
        with Vertical():
            yield Static(self._question, classes="question", markup=False)
            yield Static(self._detail, classes="detail", markup=False)
            yield Static("y yes    n no", classes="keys")

    def action_answer(self, answer: bool) -> None:
        """Close with the answer."""
        self.dismiss(answer)


class Choose(ModalScreen[str | None]):
    """Offers a list that shrinks as one types."""

    DEFAULT_CSS = """
    Choose { align: center middle; background: $background 60%; }
    Choose > Vertical { width: 64; max-width: 90%; height: auto; max-height: 80%; padding: 1 1;
        background: $panel; }
    Choose Input, Choose Input:focus { border: none; height: 1; padding: 0 1;
        background: $background; }
    Choose OptionList { border: none; height: auto; max-height: 18; background: $panel;
        padding: 0; margin-top: 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "cancel"),
        Binding("down", "move(1)", "down", show=False, priority=True),
        Binding("up", "move(-1)", "up", show=False, priority=True),
    ]

    def __init__(self, title: str, choices: Sequence[str], current: str) -> None:
        super().__init__()
        self._title, self._choices, self._current = title, tuple(choices), current

    def compose(self) -> ComposeResult:
        """Yield the input over the list."""
        with Vertical():
            yield Input(placeholder=self._title)
            yield OptionList()

    def on_mount(self) -> None:
        """Show all, the current one highlighted."""
        self._show("")

    def _show(self, text: str) -> None:
        words = text.lower().split()
        found = [c for c in self._choices if all(word in c.lower() for word in words)]
        options = self.query_one(OptionList)
        options.clear_options()
        options.add_options([Option(choice, id=choice) for choice in found])
        if found:
            options.highlighted = found.index(self._current) if self._current in found else 0

    def on_input_changed(self, event: Input.Changed) -> None:
        """Keep what has all the words."""
        self._show(event.value)

    def on_input_submitted(self, _event: Input.Submitted) -> None:
        """Take the highlighted one."""
        options = self.query_one(OptionList)
        if options.highlighted is not None and options.option_count:
            self.dismiss(options.get_option_at_index(options.highlighted).id)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Take the one clicked."""
        self.dismiss(event.option_id)

    def action_move(self, rows: int) -> None:
        """Move the highlight while the input keeps the focus."""
        options = self.query_one(OptionList)
        if options.option_count:
            options.highlighted = ((options.highlighted or 0) + rows) % options.option_count

    def action_cancel(self) -> None:
        """Close without a choice."""
        self.dismiss(None)


class Ask(ModalScreen[str | None]):
    """Asks for one line of text."""

    DEFAULT_CSS = """
    Ask { align: center middle; background: $background 60%; }
    Ask > Vertical { width: 64; max-width: 90%; height: auto; padding: 1 2; background: $panel;
        border-left: thick $primary; }
    Ask .question { text-style: bold; }
    Ask .detail { color: $dim; margin-bottom: 1; }
    Ask Input, Ask Input:focus { border: none; height: 1; padding: 0 1; background: $background; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "cancel", "cancel")]

    def __init__(self, question: str, detail: str, value: str = "") -> None:
        super().__init__()
        self._question, self._detail, self._value = question, detail, value

    def compose(self) -> ComposeResult:
        """Yield the question over the line."""
        with Vertical():
            yield Static(self._question, classes="question", markup=False)
            yield Static(self._detail, classes="detail", markup=False)
            yield Input(self._value, select_on_focus=True)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Close with the text."""
        event.stop()
        self.dismiss(event.value.strip())

    def action_cancel(self) -> None:
        """Close without an answer."""
        self.dismiss(None)
