"""Sequences of different lengths, back to back in one array.

Shapes: N sequences, F_total rows of all sequences, D row width.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Integers = NDArray[np.int64]
Floats = NDArray[np.float32]
_CHUNK_BYTES = 1 << 24


class Sequences(Protocol):
    """N sequences of rows that can be read in order without holding them all."""

    @property
    def offsets(self) -> Integers:
        """(N+1,) int64, from 0 to F_total."""
        ...

    @property
    def lengths(self) -> Integers:
        """(N,) int64. Rows of every sequence."""
        ...

    @property
    def width(self) -> int:
        """D, or 1 where a row is a single value."""
        ...

    def chunks(self, index: Integers | None = None) -> Iterator[Array]:
        """Yield the rows of the sequences `index` (all by default), back to back, in pieces."""
        ...


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
        values = np.asarray(self.values)  # slices of a memory map's own class are slow
        starts, ends = self.offsets[index].tolist(), self.offsets[1:][index].tolist()
        parts = [values[start:end] for start, end in zip(starts, ends, strict=True)]
        return np.concatenate(parts) if parts else values[:0].copy()

    def chunks(self, index: Integers | None = None) -> Iterator[Array]:
        """Yield the rows of the sequences `index` (all by default), back to back, in pieces."""
        if index is None:
            yield from read_rows(self.values)
            return
        longest = max(int(self.lengths.max(initial=0)), 1)
        size = max(_CHUNK_BYTES // (longest * max(self.values[:1].nbytes, 1)), 1)
        for start in range(0, len(index), size):
            yield self.gather(index[start : start + size])


def read_rows(values: Array, rows: int | None = None) -> Iterator[Array]:
    """Yield the rows of an array in pieces; those of a memory map are read, not mapped.

    Mapped pages would count as memory of this process until the system wants them back.

    Args:
        values: (F_total, D) or (F_total,).
        rows: rows a piece; None takes as many as 16 MiB hold.
    """
    rows = rows or max(_CHUNK_BYTES // max(values[:1].nbytes, 1), 1)
    is_whole_map = isinstance(values, np.memmap) and isinstance(values.base, mmap.mmap)
    if not is_whole_map or not values.size:
        for start in range(0, len(values), rows):
            yield values[start : start + rows]
        return
    mapped: Any = values
    with open(mapped.filename, "rb") as file:  # noqa: PTH123
        file.seek(mapped.offset)
        for start in range(0, len(values), rows):
            count = min(rows, len(values) - start)
            flat: Array = np.fromfile(file, values.dtype, count * values[0].size)
            yield flat.reshape(count, *values.shape[1:])


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
