"""Is a folder on a network file system? SQLite's locks and its log need a disk of this machine."""

from __future__ import annotations

import os
import sys
from pathlib import Path

NETWORK_MAGIC = {
    0x00006969: "NFS",
    0x0000517B: "SMB",
    0xFE534D42: "SMB",
    0xFF534D42: "CIFS",
    0x01021997: "9p",
    0x0BD00BD0: "Lustre",
    0x47504653: "GPFS",
    0x19830326: "BeeGFS",
    0x00C36400: "Ceph",
    0x5346414F: "AFS",
    0xAAD7AAEA: "PanFS",
}
"""Numbers of `statfs(2)`, from linux/magic.h and the file systems' own headers."""
_BUFFER_BYTES = 512
"""Larger than any `struct statfs`."""


def file_system_number(path: Path) -> int | None:
    """Return what `statfs` calls the file system of `path`; None where that can't be asked."""
    if sys.platform != "linux":
        return None
    import ctypes  # only here: most calls of the program never come by

    library = ctypes.CDLL(None, use_errno=True)
    buffer = ctypes.create_string_buffer(_BUFFER_BYTES)
    if library.statfs(os.fsencode(path), buffer) != 0:
        return None
    return ctypes.c_long.from_buffer(buffer).value & 0xFFFFFFFF


def network_warning(path: Path) -> str | None:
    """Return one sentence when the database at `path` is on a network file system, else None."""
    number = file_system_number(path if path.exists() else path.parent)
    name = None if number is None else NETWORK_MAGIC.get(number)
    if name is None:
        return None
    return (
        f"The run database `{path}` is on a network file system ({name}), where SQLite's locks do "
        "not hold between machines. Put it on a local disk with $SETGF_HOME, or use PostgreSQL "
        "with $SETGF_DATABASE_URL."
    )
