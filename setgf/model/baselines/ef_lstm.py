"""EF-LSTM: early fusion; aligned features of all modalities, step by step, through one LSTM.

Williams et al., "Recognizing Emotions in Video Using Multimodal DNN Feature Fusion", ACL workshop
2018, as MMSA has it, but for its batch normalisation over steps: `data.normalise` takes its place.

Shapes: B batch, T word pieces, W width of the text encoder, F_m feature width of modality m.
"""

from __future__ import annotations

import torch
from torch import nn

from setgf.config import ExperimentConfig
from setgf.data.batch import Batch, DataFacts
from setgf.model.align import align
from setgf.model.base import Network
from setgf.model.heads import BranchHeads, num_outputs
from setgf.model.output import ModelOutput
from setgf.model.sequence import as_sequence, last_hidden
from setgf.model.text_encoder import TextEncoder
from setgf.terms import Branch

HIDDEN = 256
NUM_LAYERS = 2
DROPOUT = 0.4
"""Hidden units, layers, and dropout between them: MMSA's for MOSEI.

The four layers it has for MOSI do not learn eight samples by heart in 300 steps.
"""


class EfLstmNetwork(Network):
    """Audio and vision averaged over as many windows as the text has pieces, then one LSTM.

    A sample without text is read at the steps of its longer other modality.
    """

    def __init__(
        self, text_encoder: TextEncoder, config: ExperimentConfig, facts: DataFacts
    ) -> None:
        super().__init__(text_encoder, text_dropout=config.text.dropout)
        width = text_encoder.width + facts.audio_width + facts.vision_width
        self.lstm = nn.LSTM(width, HIDDEN, NUM_LAYERS, dropout=DROPOUT, batch_first=True)
        self.heads = BranchHeads({Branch.FUSION: HIDDEN}, config.model, outputs=num_outputs(config))

    def forward(self, batch: Batch) -> ModelOutput:
        """Return the score and the feature of the fusion branch."""
        longest = batch.audio_lengths.maximum(batch.vision_lengths)
        steps = batch.text_lengths.where(batch.text_lengths > 0, longest)  # (B,)
        parts = [align(part, steps).states for part in self.sequences(batch).values()]
        joined = as_sequence(torch.cat(parts, -1), steps)  # (B, T, W + F_audio + F_vision)
        scores, features = self.heads({Branch.FUSION: last_hidden(self.lstm, joined)})
        return ModelOutput(scores=scores, features=features)
