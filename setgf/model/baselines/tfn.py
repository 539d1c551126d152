"""TFN: all products of one, two and three modalities' features (Zadeh et al., EMNLP 2017).

Section 4.2: Z = [z_t; 1] (x) [z_a; 1] (x) [z_v; 1], the outer product; 4.3: layers on Z, and a
sigmoid that maps the score onto the range of the labels.

Shapes: B batch, D_m width of modality m's vector.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from setgf.config import ExperimentConfig
from setgf.data.batch import Batch, DataFacts
from setgf.model.baselines.subnetworks import SubnetworkModel, SubnetworkSizes
from setgf.model.heads import BranchHeads, num_outputs
from setgf.model.output import ModelOutput
from setgf.model.text_encoder import TextEncoder
from setgf.terms import Branch

SIZES = SubnetworkSizes(text_hidden=128, text_out=32, audio=32, vision=128, dropout=0.3)
"""MMSA's for MOSI: 33 x 33 x 129 products, as many as in the paper."""


class TfnNetwork(SubnetworkModel):
    """Three subnetworks, their outer product and the head; scores stay in the labels' range."""

    def __init__(
        self, text_encoder: TextEncoder, config: ExperimentConfig, facts: DataFacts
    ) -> None:
        super().__init__(text_encoder, config, facts, SIZES)
        self.label_limit = facts.label_limit
        width = (SIZES.text_out + 1) * (SIZES.audio + 1) * (SIZES.vision + 1)
        self.heads = BranchHeads({Branch.FUSION: width}, config.model, outputs=num_outputs(config))

    def forward(self, batch: Batch) -> ModelOutput:
        """Return the score and the feature of the fusion branch."""
        scores, features = self.heads({Branch.FUSION: outer_product(*self.vectors(batch))})
        score = scores[Branch.FUSION]
        if score.ndim > 1:  # logits have no range
            return ModelOutput(scores=scores, features=features)
        # limit * tanh(x / 2) is -limit + 2 * limit * sigmoid(x), written without a difference.
        bounded = self.label_limit * torch.tanh(score / 2)  # (B,)
        return ModelOutput(scores={Branch.FUSION: bounded}, features=features)


def outer_product(text: Tensor, audio: Tensor, vision: Tensor) -> Tensor:
    """Return all products of the entries of [text; 1], [audio; 1] and [vision; 1].

    Args:
        text: (B, D_t).
        audio: (B, D_a).
        vision: (B, D_v).

    Returns:
        (B, (D_t + 1) * (D_a + 1) * (D_v + 1)), the entry of vision changing fastest.
    """
    one, two, three = (with_one(vector) for vector in (text, audio, vision))
    pairs = one[:, :, None] * two[:, None]  # (B, D_t + 1, D_a + 1)
    return (pairs[..., None] * three[:, None, None]).flatten(1)


def with_one(vector: Tensor) -> Tensor:
    """Return vectors (B, D) with a 1 at their end: (B, D + 1)."""
    return F.pad(vector, (0, 1), value=1.0)
