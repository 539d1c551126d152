"""A full screen of lines without a toolkit: only what differs from the last picture is sent."""

from __future__ import annotations

import os
import select
import shutil
import sys
import termios
import time
import tty
from collections.abc import Sequence
from types import TracebackType
from typing import Any, NamedTuple, Self

ENTER = "\x1b[?1049h\x1b[?25l\x1b[2J"
LEAVE = "\x1b[?25h\x1b[?1049l"
POLL_SECONDS = 0.5
"""How soon a new size of the terminal is seen."""


class Row(NamedTuple):
    """A row of the screen."""

    text: str
    code: str = ""
    """Colour as the terminal has it: `31`; empty for none."""


BLANK = Row("")


class Screen:
    """The terminal while the program has it; what was there before comes back at the end."""

    def __init__(self) -> None:
        self._shown: list[Row] = []
        self._size = (0, 0)
        self._before: list[Any] | None = None

    @property
    def width(self) -> int:
        """Cells across, now."""
        return shutil.get_terminal_size().columns

    @property
    def height(self) -> int:
        """Cells down, now."""
        return shutil.get_terminal_size().lines

    def __enter__(self) -> Self:
        """Take the terminal: keys come without Enter, and the cursor hides."""
        descriptor = sys.stdin.fileno()
        self._before = termios.tcgetattr(descriptor)
        tty.setcbreak(descriptor)
        _write(ENTER)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._before is not None:
            termios.tcsetattr(sys.stdin.fileno(), termios.TCSADRAIN, self._before)
        _write(LEAVE)

    def show(self, rows: Sequence[Row]) -> None:
        """Show rows, each no wider than the screen; what stays the same is not sent."""
        size = (self.width, self.height)
        parts: list[str] = []
        if size != self._size:
            self._shown, self._size = [], size
            parts.append("\x1b[2J")
        wanted = [*rows][: size[1]]
        for place in range(max(len(wanted), len(self._shown))):
            new = wanted[place] if place < len(wanted) else BLANK
            old = self._shown[place] if place < len(self._shown) else BLANK
            if new != old:
                parts.append(change(old, new, place + 1))
        self._shown = wanted
        if parts:
            _write("".join(parts))

    def show_problem(self, text: str) -> None:
        """Show a sentence in the last row; everything else stays."""
        rows = (self._shown + [BLANK] * self.height)[: self.height - 1]
        self.show([*rows, Row(" ".join(text.split())[: self.width], "1")])

    def wait_for_key(self, seconds: float) -> str:
        """Return the key that was pressed; empty when time is up or the size is another one."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            ready, _, _ = select.select([sys.stdin], [], [], min(left, POLL_SECONDS))
            if ready:
                return os.read(sys.stdin.fileno(), 16).decode("utf-8", "replace")
            if self._size != (self.width, self.height):
                break
        return ""


def change(old: Row, new: Row, line: int) -> str:
    """Return what turns a row into another: of rows of the same length only what differs."""
    start, end = 0, len(new.text)
    is_same_shape = old.code == new.code and len(old.text) == len(new.text)
    if is_same_shape and (old.text + new.text).isascii():
        while old.text[start] == new.text[start]:
            start += 1
        while old.text[end - 1] == new.text[end - 1]:
            end -= 1
    rest = "" if is_same_shape else "\x1b[K"
    begin, close = (f"\x1b[{new.code}m", "\x1b[0m") if new.code else ("", "")
    return f"\x1b[{line};{start + 1}H{begin}{new.text[start:end]}{close}{rest}"


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
