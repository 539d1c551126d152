"""Room on the disk for the moment it is full: a file that is given up first.

With it gone the queue can still be written to: what runs is stored, what is cancelled stays so.
"""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path

RESERVE_BYTES = 8 << 20
ENOUGH_BYTES = 256 << 20
"""Free space from which on the reserve is made."""


class DiskReserve:
    """A file of 8 MiB beside the database; every worker of it may make it or give it up."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / ".reserve"

    def keep(self) -> None:
        """Make the file where it is missing and the disk has plenty; one that refuses is left."""
        if self.path.exists():
            return
        with suppress(OSError):
            if shutil.disk_usage(self.path.parent).free < ENOUGH_BYTES:
                return
            handle = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o666)
            try:
                os.posix_fallocate(handle, 0, RESERVE_BYTES)
            finally:
                os.close(handle)

    def give_up(self) -> bool:
        """Free the space; False when that was done before."""
        try:
            self.path.unlink()
        except OSError:
            return False
        return True
