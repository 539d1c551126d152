"""Writes what a child prints into its attempt's log: stamped, progress bars collapsed, bounded.

Standard library only: the shim loads it. The child writes into a pipe that the shim empties, so

* raw prints and C libraries get their time stamp, too;
* a full disk costs lines of the log, never the run: the child is not told;
* a worker that dies has no part in it; a shim that dies takes the child with it anyway.

At most three files of `LOG_BYTES` each: the head (`log.head.txt`, once there is more than one), the
file before the newest (`log.previous.txt`) and the newest (`log.txt`); what is between is dropped.
"""

from __future__ import annotations

import os
import select
import time

LOG_BYTES = 8 << 20
STATE_SECONDS = 10.0
"""How often a line that is being overwritten (a progress bar) or not ended is written as it is."""
LONGEST_LINE = 16384
CHUNK_BYTES = 65536
NAMES = ("log.head.txt", "log.previous.txt", "log.txt")
"""Oldest first."""
NOTE = "[setgf] "
"""How a line begins that the log says of itself."""
_CONTROL = bytes([*range(9), *range(11, 32), 127])
_ESCAPES = (
    rb"\x1b\[[0-?]*[ -/]*[@-~]"  # colours and cursor movements
    rb"|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)"  # titles and links
    rb"|[\x00-\x08\x0b-\x1f\x7f]"
)
_CURSOR_UP = rb"\x1b\[\d*A"


class AttemptLog:
    """The log of one attempt; nothing it does raises for want of room."""

    def __init__(self, folder: str, *, limit: int = LOG_BYTES) -> None:
        self.folder = folder
        self.limit = limit
        self._handle = self._open()
        self._size = os.fstat(self._handle).st_size
        self._unfinished = b""
        """What the last line holds so far."""
        self._written: bytes | None = None
        """How it stands in the log already."""
        self._bar: bytes | None = None
        """The newest line of a progress bar of several lines; written when it is over."""
        self._state_at = time.monotonic()
        self._lines = 0
        """Lines of the newest file."""
        self._between = 0
        """Lines between the head and the newest file; most of them are dropped by and by."""
        self._lost = 0
        self._is_torn = False

    def feed(self, data: bytes) -> None:
        """Take what the child has written; whole lines go to the file at once."""
        *whole, last = (self._unfinished + data).split(b"\n")
        stamp = time.strftime("%Y-%m-%d %H:%M:%S ").encode("ascii")
        lines: list[bytes] = []
        for raw in whole:
            line, written, self._written = visible(raw), self._written, None
            if line == written:
                continue
            if moves_up(raw) and not self._is_state_due():
                self._bar = stamp + line + b"\n"
                continue
            lines += [self._bar] if self._bar is not None else []
            lines.append(stamp + line + b"\n")
            self._bar = None
        self._unfinished = overwritten(last)
        if len(self._unfinished) > LONGEST_LINE:
            lines.append(stamp + visible(self._unfinished) + b"\n")
            self._unfinished = b""
        self._append(lines)
        self.tick()

    def tick(self) -> None:
        """Write the unfinished line as it stands, now and then."""
        line = visible(self._unfinished)
        if line and line != self._written and self._is_state_due():
            self._append([time.strftime("%Y-%m-%d %H:%M:%S ").encode("ascii") + line + b"\n"])
            self._written = line

    def close(self) -> None:
        """Write what is left; the child has ended."""
        if self._unfinished:
            self.feed(b"\n")
        if self._bar is not None:
            self._append([self._bar])
        os.close(self._handle)

    def _is_state_due(self) -> bool:
        now = time.monotonic()
        if now - self._state_at < STATE_SECONDS:
            return False
        self._state_at = now
        return True

    def _append(self, lines: list[bytes]) -> None:
        """Write lines in one go; those the disk has no room for are counted and told later."""
        if not lines:
            return
        if self._lost:
            words = f"{NOTE}{self._lost} lines are missing here: the disk was full.\n"
            lines = [lines[0][:20] + words.encode("ascii"), *lines]
        data = (b"\n" if self._is_torn else b"") + b"".join(lines)
        if self._size + len(data) > self.limit and self._size:
            self._rotate()
        written = write(self._handle, data)
        self._size += written
        if written == len(data):
            self._lines += len(lines)
            self._lost, self._is_torn = 0, False
        else:
            self._lost += len(lines)
            self._is_torn = written > 0 or self._is_torn

    def _rotate(self) -> None:
        """Begin a new file; the first one stays, of the others the last."""
        head, previous, current = (os.path.join(self.folder, name) for name in NAMES)
        has_head = os.path.exists(head)
        try:
            os.rename(current, previous if has_head else head)
            handle = self._open()
        except OSError:
            return
        os.dup2(handle, self._handle, inheritable=False)
        os.close(handle)
        self._between += self._lines if has_head else 0
        self._lines = self._size = 0
        if self._between:
            stamp = time.strftime("%Y-%m-%d %H:%M:%S ")
            words = f"{NOTE}{self._between} lines lie between {NAMES[0]} and here; only the last "
            self._size = write(self._handle, f"{stamp}{words}are kept.\n".encode("ascii"))

    def _open(self) -> int:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
        return os.open(os.path.join(self.folder, NAMES[2]), flags, 0o666)


def drain(pipe: int, log: AttemptLog) -> None:
    """Move what comes through a pipe into the log, until nobody can write into it any more."""
    while True:
        ready, _, _ = select.select([pipe], [], [], STATE_SECONDS / 2)
        if not ready:
            log.tick()
            continue
        data = os.read(pipe, CHUNK_BYTES)
        if not data:
            break
        log.feed(data)
    log.close()


def overwritten(line: bytes) -> bytes:
    """Return what carriage returns have left of a line; one at its end is kept for what follows."""
    kept = line.rstrip(b"\r")
    return kept.rpartition(b"\r")[2] + (b"\r" if len(kept) < len(line) else b"")


def visible(line: bytes) -> bytes:
    """Return a line as a terminal would leave it, without colours and control characters."""
    kept = overwritten(line)
    if len(kept.translate(None, _CONTROL)) == len(kept):
        return kept
    import re  # at the first line that needs it: a shim that starts should not wait for it

    return re.sub(_ESCAPES, b"", kept)


def moves_up(line: bytes) -> bool:
    """Return True for a line of a progress bar of several: it moves the cursor up again."""
    if b"\x1b" not in line:
        return False
    import re

    return re.search(_CURSOR_UP, line) is not None


def write(handle: int, data: bytes) -> int:
    """Write as much as the disk takes; returns how many bytes that were."""
    written = 0
    try:
        while written < len(data):
            written += os.write(handle, data[written:])
    except OSError:
        return written
    return written
