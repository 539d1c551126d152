"""Writes TensorBoard event files byte by byte, as their format is documented."""

from __future__ import annotations

import struct
from pathlib import Path

from setgf.runs.tensorboard import masked_crc


def varint(value: int) -> bytes:
    """Return a number as protocol buffers write it."""
    value &= 0xFFFFFFFFFFFFFFFF
    parts = bytearray()
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    parts.append(value)
    return bytes(parts)


def field(number: int, kind: int, data: bytes) -> bytes:
    """Return a field; kind 2 gets its length."""
    head = varint(number << 3 | kind)
    return head + (varint(len(data)) + data if kind == 2 else data)


def record(data: bytes) -> bytes:
    """Return data framed with length and checksums."""
    head = struct.pack("<Q", len(data))
    return head + struct.pack("<I", masked_crc(head)) + data + struct.pack("<I", masked_crc(data))


def simple(tag: str, value: float) -> bytes:
    """Return a summary value as PyTorch writes scalars."""
    return field(1, 2, tag.encode()) + field(2, 5, struct.pack("<f", value))


def tensor(tag: str, value: float, *, plugin: str = "scalars") -> bytes:
    """Return a summary value as TensorFlow 2 writes scalars."""
    content = field(1, 0, varint(1)) + field(4, 2, struct.pack("<f", value))
    metadata = field(1, 2, field(1, 2, plugin.encode()))
    return field(1, 2, tag.encode()) + field(8, 2, content) + field(9, 2, metadata)


def event(step: int, *values: bytes, at: float = 1000.0) -> bytes:
    """Return the record of an event with these summary values."""
    data = field(1, 1, struct.pack("<d", at)) + field(2, 0, varint(step))
    if values:
        data += field(5, 2, b"".join(field(1, 2, value) for value in values))
    return record(data)


def version() -> bytes:
    """Return the record that begins every file."""
    return record(field(1, 1, struct.pack("<d", 999.0)) + field(3, 2, b"brain.Event:2"))


def write_events(path: Path, *events: bytes) -> Path:
    """Write an event file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(version() + b"".join(events))
    return path
