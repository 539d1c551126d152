"""Waiting that ends early: at a signal, at the end of a child process, or at news."""

from __future__ import annotations

import contextlib
import os
import select
import signal
from types import FrameType
from typing import Any, Self

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD, signal.SIGHUP)


class WakeUp:
    """Catches signals while it is open; for the main thread only."""

    def __init__(self) -> None:
        self.terminated = False
        """True after SIGTERM."""
        self.interrupts = 0
        """Number of SIGINTs (Ctrl-C)."""
        self._before: dict[signal.Signals, Any] = {}
        self._reader, self._writer = -1, -1
        self._old_writer = -1

    def __enter__(self) -> Self:
        self._reader, self._writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._before = {number: signal.signal(number, self._catch) for number in _SIGNALS}
        self._old_writer = signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        return self

    def __exit__(self, *_: object) -> None:
        signal.set_wakeup_fd(self._old_writer)
        for number, handler in self._before.items():
            signal.signal(number, handler)
        os.close(self._reader)
        os.close(self._writer)

    def wait(self, seconds: float, news: int | None = None) -> bool:
        """Wait for so long at most; True when the handle `news` is readable."""
        handles = [self._reader] if news is None else [self._reader, news]
        ready, _, _ = select.select(handles, [], [], seconds)
        if self._reader in ready:
            with contextlib.suppress(BlockingIOError):
                while os.read(self._reader, 256):
                    pass
        return news in ready

    def _catch(self, number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGTERM:
            self.terminated = True
        elif number == signal.SIGINT:
            self.interrupts += 1
