"""The kernel's news of a folder (inotify): that a file in it was written, without asking for it."""

from __future__ import annotations

import ctypes
import os
from contextlib import suppress
from pathlib import Path

_MODIFY, _MOVED_TO, _CREATE, _DELETE = 0x2, 0x80, 0x100, 0x200
_FLAGS = os.O_NONBLOCK | os.O_CLOEXEC
_READ_BYTES = 1 << 16


class FolderNews:
    """A handle that is readable after a file of the folder was written, until `clear`.

    Only a hint: what SQLite writes can be seen a moment later, when it is on the disk.
    """

    def __init__(self, folder: Path) -> None:
        """Begin to watch.

        Raises:
            OSError: this system does not tell, or its user watches too much already.
        """
        libc = ctypes.CDLL(None, use_errno=True)
        self._handle = _checked(libc.inotify_init1(_FLAGS), folder)
        wanted = _MODIFY | _MOVED_TO | _CREATE | _DELETE
        try:
            _checked(libc.inotify_add_watch(self._handle, os.fsencode(folder), wanted), folder)
        except OSError:
            self.close()
            raise

    def fileno(self) -> int:
        """Return the handle."""
        return self._handle

    def clear(self) -> None:
        """Take in what has come: the handle is not readable until there is more."""
        with suppress(BlockingIOError):
            while os.read(self._handle, _READ_BYTES):
                pass

    def close(self) -> None:
        """Watch no longer."""
        os.close(self._handle)


def _checked(result: int, folder: Path) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(folder))
    return result
