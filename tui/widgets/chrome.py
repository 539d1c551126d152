"""The lines around every screen: header with counts, status, keys; and what stands for no data."""

from __future__ import annotations

from typing import ClassVar

from rich.style import Style
from rich.text import Text
from textual import events
from textual.binding import Binding
from textual.reactive import reactive
from textual.screen import Screen
from textual.widget import Widget

from tui.formatting import Role, clock, cut
from tui.messages import OpenScreen
from tui.records import Counts
from tui.widgets.styles import is_dark, role_style

SCREENS = (
    ("runs", "Runs"),
    ("queue", "Queue"),
    ("run", "Run"),
    ("compare", "Compare"),
    ("data", "Data"),
    ("events", "Events"),
)


class Header(Widget):
    """Which screen this is, counts of the queue, and when the data was read."""

    DEFAULT_CSS = "Header { height: 1; background: $panel; }"

    counts: reactive[Counts | None] = reactive(None)
    read_at: reactive[float | None] = reactive(None)
    alerts: reactive[int] = reactive(0)
    """Alerts nobody has seen."""

    def __init__(self, current: str) -> None:
        super().__init__()
        self.current = current
        self._tabs: list[tuple[int, int, str]] = []

    def render(self) -> Text:
        """Return tabs on the left, counts and clock on the right."""
        dark = is_dark(self)
        text = Text(no_wrap=True, end="")
        self._tabs = []
        for place, (name, title) in enumerate(SCREENS, start=1):
            label = f" {place} {title} "
            start = text.cell_len
            if name == self.current:
                style = role_style(Role.STRONG, dark=dark) + Style(reverse=True)
            else:
                style = role_style(Role.DIM, dark=dark)
            text.append(label, style)
            self._tabs.append((start, text.cell_len, name))
        for words, has_clock in ((True, True), (False, True), (False, False)):
            right = self._right(dark=dark, has_words=words, has_clock=has_clock)
            gap = self.size.width - text.cell_len - right.cell_len
            if gap >= 1:
                return text.append(" " * gap).append_text(right)
        return text

    def _right(self, *, dark: bool, has_words: bool, has_clock: bool) -> Text:
        text = Text(end="")
        if self.alerts:
            word = f" alert{'s' if self.alerts > 1 else ''}" if has_words else ""
            text.append(f"! {self.alerts}{word}", role_style(Role.WARN, dark=dark)).append("  ")
        counts = self.counts
        if counts is None:
            return text
        words = (" running", " waiting", " failed") if has_words else ("", "", "")
        for glyph, amount, role, word in (
            ("●", counts.running, Role.LIVE, words[0]),
            ("○", counts.waiting, Role.PLAIN, words[1]),
            ("✗", counts.failed, Role.BAD, words[2]),
        ):
            style = role_style(role if amount else Role.DIM, dark=dark)
            text.append(f"{glyph} {amount}{word}", style).append("  ")
        if self.read_at is not None and has_clock:
            text.append(clock(self.read_at), role_style(Role.DIM, dark=dark))
        return text.append(" ")

    def on_click(self, event: events.Click) -> None:
        """Open the screen whose name was clicked."""
        for start, end, name in self._tabs:
            if start <= event.x < end:
                self.post_message(OpenScreen(name))


class StatusLine(Widget):
    """What am I looking at; and what is wrong, if anything is."""

    DEFAULT_CSS = "StatusLine { height: 1; background: $background; }"

    looking_at: reactive[str] = reactive("")
    problem: reactive[str] = reactive("")

    def render(self) -> Text:
        """Return one line; a problem goes before everything else."""
        dark = is_dark(self)
        if self.problem:
            text = " ".join(self.problem.split())
            return Text(" ! " + text, role_style(Role.BAD, dark=dark), no_wrap=True, end="")
        return Text(" " + self.looking_at, role_style(Role.DIM, dark=dark), no_wrap=True, end="")


