"""The keys that work where one is, made from the bindings themselves."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from typing import Any, ClassVar

from rich.style import Style
from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult, SystemCommand
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.dom import DOMNode
from textual.screen import ModalScreen, Screen
from textual.widgets import Static

from tui.formatting import Role
from tui.widgets.chrome import key_name
from tui.widgets.styles import is_dark, role_style

KEY_WIDTH = 12
HERE = "In this part"
MOUSE = "Mouse: click a row, a column title, a chart; the wheel zooms a chart."


def keys_of(screen: Screen[object]) -> list[tuple[str, list[tuple[str, str]]]]:
    """Return (place, [(keys, what they do)]) for every binding active on the screen, as bound."""
    groups: dict[str, dict[str, tuple[str, list[str]]]] = {}
    for active in screen.active_bindings.values():
        binding = active.binding
        if not binding.description or binding.system:
            continue
        place = _place(active.node, screen)
        # Of several bindings of an action the last, which is ours, says what it does.
        _, keys = groups.setdefault(place, {}).get(binding.action, ("", []))
        groups[place][binding.action] = (binding.description, [*keys, key_name(binding)])
    return [
        (
            place,
            [
                (" ".join(sorted(dict.fromkeys(keys), key=len)), does)
                for does, keys in actions.values()
            ],
        )
        for place, actions in groups.items()
    ]


def commands_of(
    screen: Screen[object], run_action: Callable[[str, DOMNode], Awaitable[bool]]
) -> Iterator[SystemCommand]:
    """Yield every action of the screen for the command palette, with its key."""
    seen: set[str] = set()
    for active in screen.active_bindings.values():
        binding = active.binding
        if binding.description and not binding.system and binding.action not in seen:
            seen.add(binding.action)
            yield SystemCommand(
                binding.description.capitalize(),
                f"Key: {key_name(binding)}",
                partial(run_action, binding.action, active.node),
            )


def commands_elsewhere(
    name: str, screen: type[Screen[Any]], do: Callable[[str], Awaitable[None]]
) -> Iterator[SystemCommand]:
    """Yield the actions of a screen that is not open: they go there first."""
    seen: set[str] = set()
    for owner in screen.__mro__:
        for binding in owner.__dict__.get("BINDINGS", ()):
            if not isinstance(binding, Binding) or not binding.description:
                continue
            if binding.action.startswith("app.") or binding.action in seen:
                continue
            seen.add(binding.action)
            yield SystemCommand(
                f"{name.capitalize()}: {binding.description}",
                f"Goes to {name}. Key there: {key_name(binding)}",
                partial(do, binding.action),
            )


def _place(node: DOMNode, screen: Screen[object]) -> str:
    if node is screen:
        return "This screen"
    return "Everywhere" if node is screen.app else HERE  # pyright: ignore[reportUnknownMemberType]


class HelpScreen(ModalScreen[None]):
    """All keys of the screen below."""

    DEFAULT_CSS = """
    HelpScreen { align: center middle; background: $background 60%; }
    HelpScreen VerticalScroll {
        width: 84; max-width: 96%; height: auto; max-height: 92%; padding: 1 2;
        background: $panel; scrollbar-size-vertical: 1;
    }
    HelpScreen Horizontal { height: auto; }
    HelpScreen Static { height: auto; width: 1fr; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,question_mark,enter", "dismiss", "close"),
        Binding("j,down", "scroll(1)", "down", show=False),
        Binding("k,up", "scroll(-1)", "up", show=False),
    ]

    def __init__(self, title: str, groups: list[tuple[str, list[tuple[str, str]]]]) -> None:
        super().__init__()
        self._heading, self._groups = title, groups

    def compose(self) -> ComposeResult:
        """Yield two columns that scroll together."""
        with VerticalScroll():
            yield Static(f"Keys: {self._heading}", id="heading", markup=False)
            with Horizontal():
                yield Static(id="here")
                yield Static(id="wider")
            yield Static(f"\n{MOUSE}", id="mouse", markup=False)

    def on_mount(self) -> None:
        """Write the keys: those of the focused part on the left, all others on the right."""
        here = [group for group in self._groups if group[0] == HERE]
        wider = [group for group in self._groups if group[0] != HERE]
        self.query_one("#here", Static).update(self._text(here or wider))
        self.query_one("#wider", Static).update(self._text(wider if here else []))

    def _text(self, groups: list[tuple[str, list[tuple[str, str]]]]) -> Table:
        """Return keys and what they do; what is long goes on below itself."""
        dark = is_dark(self)
        dim, plain = role_style(Role.DIM, dark=dark), role_style(Role.PLAIN, dark=dark)
        table = Table.grid(expand=True)
        table.add_column(width=KEY_WIDTH + 2)
        table.add_column(ratio=1)
        for place, rows in groups:
            table.add_row()
            table.add_row(Text(place, dim))
            for keys, does in rows:
                style = role_style(Role.ACCENT, dark=dark) + Style(bold=True)
                table.add_row(Text(f" {keys}", style), Text(does, plain))
        return table

    def action_scroll(self, lines: int) -> None:
        """Scroll the text."""
        self.query_one(VerticalScroll).scroll_relative(y=lines, animate=False)
