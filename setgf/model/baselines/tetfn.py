"""TETFN: cross-modal transformers that audio and vision meet in only through text.

Wang et al., "TETFN: A text enhanced transformer fusion network for multimodal sentiment analysis",
Pattern Recognition 136 (2023), as read from the paper's abstract and MMSA's code (`msa.md` 4.1).

    X_t = Conv(BERT),  X_m = Conv(LSTM(features_m))                         m in {a, v}
    S_m = sqrt(D) X_m + positions                                           m in {t, a, v}
    C_v = Block(S_v; S_t),  U_a = Block^N(S_a; C_v)                         and U_v with C_a
    P_ta = Block^N(S_t; S_a),  P_tv,  P_at,  P_vt
    z_t = Memory([P_ta; P_tv]),  z_a = Memory([P_at; U_a]),  z_v = Memory([P_vt; U_v])
    fusion: three layers on [z_t; z_a; z_v];  task m: three layers on max over time of X_m

Shapes: B batch, D model width.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import nn

from setgf.config import ExperimentConfig
from setgf.data.batch import Batch, DataFacts
from setgf.model.attention import BlockSizes
from setgf.model.base import Network
from setgf.model.baselines.crossmodal import ModalityMemory, TemporalConvolution, add_positions
from setgf.model.fusion import CrossModalMappings, Sequences, TextOrientedAttention, mapping_pairs
from setgf.model.heads import BranchHeads, branch_widths, num_outputs
from setgf.model.output import ModelOutput
from setgf.model.sequence import Sequence, masked_max, pack, unpack
from setgf.model.text_encoder import TextEncoder
from setgf.terms import MODALITIES, Branch, Modality

SIZES = BlockSizes(
    width=50,
    heads=5,
    attention_dropout=0.1,
    feedforward_dropout=0.1,
    null_key=False,
    activation=nn.ReLU,
)
NUM_BLOCKS = 2
"""Of mappings and memories. Width, heads and blocks are the same on every data set."""
SCALE = math.sqrt(SIZES.width)
"""Of what convolutions give, so that positions do not drown it (MMSA)."""
AUDIO_HIDDEN = 16
VISION_HIDDEN = 64
TEXT_KERNEL = 1
AUDIO_KERNEL = 1
VISION_KERNEL = 3
"""Hidden units of the LSTMs and steps of the convolutions: MMSA's for MOSI, as the dropouts are;
on other sets 16 or 32, 32 or 64, and 1 to 5 (`msa.md` 3.5)."""


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
    MMSA's settings for MOSI are `text.dropout=0`, `model.head_dropout=0` and heads of 64
    (`model.fusion_width`), 32, 32 and 16.

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
        width = SIZES.width
        self.text = TemporalConvolution(text_encoder.width, width, kernel=TEXT_KERNEL)
        self.audio = RecurrentConvolution(
            facts.audio_width, AUDIO_HIDDEN, width, kernel=AUDIO_KERNEL
        )
        self.vision = RecurrentConvolution(
            facts.vision_width, VISION_HIDDEN, width, kernel=VISION_KERNEL
        )
        self.attention = TextOrientedAttention(SIZES, NUM_BLOCKS, text_mediation=True)
        self.mappings = CrossModalMappings(SIZES, NUM_BLOCKS, mapping_pairs("both"))
        self.memories = nn.ModuleDict(
            {modality.value: ModalityMemory(SIZES, 2, NUM_BLOCKS) for modality in MODALITIES}
        )
        widths = {
            Branch.FUSION: 3 * 2 * width,
            Branch.TEXT: width,
            Branch.AUDIO: width,
            Branch.VISION: width,
        }
        self.heads = BranchHeads(
            branch_widths(config, widths), config.model, outputs=num_outputs(config)
        )

    def forward(self, batch: Batch) -> ModelOutput:
        """Return scores and features of all branches that have a head."""
        given = self.sequences(batch)
        unimodal: Sequences = {
            Modality.TEXT: self.text(given[Modality.TEXT]),
            Modality.AUDIO: self.audio(given[Modality.AUDIO]),
            Modality.VISION: self.vision(given[Modality.VISION]),
        }
        placed = {m: add_positions(unimodal[m], scale=SCALE) for m in MODALITIES}
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
