"""What a network returns.

Shapes: B batch, D_s width of branch s.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from torch import Tensor

from setgf.terms import Branch


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelOutput:
    """Scores and features of every branch the network has; fusion is always there."""

    scores: Mapping[Branch, Tensor]
    """(B,) float32 on the label scale, unbounded, by branch.

    Where classes are predicted: logits (B, 3) of negative, neutral, positive.
    """
    features: Mapping[Branch, Tensor] = field(default_factory=dict[Branch, Tensor])
    """(B, D_s) float32, non-negative: first layer of each head, the label generator's space."""
    consistency: Tensor | None = None
    """() float32. Consistency loss of audio and vision with text; None without that part."""
    losses: Mapping[str, Tensor] = field(default_factory=dict[str, Tensor])
    """() float32 each. Further losses by name, means over the batch; the network has weighted them.

    `train.<name>` is the name of their series.
    """

    def part(self, place: slice) -> ModelOutput:
        """Return the output of some samples; means over the batch stay what they are."""
        return replace(
            self,
            scores={branch: values[place] for branch, values in self.scores.items()},
            features={branch: values[place] for branch, values in self.features.items()},
        )
