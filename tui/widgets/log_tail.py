"""The end of a log; follows it until one scrolls up."""

from __future__ import annotations

import re
from typing import ClassVar

from rich.segment import Segment
from textual.binding import Binding, BindingType
from textual.geometry import Size
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


def readable(line: str) -> str:
    """Return a line as a terminal would leave it: what a progress bar overwrote is gone."""
    kept = line.rstrip("\r\n").rsplit("\r", 1)[-1]
    return _ESCAPES.sub("", kept).expandtabs(4)


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

    is_following: reactive[bool] = reactive(True, init=False)

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - the toolkit's word
        super().__init__(id=id)
        self._lines: tuple[str, ...] = ()
        self._log: LogText | None = None

    def show(self, log: LogText) -> None:
        """Show a log; the newest line stays in view while following."""
        if log == self._log:
            return
        self._log = log
        self._lines = tuple(readable(line) for line in log.lines) or ("Nothing logged yet.",)
        width = max(map(len, self._lines)) + 2
        self.virtual_size = Size(width, len(self._lines))
        self.refresh()
        if self.is_following:
            self.call_after_refresh(self._to_end)

    def render_line(self, y: int) -> Strip:
        """Return a line of the viewport."""
        width, ground = self.scrollable_content_region.width, self.rich_style
        index = y + round(self.scroll_y)
        if index >= len(self._lines):
            return Strip.blank(width, ground)
        line = self._lines[index]
        role = Role.BAD if _BAD.search(line) else Role.WARN if _WARN.search(line) else Role.PLAIN
        style = ground + role_style(role, dark=is_dark(self))
        start = round(self.scroll_x)
        strip = Strip([Segment(" " + line, style)])
        return strip.crop_extend(start, start + width, ground)

    def watch_is_following(self, is_following: bool) -> None:
        """Go to the newest line when following begins."""
        if is_following:
            self._to_end()

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
