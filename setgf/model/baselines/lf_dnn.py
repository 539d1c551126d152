"""LF-DNN: late fusion; one vector a modality, concatenated, through fully connected layers.

Cambria et al., "Benchmarking Multimodal Sentiment Analysis", CICLing 2017, and Williams et al.,
"Recognizing Emotions in Video Using Multimodal DNN Feature Fusion", ACL workshop 2018, as MMSA has
it; our head has the three layers of its fusion part.

Shapes: B batch.
"""

from __future__ import annotations

import torch

from setgf.config import ExperimentConfig
from setgf.data.batch import Batch, DataFacts
from setgf.model.baselines.subnetworks import SubnetworkModel, SubnetworkSizes
from setgf.model.heads import BranchHeads, num_outputs
from setgf.model.output import ModelOutput
from setgf.model.text_encoder import TextEncoder
from setgf.terms import Branch

SIZES = SubnetworkSizes(text_hidden=128, text_out=256, audio=16, vision=128, dropout=0.2)
"""MMSA's for MOSI."""


class LfDnnNetwork(SubnetworkModel):
    """Three subnetworks, concatenation and the head."""

    def __init__(
        self, text_encoder: TextEncoder, config: ExperimentConfig, facts: DataFacts
    ) -> None:
        super().__init__(text_encoder, config, facts, SIZES)
        width = SIZES.text_out + SIZES.audio + SIZES.vision
        self.heads = BranchHeads({Branch.FUSION: width}, config.model, outputs=num_outputs(config))

    def forward(self, batch: Batch) -> ModelOutput:
        """Return the score and the feature of the fusion branch."""
        scores, features = self.heads({Branch.FUSION: torch.cat(self.vectors(batch), -1)})
        return ModelOutput(scores=scores, features=features)
