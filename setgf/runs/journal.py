"""The journal of points: fixed records with a checksum each."""

from __future__ import annotations

import json
import struct
import zlib
from pathlib import Path
from typing import NamedTuple

HEAD = struct.Struct("<HHIdd")
"""Series id, epoch, step, value, time in seconds since the epoch, UTC."""
CHECK = struct.Struct("<I")
"""crc32 of the head."""
RECORD_SIZE = HEAD.size + CHECK.size
_RECORD = struct.Struct("<24sI")
_FIELDS = struct.Struct("<HHIdd4x")
MAX_EPOCH = 0xFFFF
MAX_STEP = 0xFFFFFFFF


class Record(NamedTuple):
    """One value of the journal; the series is still a number."""

    series: int
    epoch: int
    step: int
    value: float
    time: float


class Decoded(NamedTuple):
    """What a piece of a journal holds."""

    records: list[Record]
    size: int
    """Bytes of the sound records."""
    damaged: bool
    """True when a whole record with a wrong checksum ended reading; a torn tail is no damage."""


def encode(record: Record) -> bytes:
    """Return the 28 bytes of a record."""
    head = HEAD.pack(*record)
    return head + CHECK.pack(zlib.crc32(head))


def decode(data: bytes) -> Decoded:
    """Read sound records from the start of `data`; stop at the first that is torn or damaged."""
    whole = len(data) - len(data) % RECORD_SIZE
    size = _sound_size(memoryview(data)[:whole])
    records = list(map(Record._make, _FIELDS.iter_unpack(memoryview(data)[:size])))
    return Decoded(records, size, damaged=size < whole)


def _sound_size(data: memoryview) -> int:
    """Return the bytes of the whole records before the first with a wrong checksum."""
    crc32 = zlib.crc32
    for place, (head, check) in enumerate(_RECORD.iter_unpack(data)):
        if crc32(head) != check:
            return place * RECORD_SIZE
    return len(data)


def read_lines(data: bytes) -> tuple[list[bytes], int]:
    """Return the whole lines of `data` and their size; one without newline is not there."""
    size = data.rfind(b"\n") + 1
    return data[:size].splitlines(), size


def read_series(path: Path) -> dict[int, str]:
    """Return the names of the series by id; a torn last line is not there."""
    try:
        lines, _ = read_lines(path.read_bytes())
    except FileNotFoundError:
        return {}
    names: dict[int, str] = {}
    for line in lines:
        try:
            entry = json.loads(line)
            names[int(entry["id"])] = str(entry["name"])
        except (ValueError, KeyError, TypeError):
            break
    return names
