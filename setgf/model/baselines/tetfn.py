"""TETFN: cross-modal transformers that audio and vision meet in only through text.

Wang et al., "TETFN: A text enhanced transformer fusion network for multimodal sentiment analysis",
Pattern Recognition 136 (2023), as read from the paper's abstract and MMSA's code (`msa.md` 4.1).

    X_t = Conv(BERT),  X_m = Conv(LSTM(features_m))                         m in {a, v}
    C_v = Block(X_v; X_t),  U_a = Block^N(X_a; C_v)                         and U_v with C_a
    P_ta = Block^N(X_t; X_a),  P_tv,  P_at,  P_vt
    z_t = Memory([P_ta; P_tv]),  z_a = Memory([P_at; U_a]),  z_v = Memory([P_vt; U_v])
    fusion: three layers on [z_t; z_a; z_v];  task m: three layers on max over time of X_m

Shapes: B batch, D model width.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from setgf.config import ExperimentConfig
from setgf.data.batch import Batch, DataFacts
from setgf.model.base import Network
from setgf.model.baselines.crossmodal import (
    ModalityMemory,
    TemporalConvolution,
    add_positions,
    crossmodal_sizes,
)
from setgf.model.fusion import CrossModalMappings, Sequences, TextOrientedAttention, mapping_pairs
from setgf.model.heads import BranchHeads, branch_widths
from setgf.model.output import ModelOutput
from setgf.model.sequence import Sequence, masked_max, pack, unpack
from setgf.model.text_encoder import TextEncoder
from setgf.terms import MODALITIES, Branch, Modality

TEXT_KERNEL = 1
AUDIO_KERNEL = 1
VISION_KERNEL = 3
"""Steps of the convolutions (`msa.md` 3.5, MOSI; 1 to 5 on other sets)."""
MEMORY_BLOCKS = 2
"""Blocks of a memory; the same on every data set in the published settings."""


class RecurrentConvolution(nn.Module):
    """LSTM over real frames, then a convolution to the model width."""

    if TYPE_CHECKING:

        def __call__(self, sequence: Sequence) -> Sequence:
            """Call `forward`."""
            ...

    def __init__(self, feature_width: int, hidden_width: int, width: int, *, kernel: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(feature_width, hidden_width, batch_first=True)
        self.convolve = TemporalConvolution(hidden_width, width, kernel=kernel)

    def forward(self, sequence: Sequence) -> Sequence:
        """Return the sequence (B, T, D) of frames (B, T, F)."""
        return self.convolve(unpack(self.lstm(pack(sequence))[0], sequence))


class TetfnNetwork(Network):
    """Text-oriented attention and mappings, a memory for each modality, and four heads.

    Unimodal tasks are taught as Self-MM's are; `labels.mode=reference` is the published way.
    MMSA's settings for MOSI: `model.width=50`, `model.heads=5`, `model.blocks=2`,
    `model.audio_hidden=16`, `model.vision_hidden=64`, heads of 64, 32, 32 and 16 without dropout,
    `text.dropout=0`.

    Where the public code differs (`msa.md` 3.6, fault 16): vision has a kernel of its own, padding
    is read by no LSTM and seen by no attention, no future is masked, positions are of real steps
    and added once to what every transformer reads, pooling is by attention, and data need not be
    aligned.
    """

    has_unimodal_tasks = True

    def __init__(
        self, text_encoder: TextEncoder, config: ExperimentConfig, facts: DataFacts
    ) -> None:
        super().__init__(text_encoder, text_dropout=config.text.dropout)
        model, sizes = config.model, crossmodal_sizes(config.model)
        width = model.width
        self.text = TemporalConvolution(text_encoder.width, width, kernel=TEXT_KERNEL)
        self.audio = RecurrentConvolution(
            facts.audio_width, model.audio_hidden, width, kernel=AUDIO_KERNEL
        )
        self.vision = RecurrentConvolution(
            facts.vision_width, model.vision_hidden, width, kernel=VISION_KERNEL
        )
        self.attention = TextOrientedAttention(sizes, model.blocks, text_mediation=True)
        self.mappings = CrossModalMappings(sizes, model.blocks, mapping_pairs("both"))
        self.memories = nn.ModuleDict(
            {modality.value: ModalityMemory(sizes, 2, MEMORY_BLOCKS) for modality in MODALITIES}
        )
        widths = {
            Branch.FUSION: 3 * 2 * width,
            Branch.TEXT: width,
            Branch.AUDIO: width,
            Branch.VISION: width,
        }
        self.heads = BranchHeads(branch_widths(config, widths), model)

    def forward(self, batch: Batch) -> ModelOutput:
        """Return scores and features of all branches that have a head."""
        given = self.sequences(batch)
        unimodal: Sequences = {
            Modality.TEXT: self.text(given[Modality.TEXT]),
            Modality.AUDIO: self.audio(given[Modality.AUDIO]),
            Modality.VISION: self.vision(given[Modality.VISION]),
        }
        placed = {modality: add_positions(unimodal[modality]) for modality in MODALITIES}
        readings = self.mappings(placed)
        for modality, reading in self.attention(placed).items():
            readings[modality].append(reading)
        fused = [self.memories[modality.value](readings[modality]) for modality in MODALITIES]
        scores, features = self.heads(
            {
                Branch.FUSION: torch.cat(fused, -1),  # (B, 6 * D)
                Branch.TEXT: masked_max(unimodal[Modality.TEXT]),
                Branch.AUDIO: masked_max(unimodal[Modality.AUDIO]),
                Branch.VISION: masked_max(unimodal[Modality.VISION]),
            }
        )
        return ModelOutput(scores=scores, features=features)
