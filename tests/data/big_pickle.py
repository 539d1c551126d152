"""Writes MMSA's pickle of MOSEI's shape without ever holding it: for benchmarks.

    python -m tests.data.big_pickle PATH [SHARE]

SHARE (0 to 1) of the 22,856 samples; audio (500, 74) and vision (375, 35) float32, zero-padded at
the end, real lengths about a third of that, as MMSA's unaligned file has them. Protocol 4.
"""

from __future__ import annotations

import pickle
import pickletools
import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

SIZES = {"train": 16326, "valid": 1871, "test": 4659}
"""Samples of MOSEI's splits (msa.md 3.1)."""
STEPS = {"audio": (500, 74), "vision": (375, 35)}
TOKENS = 50
_CHUNK = 256
_ARRAY = (
    b"\x8c\x16numpy._core.multiarray\x8c\x0c_reconstruct\x93\x8c\x05numpy\x8c\x07ndarray\x93"
    b"K\x00\x85C\x01b\x87R(K\x01"
)
"""How numpy begins an array; its shape follows."""
_FLOATS = (
    b"\x8c\x05numpy\x8c\x05dtype\x93\x8c\x02f4\x89\x88\x87R(K\x03\x8c\x01<NNN"
    b"J\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89"
)
"""float32, in the order of C; the bytes follow."""


def main() -> None:
    """Write the file named on the command line."""
    write_big_pickle(Path(sys.argv[1]), float(sys.argv[2]) if len(sys.argv) > 2 else 1.0)


def write_big_pickle(path: Path, share: float = 1.0) -> int:
    """Write the pickle; return the bytes of its arrays of frames."""
    random = np.random.default_rng(0)
    total = 0
    with path.open("wb") as file:
        file.write(b"\x80\x04}")
        for split, size in SIZES.items():
            count = max(int(size * share), 8)
            file.write(_inner(split) + b"}")
            for key, value in _small_parts(split, count, random).items():
                file.write(_inner(key) + _inner(value) + b"s")
            for key, (steps, width) in STEPS.items():
                lengths = np.clip(np.rint(steps * random.beta(2.0, 4.0, count)), 4, steps)
                file.write(_inner(key))
                total += _write_block(file, random, lengths.astype(int), (count, steps, width))
                file.write(b"s" + _inner(f"{key}_lengths") + _inner(lengths.astype(int).tolist()))
                file.write(b"s")
            file.write(b"s")
        file.write(b".")
    return total


def _small_parts(split: str, count: int, random: np.random.Generator) -> dict[str, Any]:
    pieces = np.zeros((count, 3, TOKENS), np.float32)
    words = random.integers(1, TOKENS - 2, count)
    for row, number in enumerate(words):
        pieces[row, 0, : number + 2] = [101, *random.integers(2000, 9000, number), 102]
        pieces[row, 1, : number + 2] = 1
    return {
        "text_bert": pieces,  # first: its memo entry is the only one
        "id": [f"{split}{row // 4}$_${row % 4}" for row in range(count)],
        "raw_text": [f"this movie is number {row} of all" for row in range(count)],
        "regression_labels": np.rint(random.uniform(-9, 9, count)) / 3,
    }


def _write_block(
    file: BinaryIO, random: np.random.Generator, lengths: np.ndarray, shape: tuple[int, ...]
) -> int:
    """Write one array of frames the way numpy does, a few samples at a time."""
    size = int(np.prod(shape)) * 4
    file.write(_ARRAY + _inner(shape) + _FLOATS + b"\x8e" + struct.pack("<Q", size))
    file.writelines(chunk.tobytes() for chunk in _chunks(random, lengths, shape))
    file.write(b"tb")
    return size


def _chunks(
    random: np.random.Generator, lengths: np.ndarray, shape: tuple[int, ...]
) -> Iterator[np.ndarray]:
    for start in range(0, shape[0], _CHUNK):
        part = lengths[start : start + _CHUNK]
        frames = random.standard_normal((len(part), *shape[1:]), np.float32)
        frames[np.arange(shape[1]) >= part[:, None]] = 0
        yield frames


def _inner(value: Any) -> bytes:
    """Return the operations that make one value: a pickle without its frame, memo and end."""
    body = pickletools.optimize(pickle.dumps(value, 4))[2:-1]
    return body[9:] if body[:1] == b"\x95" else body


if __name__ == "__main__":
    main()
