"""The one object a network is given.

Shapes: B batch, T_text, T_audio, T_vision steps of the longest sequence in the batch, F_m feature width.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Padded inputs of B samples; padding is zero and stands at the end."""

    index: Tensor
    """(B,) int64. Row of each sample in its split: the key of label banks and encoder caches."""
    tokens: Tensor
    """(B, T_text) int64. Word piece ids."""
    segments: Tensor
    """(B, T_text) int64. Segment ids."""
    text_lengths: Tensor
    """(B,) int64, on the CPU, 0 <= length <= T_text; 0 where text is left out."""
    audio: Tensor
    """(B, T_audio, F_audio) float32."""
    audio_lengths: Tensor
    """(B,) int64, on the CPU, 0 <= length <= T_audio."""
    vision: Tensor
    """(B, T_vision, F_vision) float32."""
    vision_lengths: Tensor
    """(B,) int64, on the CPU, 0 <= length <= T_vision."""

    @property
    def size(self) -> int:
        """Number of samples."""
        return self.index.shape[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchLabels:
    """Annotated labels that travel beside a batch."""

    fusion: Tensor
    """(B,) float32 on the label scale."""
    text: Tensor | None = None
    """(B,) float32. Human label of the text alone (SIMS); None where the data has none."""
    audio: Tensor | None = None
    """(B,) float32, as `text`."""
    vision: Tensor | None = None
    """(B,) float32, as `text`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DataFacts:
    """What a network must know of the data; read from the data, never typed as a setting."""

    dataset: str
    audio_width: int
    """F_audio."""
    vision_width: int
    """F_vision."""
    label_limit: float
    """Largest absolute label."""
    num_train: int
    language: str = "en"
    """Language of the transcripts: `en` or `zh`."""


def padding_mask(lengths: Tensor, steps: int, device: torch.device) -> Tensor:
    """Return (B, steps) bool, True where padded, for lengths (B,) int64."""
    positions = torch.arange(steps, device=device)
    return positions[None, :] >= lengths.to(device)[:, None]
