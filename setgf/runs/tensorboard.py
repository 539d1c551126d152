"""TensorBoard event files: their scalars, read without TensorBoard.

The documented record format: 8 bytes length, 4 bytes masked CRC-32C of them, the data, 4 bytes
masked CRC-32C of the data; numbers little-endian. The data is an `Event` in protocol buffers' wire
format, of which wall time (1), step (2) and summary (5) are read; of a summary's values (1) the
tag (1), the simple value (2), a tensor of one number (8) and the plugin's name (9.1.1).
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from setgf.errors import DataError

_HEAD = struct.Struct("<QI")
_CHECK = struct.Struct("<I")
_DOUBLE, _FLOAT = struct.Struct("<d"), struct.Struct("<f")
_MASK_DELTA = 0xA282EAD8
_CASTAGNOLI = 0x82F63B78
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_TENSOR_FLOAT, _TENSOR_DOUBLE = 1, 2
_SCALARS = "scalars"
MOST_BYTES = 1 << 30
"""A record longer than this is damage: scalars take some dozen bytes."""
_SPLITS = {
    "train": "train",
    "training": "train",
    "val": "valid",
    "valid": "valid",
    "validation": "valid",
    "dev": "valid",
    "eval": "valid",
    "test": "test",
    "testing": "test",
}
_OURS = {name: name for name in ["loss", "mae", "corr", "acc2", "acc3", "acc5", "acc7", "f1", "lr"]}
"""Names that are ours however they are spelled: `Loss/train` is `train.loss`."""


class Scalar(NamedTuple):
    """One scalar of an event file."""

    tag: str
    step: int
    value: float
    time: float


class Scalars(NamedTuple):
    """What a folder of event files holds."""

    by_tag: dict[str, dict[int, Scalar]]
    """By tag and step; of several at one step the one written last."""
    damaged: tuple[str, ...]
    """A sentence for every file that could be read only in part."""


def is_event_file(path: Path) -> bool:
    """Return True for a name that TensorBoard takes for an event file's."""
    return "tfevents" in path.name


def find_folders(path: Path) -> list[Path]:
    """Return the folders at and under `path` that hold event files: a run each."""
    return sorted({file.parent for file in path.rglob("*") if is_event_file(file)})


def read_folder(folder: Path) -> Scalars:
    """Read all scalars of a run: the event files of one folder, oldest first."""
    files = sorted(file for file in folder.iterdir() if is_event_file(file) and file.is_file())
    return read_files(files)


def read_files(files: list[Path]) -> Scalars:
    """Read all scalars of a run from its event files, oldest first."""
    by_tag: dict[str, dict[int, Scalar]] = {}
    damaged: list[str] = []
    for file in files:
        reader = _Reader(file)
        for scalar in reader.scalars():
            by_tag.setdefault(scalar.tag, {})[scalar.step] = scalar
        if reader.damage:
            damaged.append(reader.damage)
    return Scalars(by_tag, tuple(damaged))


def series_names(tags: list[str]) -> dict[str, str]:
    """Return the name of our series for every tag: `val/loss` and `Loss/val` are `valid.loss`.

    >>> series_names(["Loss/train", "Acc/val", "train/loss"])
    {'Loss/train': 'train.loss', 'Acc/val': 'valid.Acc', 'train/loss': 'train.loss_2'}
    """
    names: dict[str, str] = {}
    taken: set[str] = set()
    for tag in tags:
        name = _series_name(tag)
        number = 2
        while name in taken:
            name = f"{_series_name(tag)}_{number}"
            number += 1
        taken.add(name)
        names[tag] = name
    return names