class KeyLine(Widget):
    """The keys that work here, made from the bindings themselves."""

    DEFAULT_CSS = "KeyLine { height: 1; background: $panel; }"
    ALWAYS: ClassVar[tuple[str, ...]] = ("help", "quit")

    def on_mount(self) -> None:
        """Follow the focus."""
        signal = self.screen.bindings_updated_signal  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
        signal.subscribe(self, self._update)  # pyright: ignore[reportUnknownMemberType]

    def _update(self, _screen: Screen[object]) -> None:
        self.refresh()

    def render(self) -> Text:
        """Return as many keys as there is room for; help and quit always."""
        dark = is_dark(self)
        bindings: dict[str, Binding] = {}
        for active in self.screen.active_bindings.values():
            if active.binding.show and active.enabled and not active.binding.system:
                bindings.setdefault(active.binding.action, active.binding)
        last = [b for b in bindings.values() if b.action in self.ALWAYS]
        first = [b for b in bindings.values() if b.action not in self.ALWAYS]
        entries = [(key_name(b), b.description) for b in first]
        ends = [(key_name(b), b.description) for b in last]
        room = self.size.width - sum(len(k) + len(d) + 4 for k, d in ends)
        text = Text(no_wrap=True, end="")
        for key, description in entries:
            if text.cell_len + len(key) + len(description) + 4 > room:
                break
            self._add(text, key, description, dark=dark)
        for key, description in ends:
            self._add(text, key, description, dark=dark)
        return text

    def _add(self, text: Text, key: str, description: str, *, dark: bool) -> None:
        text.append(f" {key}", role_style(Role.ACCENT, dark=dark) + Style(bold=True))
        text.append(f" {description}  ", role_style(Role.DIM, dark=dark))


KEY_NAMES = {
    "slash": "/",
    "question_mark": "?",
    "comma": ",",
    "full_stop": ".",
    "backslash": "\\",
    "left_square_bracket": "[",
    "right_square_bracket": "]",
    "left_curly_bracket": "{",
    "right_curly_bracket": "}",
    "plus": "+",
    "exclamation_mark": "!",
    "left_parenthesis": "(",
    "right_parenthesis": ")",
    "percent_sign": "%",
    "semicolon": ";",
    "less_than_sign": "<",
    "greater_than_sign": ">",
    "delete": "del",
    "equals_sign": "=",
    "minus": "-",
    "escape": "esc",
    "pagedown": "pgdn",
    "pageup": "pgup",
    "down": "↓",
    "up": "↑",
    "left": "←",
    "right": "→",
}


def key_name(binding: Binding) -> str:
    """Return a key as a person would write it."""
    if binding.key_display:
        return binding.key_display
    *held, key = binding.key.split("+")
    return "+".join((*held, KEY_NAMES.get(key, key)))


class StateView(Widget):
    """Stands where the data would be: loading, nothing there yet, or not readable."""

    DEFAULT_CSS = """
    StateView { height: 1fr; width: 1fr; align: center middle; content-align: center middle; }
    """

    title: reactive[str] = reactive("")
    detail: reactive[str] = reactive("")
    role: reactive[Role] = reactive(Role.STRONG)

    def render(self) -> Text:
        """Return the title and what to do, centred."""
        dark = is_dark(self)
        width = min(self.size.width - 4, 76)
        text = Text(justify="left").append(self.title, role_style(self.role, dark=dark))
        for line in self.detail.splitlines():
            style = role_style(Role.PLAIN, dark=dark)
            if line.startswith("$ "):
                style = role_style(Role.ACCENT, dark=dark)
            for piece in _wrap(line, width):
                text.append("\n").append(piece, style)
        return text


def _wrap(line: str, width: int) -> list[str]:
    pieces: list[str] = []
    current = ""
    for word in line.split(" "):
        word = cut(word, width)
        if current and len(current) + 1 + len(word) > width:
            pieces.append(current)
            current = word
        else:
            current = f"{current} {word}" if current else word
    return [*pieces, current]
