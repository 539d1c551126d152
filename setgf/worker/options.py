"""How a worker works, as it was started."""

from __future__ import annotations

from dataclasses import dataclass

from setgf.worker.identity import LEASE_SECONDS
from setgf.worker.outcomes import FIRST_BACK_OFF_SECONDS
from setgf.worker.watching import HUNG_AFTER_SECONDS


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerOptions:
    """How a worker works."""

    slots: int | None = None
    """CPU jobs at once; None is half the cores."""
    gpus: tuple[int, ...] | None = None
    """Indices of the GPUs it may give out; None takes all it can see."""
    drain: bool = False
    """Leave when no job is left that could run here."""
    once: bool = False
    """Leave after one job."""
    lease_seconds: float = LEASE_SECONDS
    back_off_seconds: float = FIRST_BACK_OFF_SECONDS
    """Before a crashed job's second attempt; doubled for every further one without progress."""
    share_gpus: bool = False
    """Give out what other programs leave free of a GPU; else one they use is left to them."""
    hung_after: float | None = HUNG_AFTER_SECONDS
    """Seconds without progress after which an attempt is ended and tried again; None: never."""
