"""What a user chooses of a chart. Known before the first curve is drawn, so it loads no numpy."""

from __future__ import annotations

from enum import StrEnum

SMOOTHING_LEVELS = (0.0, 0.6, 0.8, 0.9, 0.95, 0.98)


class XAxis(StrEnum):
    """What the horizontal axis counts."""

    STEP = "step"
    EPOCH = "epoch"
    TIME = "time"
    """Since the run's first point."""
    CLOCK = "clock time"
