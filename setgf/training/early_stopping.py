"""Which epoch is the best so far, and whether to go on."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from setgf.config import MONITORED, TrainConfig


@dataclass(slots=True)
class EarlyStopping:
    """Follows the monitored validation metric; its direction belongs to the metric."""

    config: TrainConfig
    best: float = math.nan
    """Monitored metric at the best epoch; NaN before the first one and where it is undefined."""
    best_epoch: int = 0
    """0 before the first epoch."""
    epochs_without_gain: int = 0

    def update(self, epoch: int, value: float) -> bool:
        """Take the metric of an epoch; return True when it is the best so far.

        The first epoch is the best of its kind, whatever its value; NaN (an undefined metric) is
        never better than anything.
        """
        if self.best_epoch == 0 or self._is_better(value):
            self.best, self.best_epoch, self.epochs_without_gain = value, epoch, 0
            return True
        self.epochs_without_gain += 1
        return False

    @property
    def has_given_up(self) -> bool:
        """True after `patience` epochs without gain; never with patience 0."""
        return 0 < self.config.patience <= self.epochs_without_gain

    def state_dict(self) -> dict[str, Any]:
        """Return what `load_state_dict` needs."""
        state = asdict(self)
        del state["config"]
        return state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state_dict`."""
        self.best = float(state["best"])
        self.best_epoch = int(state["best_epoch"])
        self.epochs_without_gain = int(state["epochs_without_gain"])

    def _is_better(self, value: float) -> bool:
        if math.isnan(value):
            return False
        if math.isnan(self.best):
            return True
        gain = value - self.best if MONITORED[self.config.monitor] == "max" else self.best - value
        return gain >= self.config.min_delta and gain > 0
