"""URLM, the unimodal representation learning module (`msa.md` 5.2).

A temporal branch follows the order of the steps, a global branch sums the whole sequence up in one
vector, and the integration lets that vector flow back into every step.

Shapes: B batch, T steps, F feature width, D model width.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from setgf.config import AblationConfig
from setgf.model.sequence import AttentionPooling, Sequence, masked_max, masked_mean, read_both_ways


@dataclass(frozen=True, slots=True, kw_only=True)
class UnimodalStates:
    """What is known of one modality before fusion."""

    sequence: Sequence
    """(B, T, D). Representation of every step, for the fusion."""
    summary: Tensor
    """(B, D) float32. Global vector, for the modality's own head."""


class TemporalBranch(nn.Module):
    """Temporal dependencies: a residual bidirectional LSTM over real steps only."""

    if TYPE_CHECKING:

        def __call__(self, sequence: Sequence) -> Sequence:
            """Call `forward`."""
            ...

    def __init__(self, width: int) -> None:
        super().__init__()
        forward_width = width - width // 2
        self.lstm = nn.LSTM(width, forward_width, batch_first=True, bidirectional=True)
        self.width = width

    def forward(self, sequence: Sequence) -> Sequence:
        """Return the sequence (B, T, D) with what came before and after added to each step."""
        read = read_both_ways(self.lstm, sequence)  # (B, T, 2 * ceil(D / 2))
        return sequence.with_states(sequence.states + read.states[..., : self.width])


class GlobalBranch(nn.Module):
    """Global attributes: mean, maximum and attention pooling merged into one bounded vector."""

    if TYPE_CHECKING:

        def __call__(self, sequence: Sequence) -> Tensor:
            """Call `forward`."""
            ...

    def __init__(self, width: int) -> None:
        super().__init__()
        self.pooling = AttentionPooling(width)
        self.merge = nn.Linear(3 * width, width)

    def forward(self, sequence: Sequence) -> Tensor:
        """Return (B, D), each within -1 and 1."""
        pooled = (masked_mean(sequence), masked_max(sequence), self.pooling(sequence))
        return torch.tanh(self.merge(torch.cat(pooled, -1)))


class Integration(nn.Module):
    """Relationship between representation and features: the global vector, gated into each step."""

    if TYPE_CHECKING:

        def __call__(self, sequence: Sequence, summary: Tensor) -> Sequence:
            """Call `forward`."""
            ...

    def __init__(self, width: int) -> None:
        super().__init__()
        # W_z[S; g] is split in two, so that the part of g is computed once a sample, not a step.
        self.gate_states = nn.Linear(width, width)
        self.gate_summary = nn.Linear(width, width, bias=False)
        self.project = nn.Linear(width, width, bias=False)
        self.norm = nn.LayerNorm(width)

    def forward(self, sequence: Sequence, summary: Tensor) -> Sequence:
        """Return the sequence (B, T, D), each step with its share of `summary` (B, D) added."""
        gate = torch.sigmoid(
            self.gate_states(sequence.states) + self.gate_summary(summary)[:, None]
        )  # (B, T, D)
        states = sequence.states + gate * self.project(summary)[:, None]
        return sequence.with_states(self.norm(states))


class UnimodalRepresentation(nn.Module):
    """URLM of one modality: features in, representations of every step and of the whole out."""

    if TYPE_CHECKING:

        def __call__(self, sequence: Sequence) -> UnimodalStates:
            """Call `forward`."""
            ...

    def __init__(
        self, feature_width: int, width: int, ablation: AblationConfig, *, is_contextual: bool
    ) -> None:
        """Make the parts that `ablation` leaves on.

        Args:
            feature_width: F.
            width: D.
            ablation: which parts are taken out.
            is_contextual: features already know their neighbours (text); no temporal branch.
        """
        super().__init__()
        whole = ablation.unimodal_representation
        self.project = nn.Linear(feature_width, width)
        self.norm = nn.LayerNorm(width)
        has_temporal = whole and ablation.temporal_branch and not is_contextual
        self.temporal = TemporalBranch(width) if has_temporal else None
        self.summarise = GlobalBranch(width) if whole and ablation.global_branch else None
        self.integrate = Integration(width) if whole and ablation.integration else None

    def forward(self, sequence: Sequence) -> UnimodalStates:
        """Return the states of features (B, T, F)."""
        sequence = sequence.with_states(self.norm(self.project(sequence.states)))  # (B, T, D)
        if self.temporal is not None:
            sequence = self.temporal(sequence)
        summary = (
            masked_mean(sequence) if self.summarise is None else self.summarise(sequence)
        )  # (B, D)
        if self.integrate is not None:
            sequence = self.integrate(sequence, summary)
        return UnimodalStates(sequence=sequence, summary=summary)
