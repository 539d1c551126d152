"""An auxiliary head that puts the classes in order.

CORAL (Cao, Mirjalili and Raschka, Pattern Recognition Letters 2020): K ordered classes are K - 1
questions `is it above class k?`, which share one direction and differ in their threshold, so that
the answers never contradict each other. The head reads the fusion feature; in networks without
SETGF's heads it reads the score itself, which makes it the proportional odds model (McCullagh,
1980). The classes are the finest of the data set's protocol: 7 on MOSI and MOSEI, 5 on SIMS.

Shapes: B batch, D_f width of the fusion feature, K classes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from setgf.model.output import ModelOutput
from setgf.terms import Branch, Dataset, is_sims

_SIMS_EDGES = (-0.7, -0.1, 0.1, 0.7)
"""Upper edges of all classes but the last; an edge belongs to the class below it."""
_LIMIT = 3
"""Classes of MOSI and MOSEI: labels rounded, -3 to 3."""


class OrdinalHead(nn.Module):
    """Logits of `above class k` from the fusion feature or score."""

    if TYPE_CHECKING:

        def __call__(self, output: ModelOutput) -> Tensor:
            """Call `forward`."""
            ...

    def __init__(self, width: int | None, dataset: Dataset) -> None:
        """Make the head.

        Args:
            width: D_f; None reads the score instead.
            dataset: decides the classes.
        """
        super().__init__()
        self.dataset = dataset
        self.reads_score = width is None
        self.direction = nn.Linear(width or 1, 1, bias=False)
        if self.reads_score:
            nn.init.ones_(self.direction.weight)  # a higher score is a higher class
        num_thresholds = len(_SIMS_EDGES) if is_sims(dataset) else 2 * _LIMIT
        self.thresholds = nn.Parameter(torch.zeros(num_thresholds))

    def forward(self, output: ModelOutput) -> Tensor:
        """Return logits (B, K - 1) float32."""
        if self.reads_score:
            read = output.scores[Branch.FUSION][:, None]  # (B, 1)
        else:
            read = output.features[Branch.FUSION]  # (B, D_f)
        return self.direction(read.float()) + self.thresholds

    def loss(self, output: ModelOutput, label: Tensor) -> Tensor:
        """Return the mean binary cross-entropy, (), for labels (B,)."""
        return F.binary_cross_entropy_with_logits(self(output), levels(label, self.dataset))


def levels(label: Tensor, dataset: Dataset) -> Tensor:
    """Return (B, K - 1) float32, 1 where the class of a label (B,) is above class k."""
    if is_sims(dataset):
        edges = label.new_tensor(_SIMS_EDGES)
        return (label[:, None] > edges).float()
    # Halves go to the even neighbour, as in the protocol.
    found = label.clamp(-_LIMIT, _LIMIT).round()
    return (found[:, None] > torch.arange(-_LIMIT, _LIMIT, device=label.device)).float()