def crc32c(data: bytes) -> int:
    """Return the CRC-32C of data.

    >>> hex(crc32c(b"123456789"))
    '0xe3069283'
    """
    crc = 0xFFFFFFFF
    for byte in data:
        crc = _TABLE[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF


def masked_crc(data: bytes) -> int:
    """Return the CRC-32C as event files store it: rotated and shifted."""
    crc = crc32c(data)
    return (((crc >> 15) | (crc << 17)) + _MASK_DELTA) & 0xFFFFFFFF


class _Reader:
    """Reads one file up to its end, or to the first record that is not whole."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.damage = ""
        self._scalar_tags: set[str] = set()

    def scalars(self) -> Iterator[Scalar]:
        """Yield the scalars in the order they were written."""
        for number, record in enumerate(self._records(), 1):
            try:
                yield from self._event(record)
            except (ValueError, IndexError, struct.error):
                self.damage = f"Record {number} of {self.path} is no event; the rest is left out."
                return

    def _records(self) -> Iterator[bytes]:
        try:
            with self.path.open("rb") as file:
                number = 0
                while head := file.read(_HEAD.size):
                    number += 1
                    if len(head) < _HEAD.size:
                        return
                    size, check = _HEAD.unpack(head)
                    if masked_crc(head[:8]) != check or size > MOST_BYTES:
                        self._stop(number)
                        return
                    data = file.read(size + _CHECK.size)
                    if len(data) < size + _CHECK.size:
                        return
                    if masked_crc(data[:size]) != _CHECK.unpack(data[size:])[0]:
                        self._stop(number)
                        return
                    yield data[:size]
        except OSError as error:
            raise DataError(f"{self.path} can't be read: {error.strerror}.") from error

    def _stop(self, number: int) -> None:
        self.damage = f"Record {number} of {self.path} is damaged; the rest is left out."

    def _event(self, data: bytes) -> Iterator[Scalar]:
        time, step = 0.0, 0
        summaries: list[bytes] = []
        for field, value in _fields(data):
            if field == 1 and isinstance(value, bytes):
                time = _DOUBLE.unpack(value)[0]
            elif field == 2 and isinstance(value, int):
                step = value - (1 << 64) if value >> 63 else value
            elif field == 5 and isinstance(value, bytes):
                summaries.append(value)
        for summary in summaries:
            for field, value in _fields(summary):
                if field == 1 and isinstance(value, bytes):
                    found = self._value(value)
                    if found is not None:
                        yield Scalar(found[0], step, found[1], time)

    def _value(self, data: bytes) -> tuple[str, float] | None:
        """Return tag and number of a summary's value; None for images, histograms and the like."""
        tag, plugin = "", ""
        number: float | None = None
        tensor: bytes | None = None
        for field, value in _fields(data):
            if not isinstance(value, bytes):
                continue
            if field == 1:
                tag = value.decode("utf-8", "replace")
            elif field == 2:
                number = _FLOAT.unpack(value)[0]
            elif field == 8:
                tensor = value
            elif field == 9:
                plugin = _plugin(value)
        if plugin == _SCALARS:
            self._scalar_tags.add(tag)
        if number is None and tensor is not None and tag in self._scalar_tags:
            number = _one_number(tensor)
        return None if number is None or not tag else (tag, number)


def _plugin(metadata: bytes) -> str:
    for field, value in _fields(metadata):
        if field == 1 and isinstance(value, bytes):
            for inner, name in _fields(value):
                if inner == 1 and isinstance(name, bytes):
                    return name.decode("utf-8", "replace")
    return ""


def _one_number(tensor: bytes) -> float | None:
    """Return the number in a tensor of one float or double."""
    kind = 0
    content = b""
    for field, value in _fields(tensor):
        if field == 1 and isinstance(value, int):
            kind = value
        elif field in (4, 5, 6) and isinstance(value, bytes):
            content = value
    if kind == _TENSOR_FLOAT and len(content) == _FLOAT.size:
        return _FLOAT.unpack(content)[0]
    if kind == _TENSOR_DOUBLE and len(content) == _DOUBLE.size:
        return _DOUBLE.unpack(content)[0]
    return None


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yield field numbers and values of a message; fixed numbers as their bytes.

    Raises:
        ValueError: it is no message.
    """
    place = 0
    while place < len(data):
        key, place = _varint(data, place)
        field, kind = key >> 3, key & 7
        if kind == _VARINT:
            value, place = _varint(data, place)
            yield field, value
            continue
        if kind == _BYTES:
            size, place = _varint(data, place)
        elif kind in (_FIXED64, _FIXED32):
            size = 8 if kind == _FIXED64 else 4
        else:
            raise ValueError(f"wire type {kind}")
        if place + size > len(data):
            raise ValueError("a field is cut")
        yield field, data[place : place + size]
        place += size


def _varint(data: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFFFFFFFFFFFFFF, place
        shift += 7
        if shift > 63:
            raise ValueError("a number is too long")


def _series_name(tag: str) -> str:
    parts = [part for part in re.split(r"[/.]", tag) if part] or [tag]
    for place in (0, -1):
        split = _SPLITS.get(parts[place].lower())
        if split is not None and len(parts) > 1:
            rest = [part for index, part in enumerate(parts) if index != place % len(parts)]
            return ".".join((split, *(_OURS.get(part.lower(), part) for part in rest)))
    return ".".join(parts)


def _make_table() -> tuple[int, ...]:
    table: list[int] = []
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = (crc >> 1) ^ (_CASTAGNOLI if crc & 1 else 0)
        table.append(crc)
    return tuple(table)


_TABLE = _make_table()
