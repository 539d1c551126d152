"""Text alone: the row every table needs, as text carries most of the sentiment (`msa.md` 5.6).

Shapes: B batch, W width of the text encoder.
"""

from __future__ import annotations

from setgf.config import ExperimentConfig
from setgf.data.batch import Batch, DataFacts
from setgf.model.base import Network
from setgf.model.heads import BranchHeads, num_outputs
from setgf.model.output import ModelOutput
from setgf.model.text_encoder import TextEncoder
from setgf.terms import Branch, Modality


class TextOnlyNetwork(Network):
    """The pooled text vector and one head; its score is the fusion score."""

    needs = frozenset({Modality.TEXT})

    def __init__(
        self, text_encoder: TextEncoder, config: ExperimentConfig, _facts: DataFacts
    ) -> None:
        super().__init__(text_encoder, text_dropout=config.text.dropout)
        self.heads = BranchHeads(
            {Branch.FUSION: text_encoder.width}, config.model, outputs=num_outputs(config)
        )

    def forward(self, batch: Batch) -> ModelOutput:
        """Return the score and the feature of the fusion branch."""
        scores, features = self.heads(
            {Branch.FUSION: self.encode_text(batch, only_pooled=True).pooled}
        )
        return ModelOutput(scores=scores, features=features)
