"""A grid of characters, each in one ink: what a chart is before it gets colours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from tui.plotting.inks import Ink, ink_of

Codepoints = npt.NDArray[np.uint32]
Codes = npt.NDArray[np.uint8]
_SPACE = ord(" ")


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of a row in one ink."""

    text: str
    ink: Ink
    slot: int = 0
    """Colour, where the ink is of a line."""


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """Characters and inks of H rows and W columns."""

    text: Codepoints
    """(H, W) Unicode code points."""
    codes: Codes
    """(H, W) of `code_of`."""

    @classmethod
    def blank(cls, height: int, width: int) -> Cells:
        """Return empty cells."""
        shape = (max(height, 0), max(width, 0))
        return cls(np.full(shape, _SPACE, np.uint32), np.zeros(shape, np.uint8))

    def write(self, row: int, column: int, text: str, code: int) -> None:
        """Write a text into a row; what does not fit is cut off."""
        room = self.text.shape[1] - column
        points = [ord(letter) for letter in text[: max(room, 0)]]
        self.text[row, column : column + len(points)] = points
        self.codes[row, column : column + len(points)] = code

    def part(self, rows: slice, columns: slice) -> Cells:
        """Return a part that shares its cells with this one."""
        return Cells(self.text[rows, columns], self.codes[rows, columns])

    def changed_rows(self, before: Cells | None) -> Sequence[int]:
        """Return the rows that look different."""
        if before is None or before.text.shape != self.text.shape:
            return range(self.text.shape[0])
        same = (self.text == before.text) & (self.codes == before.codes)
        return np.flatnonzero(~same.all(axis=1)).tolist()

    def join_blanks(self) -> None:
        """Give spaces the ink of what stands before them: fewer spans, the same picture."""
        blank = self.text == _SPACE
        columns = np.arange(self.text.shape[1], dtype=np.int64)
        place = np.where(blank, np.zeros_like(columns), columns)
        np.maximum.accumulate(place, axis=1, out=place)
        self.codes[:] = np.take_along_axis(self.codes, place, axis=1)

    def spans(self, row: int) -> list[tuple[str, int]]:
        """Return a row as texts of equal ink, each with its code."""
        codes = self.codes[row]
        text = self.text[row].tobytes().decode("utf-32-le")
        cuts = [0, *(np.flatnonzero(codes[1:] != codes[:-1]) + 1).tolist(), len(text)]
        return [(text[a:b], int(codes[a])) for a, b in pairwise(cuts) if b > a]

    def row(self, index: int) -> tuple[Span, ...]:
        """Return a row as spans."""
        return tuple(Span(text, *ink_of(code)) for text, code in self.spans(index))
