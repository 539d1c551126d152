"""The end of a log; follows it until one scrolls up, finds text, lines and times in it."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tui.formatting import Role
from tui.records import LogText
from tui.widgets.styles import is_dark, role_style

_ESCAPES = re.compile(
    r"\x1b\[[0-9;?]*[A-Za-z]"  # colours and cursor movements
    r"|\x1b\][^\x07\x1b]*(\x07|\x1b\\)"  # titles and links
    r"|[\x00-\x08\x0b-\x1f]"
)
_BAD = re.compile(r"\b(ERROR|CRITICAL|Traceback|[A-Za-z.]+Error)\b")
_WARN = re.compile(r"\bWARN(ING)?\b")
_LINE = re.compile(r":(\d+)")


def readable(line: str) -> str:
    """Return a line as a terminal would leave it: what a progress bar overwrote is gone."""
    kept = line.rstrip("\r\n").rsplit("\r", 1)[-1]
    return _ESCAPES.sub("", kept).expandtabs(4)


def matching_lines(lines: Sequence[str], pattern: str) -> list[int]:
    """Return the numbers of the lines that have a text, whatever its case; `:n` is line n alone.

    Without a pattern: the lines that tell of an error or a warning.
    """
    number = _LINE.fullmatch(pattern)
    if number is not None:
        place = int(number[1]) - 1
        return [min(place, len(lines) - 1)] if lines and place >= 0 else []
    if not pattern:
        return [n for n, line in enumerate(lines) if _BAD.search(line) or _WARN.search(line)]
    wanted = pattern.lower()
    return [n for n, line in enumerate(lines) if wanted in line.lower()]


class LogTail(ScrollView, can_focus=True, inherit_bindings=False):
    """Lines of a log, newest at the bottom."""

    DEFAULT_CSS = """
    LogTail { background: $background; height: 1fr; scrollbar-size-vertical: 1;
        scrollbar-size-horizontal: 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f", "follow", "follow"),
        Binding("j,down", "scroll_lines(1)", "down", show=False),
        Binding("k,up", "scroll_lines(-1)", "up", show=False),
        Binding("h,left", "scroll_columns(-8)", "left", show=False),
        Binding("l,right", "scroll_columns(8)", "right", show=False),
        Binding("pagedown,ctrl+d,ctrl+f", "scroll_pages(1)", "page down", show=False),
        Binding("pageup,ctrl+u,ctrl+b", "scroll_pages(-1)", "page up", show=False),
        Binding("g,home", "top", "top", show=False),
        Binding("G,end", "bottom", "bottom", show=False),
    ]

    class Moved(Message):
        """Following began or ended, or another line was gone to."""

    is_following: reactive[bool] = reactive(True, init=False)

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - the toolkit's word
        super().__init__(id=id)
        self.pattern = ""
        """What is looked for; empty for errors and warnings."""
        self.matches: list[int] = []
        """Numbers of the lines found, from 0."""
        self._lines: tuple[str, ...] = ()
        self._log: LogText | None = None
        self._at: int | None = None

    def show(self, log: LogText) -> None:
        """Show a log; the newest line stays in view while following."""
        if log == self._log:
            return
        if self._log is not None and log.path != self._log.path:
            self.is_following = True
        self._log = log
        self._lines = tuple(readable(line) for line in log.lines)
        self.matches = matching_lines(self._lines, self.pattern)
        width = max(map(len, self._lines), default=0) + 2
        self.virtual_size = Size(width, len(self._lines))
        self.refresh()
        if self.is_following:
            self.call_after_refresh(self._to_end)

    def search(self, pattern: str) -> None:
        """Mark the lines that have a text and go to the newest of them; empty ends the search."""
        self.pattern, self._at = pattern, None
        self.matches = matching_lines(self._lines, pattern)
        self.refresh()
        if pattern and self.matches:
            self._go(self.matches[-1])

    def to_match(self, direction: int) -> None:
        """Go to the next line found below the one shown last, or above it, round and round."""
        if not self.matches:
            return
        at = self._at if self._at is not None else round(self.scroll_y) + self.size.height // 2
        place = bisect_right(self.matches, at) if direction > 0 else bisect_left(self.matches, at)
        self._go(self.matches[(place if direction > 0 else place - 1) % len(self.matches)])

    def _go(self, line: int) -> None:
        """Show a line in the middle, marked."""
        self._at, self.is_following = line, False
        self.scroll_to(y=max(line - self.size.height // 2, 0), animate=False, immediate=True)
        self.refresh()
        self.post_message(self.Moved())

    # Drawing

    def render_line(self, y: int) -> Strip:
        """Return a line of the viewport."""
        width, ground = self.scrollable_content_region.width, self.rich_style
        index = y + round(self.scroll_y)
        if index >= len(self._lines):
            return Strip.blank(width, ground)
        line = self._lines[index]
        dark = is_dark(self)
        role = Role.BAD if _BAD.search(line) else Role.WARN if _WARN.search(line) else Role.PLAIN
        style = ground + role_style(role, dark=dark) + Style(reverse=index == self._at)
        start = round(self.scroll_x)
        strip = Strip([Segment(" " + line, style)])
        if self.pattern and not _LINE.fullmatch(self.pattern):
            strip = Strip(self._marked(line, style, dark=dark))
        return strip.crop_extend(start, start + width, ground)

    def _marked(self, line: str, style: Style, *, dark: bool) -> list[Segment]:
        """Return the line with what is looked for underlined."""
        found = style + role_style(Role.ACCENT, dark=dark) + Style(bold=True, underline=True)
        segments, rest = [Segment(" ", style)], line
        size = len(self.pattern)
        while (place := rest.lower().find(self.pattern.lower())) >= 0:
            segments += [Segment(rest[:place], style), Segment(rest[place : place + size], found)]
            rest = rest[place + size :]
        return [*segments, Segment(rest, style)]

    def watch_is_following(self, is_following: bool) -> None:
        """Go to the newest line when following begins."""
        if is_following:
            self._at = None
            self._to_end()
        self.post_message(self.Moved())

    # Keys

    def action_follow(self) -> None:
        """Follow the log, or stop following."""
        self.is_following = not self.is_following

    def action_scroll_lines(self, lines: int) -> None:
        """Scroll by lines; upwards ends following."""
        self.is_following = self.is_following and lines > 0
        self.scroll_to(y=self.scroll_y + lines, animate=False, immediate=True)

    def action_scroll_columns(self, columns: int) -> None:
        """Scroll sideways."""
        self.scroll_to(x=self.scroll_x + columns, animate=False, immediate=True)

    def action_scroll_pages(self, pages: int) -> None:
        """Scroll by pages."""
        self.action_scroll_lines(pages * max(self.size.height - 1, 1))

    def action_top(self) -> None:
        """Go to the oldest line shown."""
        self.is_following = False
        self.scroll_to(y=0, animate=False, immediate=True)

    def action_bottom(self) -> None:
        """Go to the newest line and follow."""
        self.is_following = True
        self._to_end()

    def on_mouse_scroll_up(self) -> None:
        """Stop following when one looks back."""
        self.is_following = False

    def _to_end(self) -> None:
        self.scroll_to(y=self.max_scroll_y, animate=False, immediate=True)
