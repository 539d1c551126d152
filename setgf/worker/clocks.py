"""The clocks a worker decides by: no change of the wall clock moves them."""

from __future__ import annotations

import time

from setgf.runs.heartbeat import boot_time

__all__ = ["asleep_seconds", "boot_time"]


def asleep_seconds() -> float:
    """Return how long the machine has been asleep since its boot."""
    return max(0.0, boot_time() - time.clock_gettime(time.CLOCK_MONOTONIC))
