"""What a worker holds stands still before its lease is over, when nobody can be asked about it.

Of an SQLite file all users are on this machine, where a shim's lock says who has a run: a database
that is locked for long stops no training. Of a server's, another machine may take the job as soon
as the lease is over. The worker itself may wait for an answer then that never comes: a thread of
its own looks at the clock.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from threading import Event, Lock, Thread

from setgf.worker.clocks import boot_time
from setgf.worker.reins import Reins

FENCE_SECONDS = 10.0
"""So long before its lease ends on our clock an attempt stops, at most."""
LOOKS = 4
"""At the clock in that time."""


class Fence:
    """The lease on all that one worker holds, by the clock since boot."""

    def __init__(self, reins: Reins, lease_seconds: float) -> None:
        self.reins = reins
        self.lease_seconds = lease_seconds
        self.until = boot_time() + lease_seconds
        """Until when what we hold is ours for certain."""
        self._lock = Lock()

    @property
    def margin(self) -> float:
        """Seconds before the end of the lease at which attempts are stopped."""
        return min(FENCE_SECONDS, self.lease_seconds / 3)

    def renew(self, asked_at: float) -> None:
        """Let everything go on: the lease was renewed, as asked at a moment since boot."""
        with self._lock:
            self.until = asked_at + self.lease_seconds
            self.reins.unfence()

    def look(self) -> None:
        """Stop everything if the lease is nearly over."""
        with self._lock:
            is_shared = self.reins.database.path is None
            if is_shared and boot_time() > self.until - self.margin:
                self.reins.fence()

    @contextmanager
    def watched(self) -> Generator[None]:
        """Look again and again while the block runs, whatever it waits for."""
        if self.reins.database.path is not None:
            yield
            return
        is_over = Event()

        def watch() -> None:
            while not is_over.wait(self.margin / LOOKS):
                self.look()

        thread = Thread(target=watch, name="fence", daemon=True)
        thread.start()
        try:
            yield
        finally:
            is_over.set()
            thread.join()
