"""MulT: six directed cross-modal transformers and three memories.

Tsai et al., "Multimodal Transformer for Unaligned Multimodal Language Sequences", ACL 2019.

    X_m   = Conv1D(features_m) + positions                                  (equations 1 and 2)
    Z_i   = CM(LN(Z_i-1), LN(X_source)) + Z_i-1;  Z_i += FFN(LN(Z_i))       (4), Z_0 = X_reader
    z_m   = pooled self-attention over [Z_m<-n; Z_m<-k]
    score = w . (W_2 relu(W_1 z) + z),  z = [z_text; z_audio; z_vision]

Shapes: B batch, D model width.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from setgf.config import ExperimentConfig
from setgf.data.batch import Batch, DataFacts
from setgf.model.base import Network
from setgf.model.baselines.crossmodal import (
    ModalityMemory,
    TemporalConvolution,
    add_positions,
    crossmodal_sizes,
)
from setgf.model.fusion import CrossModalMappings
from setgf.model.output import ModelOutput
from setgf.model.text_encoder import TextEncoder
from setgf.terms import MODALITIES, Branch

KERNEL = 5
"""Steps of every convolution (MMSA's configuration for MOSI; 1 to 5 on other sets)."""
MEMORY_BLOCKS = 3
"""A memory has as many blocks as a mapping, and at least this many (MMSA)."""
ALL_PAIRS = tuple(
    (reader, source) for reader in MODALITIES for source in MODALITIES if reader is not source
)
"""Every modality reads both others."""


class MultNetwork(Network):
    """Six cross-modal mappings, a memory for each modality and a residual output block.

    Without the paper's optional CTC alignment. MMSA's settings for MOSI: `model.width=50`,
    `model.heads=10`, `model.blocks=4`, `text.dropout=0.5`, `model.head_dropout=0.5`, and features
    of a frozen encoder (`text.finetune=false`).

    Where the public code attends to padding, masks the future by the difference of two lengths,
    scales inputs by sqrt(D) and pools the last step of a padded batch, keys here are masked, every
    step sees every real step, positions are of real steps, and pooling is by attention.
    """

    def __init__(
        self, text_encoder: TextEncoder, config: ExperimentConfig, facts: DataFacts
    ) -> None:
        super().__init__(text_encoder, text_dropout=config.text.dropout)
        model, sizes = config.model, crossmodal_sizes(config.model)
        widths = (text_encoder.width, facts.audio_width, facts.vision_width)
        self.convolutions = nn.ModuleDict(
            {
                modality.value: TemporalConvolution(width, model.width, kernel=KERNEL)
                for modality, width in zip(MODALITIES, widths, strict=True)
            }
        )
        self.mappings = CrossModalMappings(sizes, model.blocks, ALL_PAIRS)
        num_blocks = max(model.blocks, MEMORY_BLOCKS)
        self.memories = nn.ModuleDict(
            {modality.value: ModalityMemory(sizes, 2, num_blocks) for modality in MODALITIES}
        )
        self.output = ResidualOutput(3 * 2 * model.width, dropout=model.head_dropout)

    def forward(self, batch: Batch) -> ModelOutput:
        """Return the score and the feature of the fusion branch."""
        given = self.sequences(batch)
        readings = self.mappings(
            {m: add_positions(self.convolutions[m.value](given[m])) for m in MODALITIES}
        )
        vectors = [self.memories[m.value](readings[m]) for m in MODALITIES]
        score, feature = self.output(torch.cat(vectors, -1))
        return ModelOutput(scores={Branch.FUSION: score}, features={Branch.FUSION: feature})


class ResidualOutput(nn.Module):
    """Two layers around which the vector also passes untouched, and a linear score."""

    if TYPE_CHECKING:

        def __call__(self, vector: Tensor) -> tuple[Tensor, Tensor]:
            """Call `forward`."""
            ...

    def __init__(self, width: int, *, dropout: float) -> None:
        super().__init__()
        self.first = nn.Linear(width, width)
        self.dropout = nn.Dropout(dropout)
        self.second = nn.Linear(width, width)
        self.third = nn.Linear(width, 1)

    def forward(self, vector: Tensor) -> tuple[Tensor, Tensor]:
        """Return score (B,) and non-negative feature (B, F), float32, of `vector` (B, F)."""
        feature = torch.relu(self.first(vector))
        score = self.third(vector + self.second(self.dropout(feature)))  # (B, 1)
        return score.squeeze(-1).float(), feature.float()
