"""The heartbeat of an attempt: how much work is done, when the last of it was, and who still lives.

    a<N>/heartbeat    <units: uint64> <worked_at: float64> <beat_at: float64>, little-endian

A thread of its own writes it, so it tells a child that works (`worked_at` moves) from one whose
training hangs (`beat_at` alone moves) and from one that is stopped as a whole (neither moves).
Moments are seconds since boot (CLOCK_BOOTTIME): no change of the clock moves them.
"""

from __future__ import annotations

import os
import struct
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType

from setgf.runs.folder import AttemptFolder

BEAT_SECONDS = 2.0
_FORM = struct.Struct("<Qdd")


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """What a child has said of itself last."""

    units: int
    """Batches done since the start: trained, evaluated, or looked at for labels."""
    worked_at: float
    """When the last one was done, in seconds since boot; the start before the first one."""
    beat_at: float
    """When this was written, in seconds since boot."""


class Beating:
    """Writes the heartbeat while work goes on; a disk that refuses costs beats, nothing else."""

    def __init__(self, attempt: AttemptFolder, *, seconds: float = BEAT_SECONDS) -> None:
        self._path = attempt.heartbeat
        self._seconds = seconds
        self._units = 0
        self._worked_at = boot_time()
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)

    def __enter__(self) -> Beating:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._is_over.set()
        self._thread.join()

    def advance(self) -> None:
        """Count a batch that is done; cheap enough for every one."""
        self._units += 1
        self._worked_at = boot_time()

    def _beat(self) -> None:
        with suppress(OSError):
            flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
            handle = os.open(self._path, flags, 0o666)
            try:
                is_over = False
                while not is_over:
                    self._write(handle)
                    is_over = self._is_over.wait(self._seconds)
                self._write(handle)
            finally:
                os.close(handle)

    def _write(self, handle: int) -> None:
        beat = _FORM.pack(self._units, self._worked_at, boot_time())
        with suppress(OSError):
            os.pwrite(handle, beat, 0)


def read_heartbeat(attempt: AttemptFolder) -> Heartbeat | None:
    """Return what an attempt's child has said last; None when it has not, or is of another kind."""
    try:
        return Heartbeat(*_FORM.unpack(attempt.heartbeat.read_bytes()))
    except (OSError, struct.error):
        return None


def boot_time() -> float:
    """Return seconds since boot, time asleep included."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)
