"""Self-MM: late fusion by concatenation, with self-supervised unimodal labels (`msa.md` 3.2).

Shapes: B batch, T steps, F feature width, W width of the text encoder.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from setgf.config import ExperimentConfig
from setgf.data.batch import Batch, DataFacts
from setgf.model.base import Network
from setgf.model.heads import BranchHeads, branch_widths, num_outputs
from setgf.model.output import ModelOutput
from setgf.model.sequence import Sequence, as_sequence, last_hidden
from setgf.model.text_encoder import TextEncoder
from setgf.terms import Branch

AUDIO_OUT = 16
VISION_OUT = 32
"""Output widths of the two subnetworks; the same on every data set in the published settings."""


class RecurrentSubnetwork(nn.Module):
    """One-layer LSTM over real frames: its last hidden state, projected (AuViSubNet)."""

    if TYPE_CHECKING:

        def __call__(self, sequence: Sequence) -> Tensor:
            """Call `forward`."""
            ...

    def __init__(self, feature_width: int, hidden_width: int, out_width: int) -> None:
        super().__init__()
        # The reference has dropout before the projection, and it is 0 in every published setting.
        self.lstm = nn.LSTM(feature_width, hidden_width, batch_first=True)
        self.project = nn.Linear(hidden_width, out_width)

    def forward(self, sequence: Sequence) -> Tensor:
        """Return (B, out width) of frames (B, T, F); a sample without frames has hidden state 0."""
        return self.project(last_hidden(self.lstm, sequence))


class SelfMmNetwork(Network):
    """Text vector, two recurrent subnetworks, concatenation and the heads.

    The reference reads the first piece and never applies its text dropout: `text.pooling=first`
    and `text.dropout=0` are its settings.
    """

    has_unimodal_tasks = True

    def __init__(
        self, text_encoder: TextEncoder, config: ExperimentConfig, facts: DataFacts
    ) -> None:
        super().__init__(text_encoder, text_dropout=config.text.dropout)
        model = config.model
        self.audio = RecurrentSubnetwork(facts.audio_width, model.audio_hidden, AUDIO_OUT)
        self.vision = RecurrentSubnetwork(facts.vision_width, model.vision_hidden, VISION_OUT)
        widths = {
            Branch.FUSION: text_encoder.width + AUDIO_OUT + VISION_OUT,
            Branch.TEXT: text_encoder.width,
            Branch.AUDIO: AUDIO_OUT,
            Branch.VISION: VISION_OUT,
        }
        self.heads = BranchHeads(
            branch_widths(config, widths), config.model, outputs=num_outputs(config)
        )

    def forward(self, batch: Batch) -> ModelOutput:
        """Return scores and features of all branches that have a head."""
        text = self.encode_text(batch, only_pooled=True).pooled
        audio = self.audio(as_sequence(batch.audio, batch.audio_lengths))
        vision = self.vision(as_sequence(batch.vision, batch.vision_lengths))
        scores, features = self.heads(
            {
                Branch.FUSION: torch.cat([text, audio, vision], -1),
                Branch.TEXT: text,
                Branch.AUDIO: audio,
                Branch.VISION: vision,
            }
        )
        return ModelOutput(scores=scores, features=features)
