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
    records: list[Record] = []
    unpack, crc32 = HEAD.unpack, zlib.crc32
    for head, check in _RECORD.iter_unpack(memoryview(data)[:whole]):
        if crc32(head) != check:
            return Decoded(records, len(records) * RECORD_SIZE, damaged=True)
        records.append(Record(*unpack(head)))
    return Decoded(records, whole, damaged=False)


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
