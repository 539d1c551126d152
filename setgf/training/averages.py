"""A moving average of the weights: what is evaluated and kept as the best, where it is on.

Averages of the weights along the way generalise better than the last ones and forgive the noise of
small batches (Polyak and Juditsky, 1992; Tarvainen and Valpola, NeurIPS 2017).
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn


class WeightAverage:
    """Exponential moving average of everything trainable in a network, on the same device."""

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.decay = decay
        self._current = {n: p for n, p in network.named_parameters() if p.requires_grad}
        self._average = {n: p.detach().clone() for n, p in self._current.items()}
        self._updates = 0

    @torch.no_grad()
    def update(self) -> None:
        """Take the weights after a step in.

        The first updates weigh more, `(1 + n) / (10 + n)` at most as in TensorFlow's
        `ExponentialMovingAverage`: short runs would average their random start otherwise.
        """
        self._updates += 1
        decay = min(self.decay, (1 + self._updates) / (10 + self._updates))
        average: list[Tensor] = list(self._average.values())
        current: list[Tensor] = list(self._current.values())
        get_ema_multi_avg_fn(decay)(average, current, self._updates)

    @contextmanager
    def applied(self) -> Generator[None]:
        """Give the network the averages, and its own weights back at the end."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    def weights(self) -> Mapping[str, Tensor]:
        """Return the averages by the name of the parameter."""
        return self._average

    def state_dict(self) -> dict[str, Tensor]:
        """Return averages and the number of updates."""
        return {**self._average, "": torch.tensor(self._updates)}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Go on from `state_dict`."""
        self._updates = int(state[""])
        for name, average in self._average.items():
            average.copy_(state[name])

    @torch.no_grad()
    def _swap(self) -> None:
        """Exchange values in place: LSTMs on a GPU need their weights where they are."""
        for name, parameter in self._current.items():
            held = parameter.detach().clone()
            parameter.copy_(self._average[name])
            self._average[name].copy_(held)
