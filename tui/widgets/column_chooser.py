"""The dialog that says which columns a table has, and in what order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

KEYS = "enter show or hide   shift+↑ shift+↓ order   ctrl+r default   esc done"
MARK, NO_MARK = "✓ ", "  "


class ColumnChooser(ModalScreen[tuple[str, ...] | None]):
    """Offers all names; the chosen ones stand first, in their order."""

    DEFAULT_CSS = """
    ColumnChooser { align: center middle; background: $background 60%; }
    ColumnChooser > Vertical { width: 68; max-width: 95%; height: 80%; max-height: 30;
        padding: 1 1; background: $panel; }
    ColumnChooser Input { border: none; height: 1; padding: 0 1; background: $background; }
    ColumnChooser Input:focus { border: none; }
    ColumnChooser OptionList { border: none; height: 1fr; background: $panel; padding: 0;
        margin-top: 1; scrollbar-size-vertical: 1; }
    ColumnChooser Static { color: $dim; height: auto; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "show_or_hide", "show or hide", priority=True),
        Binding("down", "move(1)", "down", show=False, priority=True),
        Binding("up", "move(-1)", "up", show=False, priority=True),
        Binding("shift+down", "shift(1)", "later", show=False, priority=True),
        Binding("shift+up", "shift(-1)", "earlier", show=False, priority=True),
        Binding("ctrl+r", "default", "default", priority=True),
        Binding("escape", "done", "done", priority=True),
    ]

    def __init__(self, names: Sequence[str], chosen: Sequence[str], default: Sequence[str]) -> None:
        super().__init__()
        self._default = tuple(default)
        self._chosen = list(chosen or default)
        self._before = tuple(self._chosen)
        self._names = tuple(dict.fromkeys((*default, *names)))
        self._shown: list[str] = []

    def compose(self) -> ComposeResult:
        """Yield the input over the list, and the keys."""
        with Vertical():
            yield Input(placeholder="column: any setting or metric")
            yield OptionList()
            yield Static(
                "enter show or hide   shift+↑ shift+↓ order   ctrl+r default   esc done",
                markup=False,
            )

    def on_mount(self) -> None:
        """Show all."""
        self._show()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Keep what has all the words."""
        event.stop()
        self._show()

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Show or hide the one clicked."""
        event.stop()
        self._toggle(self._shown[event.option_index])

    def action_move(self, rows: int) -> None:
        """Move the highlight while the input keeps the focus."""
        options = self.query_one(OptionList)
        if self._shown:
            options.highlighted = ((options.highlighted or 0) + rows) % len(self._shown)

    def action_show_or_hide(self) -> None:
        """Show or hide the highlighted column."""
        if self._here is not None:
            self._toggle(self._here)

    def action_shift(self, direction: int) -> None:
        """Move the highlighted column among the chosen ones."""
        here = self._here
        if here in self._chosen:
            place = self._chosen.index(here)
            other = min(max(place + direction, 0), len(self._chosen) - 1)
            self._chosen.insert(other, self._chosen.pop(place))
            self._show(here)

    def action_default(self) -> None:
        """Take the default columns."""
        self._chosen = list(self._default)
        self._show(self._here)

    def action_done(self) -> None:
        """Close with the columns; none for the default ones, None when nothing changed."""
        chosen = tuple(self._chosen)
        if chosen == self._before:
            self.dismiss(None)
        else:
            self.dismiss(() if chosen == self._default else chosen)

    @property
    def _here(self) -> str | None:
        place = self.query_one(OptionList).highlighted
        return self._shown[place] if place is not None and place < len(self._shown) else None

    def _toggle(self, name: str) -> None:
        if name not in self._chosen:
            self._chosen.append(name)
        elif len(self._chosen) > 1:
            self._chosen.remove(name)
        self._show(name)

    def _show(self, here: str | None = None) -> None:
        words = self.query_one(Input).value.lower().split()
        every = dict.fromkeys((*self._chosen, *self._names))
        self._shown = [name for name in every if all(word in name.lower() for word in words)]
        options = self.query_one(OptionList)
        first = options.scroll_y
        options.clear_options()
        options.add_options(
            Option(Text((MARK if name in self._chosen else NO_MARK) + name)) for name in self._shown
        )
        if self._shown:
            options.highlighted = self._shown.index(here) if here in self._shown else 0
            options.scroll_to(y=first, animate=False)
