"""Bytes and arrays of numbers that stay in their file until a part of them is asked for.

Shapes: N samples of a block, the other axes are free.
"""

from __future__ import annotations

import codecs
import hashlib
import math
import os
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from setgf.data.ragged import Array
from setgf.errors import DataError

_CHUNK_BYTES = 1 << 24


class OpenFile:
    """A file held open for reading: whoever replaces its name changes nothing for the reader."""

    def __init__(self, path: Path) -> None:
        """Open `path`; it is closed when nothing refers to it any more.

        Raises:
            OSError: the system refuses.
        """
        self.path = path
        self._handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        weakref.finalize(self, os.close, self._handle)
        self.size = os.fstat(self._handle).st_size
        """Bytes."""

    def fill(self, buffer: memoryview, offset: int) -> None:
        """Fill `buffer` with the bytes from `offset` on.

        Raises:
            DataError: the file became shorter than it was.
        """
        done = 0
        while done < len(buffer):
            count = os.preadv(self._handle, [buffer[done:]], offset + done)
            if not count:
                raise DataError(
                    f"{self.path} became shorter while it was read. Wait until it is complete."
                )
            done += count

    def sha256(self) -> str:
        """Return the hash of the whole file, in hexadecimal."""
        digest, buffer = hashlib.sha256(), bytearray(_CHUNK_BYTES)
        for start in range(0, self.size, _CHUNK_BYTES):
            part = memoryview(buffer)[: min(_CHUNK_BYTES, self.size - start)]
            self.fill(part, start)
            digest.update(part)
        return digest.hexdigest()


@dataclass(frozen=True, slots=True, eq=False)
class Stored:
    """`size` bytes of a file, not read yet."""

    source: OpenFile
    offset: int
    size: int
    """Bytes."""

    def __len__(self) -> int:
        """Return the number of bytes."""
        return self.size

    def read(self) -> bytes:
        """Return the bytes."""
        buffer = bytearray(self.size)
        self.source.fill(memoryview(buffer), self.offset)
        return bytes(buffer)


@dataclass(frozen=True, slots=True, eq=False)
class StoredText(Stored):
    """Text of a file, UTF-8, not read yet."""

    def to_latin1(self) -> bytearray:
        """Return the text in latin1, decoded a piece at a time.

        Raises:
            UnicodeError: it is no UTF-8, or has other characters.
        """
        decoder = codecs.getincrementaldecoder("utf-8")()
        decoded = bytearray()
        for start in range(0, self.size, _CHUNK_BYTES):
            size = min(_CHUNK_BYTES, self.size - start)
            piece = Stored(self.source, self.offset + start, size).read()
            decoded += decoder.decode(piece, start + size == self.size).encode("latin1")
        return decoded


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """An array of numbers in a file; a slice reads the samples it names, and no others."""

    stored: Stored
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    """N first, at least two axes."""

    def __len__(self) -> int:
        """Return N."""
        return self.shape[0]

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    def __getitem__(self, wanted: slice) -> Array:
        """Return the samples of a slice of step 1, as a new array."""
        start, stop, _ = wanted.indices(self.shape[0])
        count = max(stop - start, 0)
        bytes_a_sample = math.prod(self.shape[1:]) * self.dtype.itemsize
        flat = np.empty(count * bytes_a_sample, np.uint8)
        self.stored.source.fill(flat.data, self.stored.offset + start * bytes_a_sample)
        return flat.view(self.dtype).reshape(count, *self.shape[1:])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        """Return all of it, for numpy."""
        del copy
        whole = self[:]
        return whole if dtype is None else whole.astype(dtype, copy=False)

    def __iter__(self) -> Iterator[Array]:
        """Yield the samples, one at a time."""
        for row in range(len(self)):
            yield self[row : row + 1][0]

    def reshape(self, *shape: int) -> Block:
        """Return the same numbers under another shape of as many."""
        return Block(self.stored, self.dtype, shape)
