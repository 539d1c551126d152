"""LMF: TFN's tensor product with weights of low rank, so that it is never written out.

Liu et al., "Efficient Low-rank Multimodal Fusion with Modality-Specific Factors", ACL 2018,
section 3: W = sum over ranks i of w_t(i) (x) w_a(i) (x) w_v(i), hence

  h = sum_i u_i (w_t(i) [z_t; 1]) * (w_a(i) [z_a; 1]) * (w_v(i) [z_v; 1]) + b

with the learnt weights u_i of the published code in place of a plain sum. There h is the score
itself; here it is a vector, which the head all models share reads.

Shapes: B batch, R rank, D_m width of modality m's vector, D_h width of h.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from setgf.config import ExperimentConfig
from setgf.data.batch import Batch, DataFacts
from setgf.model.baselines.subnetworks import SubnetworkModel, SubnetworkSizes
from setgf.model.baselines.tfn import with_one
from setgf.model.heads import BranchHeads, num_outputs
from setgf.model.output import ModelOutput
from setgf.model.text_encoder import TextEncoder
from setgf.terms import Branch

SIZES = SubnetworkSizes(text_hidden=128, text_out=64, audio=16, vision=128, dropout=0.3)
RANK = 3
"""Both MMSA's for MOSI."""


class LowRankFusion(nn.Module):
    """The outer product of vectors with a 1 at their end, times a tensor of low rank."""

    if TYPE_CHECKING:

        def __call__(self, *vectors: Tensor) -> Tensor:
            """Call `forward`."""
            ...

    def __init__(self, widths: tuple[int, ...], out_width: int, *, rank: int) -> None:
        super().__init__()
        self.factors = nn.ParameterList(
            nn.Parameter(torch.empty(rank, width + 1, out_width)) for width in widths
        )  # (R, D_m + 1, D_h) each
        self.weights = nn.Parameter(torch.full((rank,), rank**-0.5))
        self.bias = nn.Parameter(torch.zeros(out_width))
        for factor in self.factors:
            for part in factor:
                nn.init.xavier_normal_(part)

    def forward(self, *vectors: Tensor) -> Tensor:
        """Return h (B, D_h) of vectors (B, D_m), one for every width."""
        product = self.weights[None, :, None]  # (1, R, 1)
        for vector, factor in zip(vectors, self.factors, strict=True):
            product = product * torch.einsum("bd,rdh->brh", with_one(vector), factor)
        return product.sum(1) + self.bias


class LmfNetwork(SubnetworkModel):
    """Three subnetworks, low-rank fusion and the head."""

    def __init__(
        self, text_encoder: TextEncoder, config: ExperimentConfig, facts: DataFacts
    ) -> None:
        super().__init__(text_encoder, config, facts, SIZES)
        widths = (SIZES.text_out, SIZES.audio, SIZES.vision)
        self.fusion = LowRankFusion(widths, config.model.fusion_width, rank=RANK)
        self.heads = BranchHeads(
            {Branch.FUSION: config.model.fusion_width}, config.model, outputs=num_outputs(config)
        )

    def forward(self, batch: Batch) -> ModelOutput:
        """Return the score and the feature of the fusion branch."""
        scores, features = self.heads({Branch.FUSION: self.fusion(*self.vectors(batch))})
        return ModelOutput(scores=scores, features=features)
