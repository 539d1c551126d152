"""Reads a file from front to back, and steps over what can stay in it."""

from __future__ import annotations

import struct

from setgf.data.blocks import OpenFile, Stored

_READ_AHEAD = 1 << 16
_LONGEST_LINE = 1 << 20


class ByteReader:
    """The bytes of a file in order."""

    def __init__(self, source: OpenFile) -> None:
        self.place = 0
        """Byte that comes next."""
        self._source = source
        self._window, self._window_start = b"", 0

    @property
    def left(self) -> int:
        """Bytes after this place."""
        return self._source.size - self.place

    def take(self, count: int) -> bytes:
        """Return the next `count` bytes.

        Raises:
            EOFError: the file has fewer.
        """
        start = self.place - self._window_start
        if start + count > len(self._window):
            self._look_ahead(count)
            start = 0
        self.place += count
        return self._window[start : start + count]

    def skip(self, size: int) -> Stored:
        """Return where the next `size` bytes are, and step over them.

        Raises:
            EOFError: the file has fewer.
        """
        self._check(size)
        stored = Stored(self._source, self.place, size)
        self.place += size
        return stored

    def number(self, form: str) -> int:
        """Return the next whole number, in the form of `struct`."""
        return int(struct.unpack(form, self.take(struct.calcsize(form)))[0])

    def line(self) -> bytes:
        """Return the bytes up to the end of a line.

        Raises:
            ValueError: there are too many.
        """
        parts = bytearray()
        while (sign := self.take(1)) != b"\n":
            parts += sign
            if len(parts) > _LONGEST_LINE:
                raise ValueError(f"a line is longer than {_LONGEST_LINE} bytes")
        return bytes(parts)

    def _look_ahead(self, count: int) -> None:
        self._check(count)
        size = min(max(count, _READ_AHEAD), self.left)
        self._window = Stored(self._source, self.place, size).read()
        self._window_start = self.place

    def _check(self, size: int) -> None:
        if not 0 <= size <= self.left:
            raise EOFError(f"{size} bytes are declared at byte {self.place}, {self.left} are there")
