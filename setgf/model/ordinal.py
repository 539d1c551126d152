"""An auxiliary head that puts the classes in order.

CORAL (Cao, Mirjalili and Raschka, Pattern Recognition Letters 2020): K ordered classes are K - 1
questions `is it above class k?`, which share one direction and differ in their threshold, so that
the answers never contradict each other. The classes are the finest of the data set's protocol: 7 on
MOSI and MOSEI, 5 on SIMS.

Shapes: B batch, D_f width of the fusion feature, K classes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from setgf.terms import Dataset, is_sims

_SIMS_EDGES = (-0.7, -0.1, 0.1, 0.7)
"""Upper edges of all classes but the last; an edge belongs to the class below it."""
_LIMIT = 3
"""Classes of MOSI and MOSEI: labels rounded, -3 to 3."""


class OrdinalHead(nn.Module):
    """Logits of `above class k` from the fusion feature."""

    if TYPE_CHECKING:

        def __call__(self, feature: Tensor) -> Tensor:
            """Call `forward`."""
            ...

    def __init__(self, width: int, dataset: Dataset) -> None:
        super().__init__()
        self.dataset = dataset
        self.direction = nn.Linear(width, 1, bias=False)
        num_thresholds = len(_SIMS_EDGES) if is_sims(dataset) else 2 * _LIMIT
        self.thresholds = nn.Parameter(torch.zeros(num_thresholds))

    def forward(self, feature: Tensor) -> Tensor:
        """Return logits (B, K - 1) float32 of features (B, D_f)."""
        return self.direction(feature).float() + self.thresholds

    def loss(self, feature: Tensor, label: Tensor) -> Tensor:
        """Return the mean binary cross-entropy, (), of features (B, D_f) and labels (B,)."""
        above = levels(label, self.dataset)
        return F.binary_cross_entropy_with_logits(self(feature), above)


def levels(label: Tensor, dataset: Dataset) -> Tensor:
    """Return (B, K - 1) float32, 1 where the class of a label (B,) is above class k."""
    if is_sims(dataset):
        edges = label.new_tensor(_SIMS_EDGES)
        return (label[:, None] > edges).float()
    # Halves go to the even neighbour, as in the protocol.
    found = label.clamp(-_LIMIT, _LIMIT).round()
    return (found[:, None] > torch.arange(-_LIMIT, _LIMIT, device=label.device)).float()
