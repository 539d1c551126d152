"""Sequences of different lengths, back to back in one array.

Shapes: N sequences, F_total rows of all sequences, D row width.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Integers = NDArray[np.int64]
Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Ragged:
    """N sequences of rows; sequence i is `values[offsets[i]:offsets[i + 1]]`."""

    values: Array
    """(F_total, D) or (F_total,). May be a memory map."""
    offsets: Integers
    """(N+1,) int64, from 0 to F_total."""

    def __post_init__(self) -> None:
        steps = np.diff(self.offsets)
        if (
            self.offsets.ndim != 1
            or not self.offsets.size
            or self.offsets[0] != 0
            or self.offsets[-1] != len(self.values)
            or (steps < 0).any()
        ):
            raise ValueError(
                f"Offsets must rise from 0 to the number of rows, {len(self.values)}, "
                "but they do not."
            )

    def __len__(self) -> int:
        """Return the number of sequences."""
        return len(self.offsets) - 1

    @property
    def lengths(self) -> Integers:
        """(N,) int64. Rows of every sequence."""
        return np.diff(self.offsets)

    @property
    def width(self) -> int:
        """D, or 1 where a row is a single value."""
        return int(self.values.shape[1]) if self.values.ndim > 1 else 1

    def row(self, index: int) -> Array:
        """Return sequence `index`, (length, D) or (length,)."""
        return self.values[self.offsets[index] : self.offsets[index + 1]]

    def gather(self, index: Integers) -> Array:
        """Return the rows of the sequences `index` (B,), back to back, as a new array."""
        lengths = self.lengths[index]
        return self.values[np.repeat(self.offsets[index], lengths) + count_up(lengths)]


def count_up(lengths: Integers) -> Integers:
    """Return 0, 1, .. length-1 for every length, back to back: (B,) -> (sum of lengths,)."""
    ends = np.cumsum(lengths)
    return np.arange(ends[-1] if ends.size else 0) - np.repeat(ends - lengths, lengths)


def offsets_of(lengths: Integers) -> Integers:
    """Return the offsets of sequences laid back to back: (N,) -> (N+1,) int64."""
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths, dtype=np.int64)])


def from_rows(rows: Sequence[Array], *, empty: Array) -> Ragged:
    """Lay sequences back to back; `empty` gives dtype and width when there are no rows at all."""
    lengths = np.array([len(row) for row in rows], np.int64)
    values = np.concatenate([empty[:0], *rows]).astype(empty.dtype, copy=False)
    return Ragged(values, offsets_of(lengths))
