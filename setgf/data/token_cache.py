"""Word pieces that were made once, kept on the disk by what decides them.

A file is one int32 array: the number of transcripts, the length of each, all ids back to back. Its
name is the hash of tokenizer, library and transcripts, so a file is never out of date.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path

import numpy as np

from setgf.data.ragged import Array, Ragged, offsets_of

_LAYOUT = 1


def key_of(tokenizer_sha256: str, transcripts: Sequence[str]) -> str:
    """Return the name under which the word pieces of these transcripts are kept."""
    content = [_LAYOUT, version("tokenizers"), tokenizer_sha256, *transcripts]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:32]


def remember(cache: Path | None, key: str, count: int, make: Callable[[], Ragged]) -> Ragged:
    """Return the kept word pieces of `key`, or make and keep them.

    A folder that can't be written keeps nothing; a damaged file is made again.

    Args:
        cache: folder; None keeps nothing.
        key: of `key_of`.
        count: transcripts there are.
        make: gives int32 ids.
    """
    if cache is None:
        return make()
    path = cache / f"{key}.npy"
    known = _read(path, count)
    if known is None:
        known = make()
        with contextlib.suppress(OSError):
            _write(path, known)
    return known


def _read(path: Path, count: int) -> Ragged | None:
    try:
        content: Array = np.array(np.lib.format.open_memmap(path, mode="r"))
        if content.dtype != np.int32 or content.ndim != 1 or content[0] != count:
            return None
        lengths = content[1 : count + 1].astype(np.int64)
        return Ragged(content[count + 1 :], offsets_of(lengths))
    except (OSError, ValueError, IndexError):
        return None


def _write(path: Path, ids: Ragged) -> None:
    """Write a file that appears whole or not at all."""
    content = np.concatenate([[len(ids)], ids.lengths, ids.values]).astype(np.int32)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}-{os.getpid()}-{secrets.token_hex(4)}")
    try:
        with temporary.open("xb") as file:
            np.lib.format.write_array(file, content, allow_pickle=False)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
