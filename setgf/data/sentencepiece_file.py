"""Reads a SentencePiece model (`spm.model`, as DeBERTa-v2 and -v3 have) without its library.

The file is a protocol buffer: fields of a number and a value, some of which are buffers themselves
(sentencepiece_model.proto of google/sentencepiece).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_PIECES, _TRAINER, _NORMALIZER = 1, 2, 3
"""Fields of the model."""
_TEXT, _SCORE, _KIND = 1, 2, 3
"""Fields of a piece."""
_MODEL_TYPE, _UNIGRAM = 3, 1
_CHARACTER_MAP = 2
_NORMAL, _UNKNOWN, _USER_DEFINED = 1, 2, 4
_VARINT, _EIGHT_BYTES, _SIZED, _FOUR_BYTES = 0, 1, 2, 5
"""How a value is written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PieceModel:
    """A Unigram model."""

    pieces: tuple[tuple[str, float], ...]
    """Text and log probability, by id."""
    unknown_id: int
    user_defined: tuple[str, ...]
    """Pieces that are never split."""
    character_map: bytes
    """How characters are normalised, compiled; empty: not at all."""


def read_piece_model(path: Path) -> PieceModel:
    """Return the model of a file.

    Raises:
        ValueError: it is damaged, or no Unigram model.
        OSError: the system refuses.
    """
    pieces: list[tuple[str, float]] = []
    kinds: list[int] = []
    character_map = b""
    for number, value in _fields(path.read_bytes()):
        if number not in (_PIECES, _TRAINER, _NORMALIZER) or not isinstance(value, bytes):
            continue
        inner: dict[int, Any] = dict(_fields(value))
        if number == _PIECES:
            pieces.append((str(inner[_TEXT], "utf-8"), float(inner.get(_SCORE, 0.0))))
            kinds.append(inner.get(_KIND, _NORMAL))
        elif number == _TRAINER and inner.get(_MODEL_TYPE, _UNIGRAM) != _UNIGRAM:
            raise ValueError("it is no Unigram model")
        elif number == _NORMALIZER:
            character_map = inner.get(_CHARACTER_MAP, b"")
    if _UNKNOWN not in kinds:
        raise ValueError("it has no piece for what is unknown")
    return PieceModel(
        pieces=tuple(pieces),
        unknown_id=kinds.index(_UNKNOWN),
        user_defined=tuple(
            text for (text, _), kind in zip(pieces, kinds, strict=True) if kind == _USER_DEFINED
        ),
        character_map=character_map,
    )


def _fields(data: bytes) -> Iterator[tuple[int, int | float | bytes]]:
    """Yield the fields of a buffer: number and value."""
    place = 0
    while place < len(data):
        tag, place = _varint(data, place)
        number, form = tag >> 3, tag & 7
        if form == _VARINT:
            value, place = _varint(data, place)
            yield number, value
            continue
        if form == _SIZED:
            size, place = _varint(data, place)
        else:
            size = {_EIGHT_BYTES: 8, _FOUR_BYTES: 4}.get(form, len(data))
        if place + size > len(data):
            raise ValueError("it ends in the middle of a field")
        part = data[place : place + size]
        yield number, struct.unpack("<f", part)[0] if form == _FOUR_BYTES else part
        place += size


def _varint(data: bytes, place: int) -> tuple[int, int]:
    """Return a number of seven bits a byte, lowest first, and the place after it."""
    value = shift = 0
    while True:
        if place >= len(data):
            raise ValueError("it ends in the middle of a number")
        byte = data[place]
        value |= (byte & 0x7F) << shift
        place, shift = place + 1, shift + 7
        if byte < 0x80:
            return value, place
