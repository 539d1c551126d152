"""The keys that work where one is, made from the bindings themselves."""

from __future__ import annotations

from typing import ClassVar

from rich.style import Style
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.dom import DOMNode
from textual.screen import ModalScreen, Screen
from textual.widgets import Static

from tui.formatting import Role
from tui.widgets.chrome import key_name
from tui.widgets.styles import is_dark, role_style

KEY_WIDTH = 16
HIDDEN = ("app.", "screen.", "command_palette", "help_quit", "suspend_process", "copy_text")


def keys_of(screen: Screen[object]) -> list[tuple[str, list[tuple[str, str]]]]:
    """Return (place, [(keys, what they do)]) for every binding active on the screen, as bound."""
    groups: dict[str, dict[str, tuple[str, list[str]]]] = {}
    for active in screen.active_bindings.values():
        binding = active.binding
        if not binding.description or binding.system:
            continue
        place = _place(active.node, screen)
        does, keys = groups.setdefault(place, {}).setdefault(
            binding.action, (binding.description, [])
        )
        del does
        keys.append(key_name(binding))
    return [
        (place, [(" ".join(dict.fromkeys(keys)), does) for does, keys in actions.values()])
        for place, actions in groups.items()
    ]


def _place(node: DOMNode, screen: Screen[object]) -> str:
    if node is screen:
        return "This screen"
    return "Everywhere" if node is screen.app else "Here"  # pyright: ignore[reportUnknownMemberType]


class HelpScreen(ModalScreen[None]):
    """All keys of the screen below."""

    DEFAULT_CSS = """
    HelpScreen { align: center middle; background: $background 60%; }
    HelpScreen VerticalScroll {
        width: 84; max-width: 96%; height: auto; max-height: 92%; padding: 1 2;
        background: $panel; scrollbar-size-vertical: 1;
    }
    HelpScreen Static { height: auto; }
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
        """Yield one text that scrolls."""
        with VerticalScroll():
            yield Static()

    def on_mount(self) -> None:
        """Write the keys."""
        self.query_one(Static).update(self._text())

    def _text(self) -> Text:
        dark = is_dark(self)
        text = Text(f"Keys: {self._heading}\n", role_style(Role.STRONG, dark=dark))
        for place, rows in self._groups:
            text.append(f"\n{place}\n", role_style(Role.DIM, dark=dark))
            for keys, does in rows:
                style = role_style(Role.ACCENT, dark=dark) + Style(bold=True)
                text.append(f"  {keys:<{KEY_WIDTH}} ", style)
                text.append(f"{does}\n", role_style(Role.PLAIN, dark=dark))
        text.append("\nMouse: click a row, a column title, a chart; the wheel zooms a chart.\n")
        return text

    def action_scroll(self, lines: int) -> None:
        """Scroll the text."""
        self.query_one(VerticalScroll).scroll_relative(y=lines, animate=False)
