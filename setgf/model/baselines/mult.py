"""MulT: six directed cross-modal transformers and three memories.

Tsai et al., "Multimodal Transformer for Unaligned Multimodal Language Sequences", ACL 2019.

    X_m   = sqrt(D) Conv1D(features_m) + positions                          (equations 1 and 2)
    Z_i   = CM(LN(Z_i-1), LN(X_source)) + Z_i-1;  Z_i += FFN(LN(Z_i))       (4), Z_0 = X_reader
    z_m   = pooled self-attention over [Z_m<-n; Z_m<-k]
    score = w . (W_2 relu(W_1 z) + z),  z = [z_text; z_audio; z_vision]

Shapes: B batch, D model width.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from setgf.config import ExperimentConfig
from setgf.data.batch import Batch, DataFacts
from setgf.model.attention import BlockSizes
from setgf.model.base import Network
from setgf.model.baselines.crossmodal import ModalityMemory, TemporalConvolution, add_positions
from setgf.model.fusion import CrossModalMappings
from setgf.model.heads import head_dropout, num_outputs
from setgf.model.output import ModelOutput
from setgf.model.text_encoder import TextEncoder
from setgf.terms import MODALITIES, Branch

SIZES = BlockSizes(
    width=50,
    heads=10,
    attention_dropout=0.2,
    feedforward_dropout=0.0,
    null_key=False,
    activation=nn.ReLU,
)
NUM_BLOCKS = 4
"""MMSA's for MOSI; there, attention dropout is .3, .2 or 0 by what is read, here the middle one."""
KERNEL = 5
INPUT_DROPOUT = 0.2
"""Steps of every convolution, and dropout after it; MMSA's for MOSI."""
SCALE = math.sqrt(SIZES.width)
"""Of what convolutions give, so that positions do not drown it (the authors' code)."""
ALL_PAIRS = tuple(
    (reader, source) for reader in MODALITIES for source in MODALITIES if reader is not source
)
"""Every modality reads both others."""


class MultNetwork(Network):
    """Six cross-modal mappings, a memory for each modality and a residual output block.

    Without the paper's optional CTC alignment. MMSA's settings for MOSI are `text.dropout=0.5`,
    `model.head_dropout=0.5` and a frozen encoder (`text.finetune=false`).

    Where MMSA's code attends to padding, masks the future by the difference of two lengths,
    leaves positions out and pools the last step of a padded batch, keys here are masked, every
    step sees every real step, positions are of real steps, and pooling is by attention.
    """

    def __init__(
        self, text_encoder: TextEncoder, config: ExperimentConfig, facts: DataFacts
    ) -> None:
        super().__init__(text_encoder, text_dropout=config.text.dropout)
        widths = (text_encoder.width, facts.audio_width, facts.vision_width)
        self.convolutions = nn.ModuleDict(
            {
                modality.value: TemporalConvolution(width, SIZES.width, kernel=KERNEL)
                for modality, width in zip(MODALITIES, widths, strict=True)
            }
        )
        self.dropout = nn.Dropout(INPUT_DROPOUT)
        self.mappings = CrossModalMappings(SIZES, NUM_BLOCKS, ALL_PAIRS)
        self.memories = nn.ModuleDict(
            {modality.value: ModalityMemory(SIZES, 2, NUM_BLOCKS) for modality in MODALITIES}
        )
        dropout = head_dropout(config.model, Branch.FUSION)
        self.output = ResidualOutput(
            3 * 2 * SIZES.width, dropout=dropout, outputs=num_outputs(config)
        )

    def forward(self, batch: Batch) -> ModelOutput:
        """Return the score and the feature of the fusion branch."""
        given = self.sequences(batch)
        placed = {
            m: add_positions(self.convolutions[m.value](given[m]), scale=SCALE) for m in MODALITIES
        }
        readings = self.mappings(
            {m: placed[m].with_states(self.dropout(placed[m].states)) for m in MODALITIES}
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

    def __init__(self, width: int, *, dropout: float, outputs: int) -> None:
        super().__init__()
        self.first = nn.Linear(width, width)
        self.dropout = nn.Dropout(dropout)
        self.second = nn.Linear(width, width)
        self.third = nn.Linear(width, outputs)

    def forward(self, vector: Tensor) -> tuple[Tensor, Tensor]:
        """Return score (B,) or logits (B, 3), and feature (B, F), 0 or more, of a vector (B, F)."""
        feature = torch.relu(self.first(vector))
        score = self.third(vector + self.second(self.dropout(feature)))  # (B, outputs)
        return score.squeeze(-1).float(), feature.float()
