"""Parts that MulT and TETFN share, beside SETGF's own attention.

Shapes: B batch, T steps of a modality, F feature width, D model width.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from setgf.model.attention import AttentionBlock, BlockSizes
from setgf.model.sequence import AttentionPooling, Sequence

PERIOD = 10000.0
"""Base of the sinusoids' wavelengths ("Attention is all you need", 3.5)."""


class TemporalConvolution(nn.Module):
    """One-dimensional convolution to the model width, without a bias; steps stay as many.

    The public code pads nothing and loses `kernel - 1` steps; here the ends see zeros, so that a
    sequence of one step stays one.
    """

    if TYPE_CHECKING:

        def __call__(self, sequence: Sequence) -> Sequence:
            """Call `forward`."""
            ...

    def __init__(self, feature_width: int, width: int, *, kernel: int) -> None:
        """Make a convolution from F to D over `kernel` steps, an odd number."""
        super().__init__()
        self.convolution = nn.Conv1d(feature_width, width, kernel, padding=kernel // 2, bias=False)

    def forward(self, sequence: Sequence) -> Sequence:
        """Return the sequence (B, T, D) of features (B, T, F)."""
        return sequence.with_states(self.convolution(sequence.states.mT).mT)


def add_positions(sequence: Sequence, *, scale: float = 1.0) -> Sequence:
    """Return the sequence (B, T, D), times `scale`, with sinusoids of its real positions added."""
    steps, width = sequence.states.shape[1:]
    positions = sinusoids(steps, width, sequence.states.device).to(sequence.states)
    return sequence.with_states(scale * sequence.states + positions)


def sinusoids(steps: int, width: int, device: torch.device | None = None) -> Tensor:
    """Return (steps, width) float32: sines in even columns, cosines in odd ones."""
    columns = torch.arange(width, device=device)
    rates = PERIOD ** (-2 * (columns // 2) / width)  # (D,)
    angles = torch.arange(steps, device=device)[:, None] * rates  # (T, D)
    return torch.where(columns % 2 == 0, angles.sin(), angles.cos())


class ModalityMemory(nn.Module):
    """All readings of one modality side by side, self-attention over them, one vector of it.

    The public code takes the last step, which is padding for all but the longest sample; here
    every real step takes part, by attention pooling.
    """

    if TYPE_CHECKING:

        def __call__(self, readings: list[Sequence]) -> Tensor:
            """Call `forward`."""
            ...

    def __init__(self, sizes: BlockSizes, num_readings: int, num_blocks: int) -> None:
        """Make the memory of `num_readings` sequences of `sizes.width` each."""
        super().__init__()
        self.width = num_readings * sizes.width
        wide = replace(sizes, width=self.width)
        self.blocks = nn.ModuleList(AttentionBlock(wide) for _ in range(num_blocks))
        self.norm = nn.LayerNorm(self.width)
        self.pooling = AttentionPooling(self.width)

    def forward(self, readings: list[Sequence]) -> Tensor:
        """Return (B, readings * D); zero for a sample without a real step."""
        memory = readings[0].with_states(torch.cat([reading.states for reading in readings], -1))
        for block in self.blocks:
            memory = block(memory, memory)
        return self.pooling(memory.with_states(self.norm(memory.states)))
