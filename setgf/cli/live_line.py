"""One line below the scrollback that is written over as things go on."""

from __future__ import annotations

import shutil
import sys
from types import TracebackType
from typing import Self


class LiveLine:
    """The last line of a terminal; what is printed above it must be preceded by `clear`."""

    def __init__(self, *, is_on: bool) -> None:
        """Take the line; `is_on` is False where nobody looks at a terminal."""
        self._is_on = is_on
        self._shown = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.clear()

    def show(self, text: str) -> None:
        """Show a text, cut to the terminal's width; nothing is written while it stays the same."""
        text = text[: max(shutil.get_terminal_size().columns - 1, 1)]
        if self._is_on and text != self._shown:
            same = _common(self._shown, text)
            # Only what differs is sent: over a slow line that is most of the saving.
            move = f"\r\x1b[{same}C" if same else "\r"
            _write(f"{move}{text[same:]}\x1b[K")
            self._shown = text

    def clear(self) -> None:
        """Make room for a line of the scrollback."""
        if self._shown:
            _write("\r\x1b[K")
            self._shown = ""


def _common(some: str, other: str) -> int:
    """Return how many letters two texts begin with alike."""
    length = 0
    for one, two in zip(some, other, strict=False):
        if one != two:
            break
        length += 1
    return length


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
