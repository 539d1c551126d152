"""SETGF: unimodal representations, text-guided fusion and four heads (`msa.md` 5).

Shapes: B batch, T steps of a modality, D model width, W width of the text encoder.
"""

from __future__ import annotations

import torch

from setgf.config import ExperimentConfig
from setgf.data.batch import Batch, DataFacts
from setgf.model.base import Network
from setgf.model.fusion import MeanFusion, TextGuidedFusion
from setgf.model.heads import BranchHeads, branch_widths
from setgf.model.output import ModelOutput
from setgf.model.sequence import as_sequence
from setgf.model.text_encoder import TextEncoder
from setgf.model.unimodal import UnimodalRepresentation
from setgf.terms import MODALITIES, Branch, Modality


class SetgfNetwork(Network):
    """Text encoder, URLM of each modality, TGFM and the heads.

    Unimodal heads read the representations before fusion, so their labels stay unimodal.
    """

    has_unimodal_tasks = True

    def __init__(
        self, text_encoder: TextEncoder, config: ExperimentConfig, facts: DataFacts
    ) -> None:
        super().__init__(text_encoder, text_dropout=config.text.dropout)
        width, ablation = config.model.width, config.ablation
        self.text = UnimodalRepresentation(text_encoder.width, width, ablation, is_contextual=True)
        self.audio = UnimodalRepresentation(facts.audio_width, width, ablation, is_contextual=False)
        self.vision = UnimodalRepresentation(
            facts.vision_width, width, ablation, is_contextual=False
        )
        self.fusion = TextGuidedFusion(config) if ablation.text_guided_fusion else MeanFusion()
        widths = {
            Branch.FUSION: 3 * width + text_encoder.width,
            Branch.TEXT: text_encoder.width + width,
            Branch.AUDIO: width,
            Branch.VISION: width,
        }
        self.heads = BranchHeads(branch_widths(config, widths), config.model)

    def forward(self, batch: Batch) -> ModelOutput:
        """Return scores and features of all branches that have a head."""
        encoded = self.encode_text(batch)
        unimodal = {
            Modality.TEXT: self.text(as_sequence(encoded.hidden, batch.text_lengths)),
            Modality.AUDIO: self.audio(as_sequence(batch.audio, batch.audio_lengths)),
            Modality.VISION: self.vision(as_sequence(batch.vision, batch.vision_lengths)),
        }
        fused = self.fusion({modality: unimodal[modality].sequence for modality in MODALITIES})
        vectors = [fused.vectors[modality] for modality in MODALITIES]
        scores, features = self.heads(
            {
                Branch.FUSION: torch.cat([*vectors, encoded.pooled], -1),  # (B, 3 * D + W)
                Branch.TEXT: torch.cat(
                    [encoded.pooled, unimodal[Modality.TEXT].summary], -1
                ),  # (B, W + D)
                Branch.AUDIO: unimodal[Modality.AUDIO].summary,
                Branch.VISION: unimodal[Modality.VISION].summary,
            }
        )
        return ModelOutput(scores=scores, features=features, consistency=fused.consistency)
