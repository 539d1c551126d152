"""Which process holds SQLite's write lock, as far as Linux tells."""

from __future__ import annotations

import os
from pathlib import Path

_LOCKS = Path("/proc/locks")
_WRITE_LOCK_BYTE = "120"
"""Of the file beside the database: https://sqlite.org/walformat.html#wal_locks."""
_FIELDS = 8
_KIND, _MODE, _PID, _FILE, _START = 1, 3, 4, 5, 6


def find_writer(database: Path, locks: Path = _LOCKS) -> int | None:
    """Return the id of the other process that is writing now; None when it can't be known."""
    try:
        inode = str(database.with_name(f"{database.name}-shm").stat().st_ino)
        lines = locks.read_text(encoding="ascii").splitlines()
    except (OSError, UnicodeDecodeError):
        return None
    for fields in (line.split() for line in lines):
        if (
            len(fields) == _FIELDS
            and (fields[_KIND], fields[_MODE], fields[_START])
            == ("POSIX", "WRITE", _WRITE_LOCK_BYTE)
            and fields[_FILE].rpartition(":")[2] == inode
        ):
            pid = int(fields[_PID])
            return pid if pid > 0 and pid != os.getpid() else None
    return None


def name_of(pid: int) -> str:
    """Return the command of a process as it was typed, cut; empty when it can't be known."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return ""
    return b" ".join(words).decode(errors="replace").strip()[:60]
