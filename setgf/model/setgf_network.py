"""SETGF: unimodal representations, text-guided fusion and four heads (`msa.md` 5).

Shapes: B batch, T steps of a modality, D model width, W width of the text encoder.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from setgf.config import ExperimentConfig
from setgf.data.batch import Batch, DataFacts
from setgf.model.base import Network
from setgf.model.fusion import MeanFusion, TextGuidedFusion
from setgf.model.heads import BranchHeads, branch_widths, num_outputs
from setgf.model.output import ModelOutput
from setgf.model.sequence import as_sequence
from setgf.model.text_encoder import TextEncoder, TextStates
from setgf.model.unimodal import UnimodalRepresentation
from setgf.terms import MODALITIES, Branch, Modality

GROUP_SIZE = 32
"""Most samples that are padded to the same length on the CPU."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Vectors:
    """What is known of some samples before the heads."""

    vectors: dict[Branch, Tensor]
    """What each head reads."""
    consistency: Tensor | None
    """() float32. Mean over the pairs of modalities that are there."""
    num_pairs: int
    """How many there are."""


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
        self.heads = BranchHeads(
            branch_widths(config, widths), config.model, outputs=num_outputs(config)
        )

    def forward(self, batch: Batch) -> ModelOutput:
        """Return scores and features of all branches that have a head."""
        encoded = self.encode_text(batch)
        groups = similar_lengths(batch)
        if len(groups) == 1:
            parts = [self._read(encoded, batch)]
        else:
            parts = [self._read(encoded.part(rows, batch), batch.part(rows)) for rows in groups]
        vectors = _join([part.vectors for part in parts], groups)
        scores, features = self.heads(vectors)
        return ModelOutput(scores=scores, features=features, consistency=_mean(parts))

    def _read(self, encoded: TextStates, batch: Batch) -> _Vectors:
        """Return what the heads read of some samples."""
        unimodal = {
            Modality.TEXT: self.text(as_sequence(encoded.hidden, batch.text_lengths)),
            Modality.AUDIO: self.audio(as_sequence(batch.audio, batch.audio_lengths)),
            Modality.VISION: self.vision(as_sequence(batch.vision, batch.vision_lengths)),
        }
        fused = self.fusion({modality: unimodal[modality].sequence for modality in MODALITIES})
        vectors = [fused.vectors[modality] for modality in MODALITIES]
        return _Vectors(
            vectors={
                Branch.FUSION: torch.cat([*vectors, encoded.pooled], -1),  # (B, 3 * D + W)
                Branch.TEXT: torch.cat(
                    [encoded.pooled, unimodal[Modality.TEXT].summary], -1
                ),  # (B, W + D)
                Branch.AUDIO: unimodal[Modality.AUDIO].summary,
                Branch.VISION: unimodal[Modality.VISION].summary,
            },
            consistency=fused.consistency,
            num_pairs=_count_pairs(batch),
        )


def similar_lengths(batch: Batch) -> list[Tensor]:
    """Return the rows (n,) of the batch in groups of similar length: each has its own padding.

    On a GPU all are one group: a few large products take it less time than many small ones.
    """
    if batch.index.device.type != "cpu" or batch.size <= GROUP_SIZE:
        return [torch.arange(batch.size)]
    steps = batch.text_lengths + batch.audio_lengths + batch.vision_lengths
    return list(steps.argsort(stable=True).tensor_split(math.ceil(batch.size / GROUP_SIZE)))


def _join(
    parts: Sequence[Mapping[Branch, Tensor]], groups: Sequence[Tensor]
) -> dict[Branch, Tensor]:
    """Return what all groups have by branch (B, ..), in the order of the batch."""
    if len(parts) == 1:
        return dict(parts[0])
    back = torch.cat(list(groups)).argsort()
    return {branch: torch.cat([part[branch] for part in parts])[back] for branch in parts[0]}


def _mean(parts: Sequence[_Vectors]) -> Tensor | None:
    """Return the consistency () of all groups: the mean over pairs of modalities that are there."""
    found = [part.consistency * part.num_pairs for part in parts if part.consistency is not None]
    if len(parts) == 1 or not found:
        return parts[0].consistency
    return torch.stack(found).sum() / max(sum(part.num_pairs for part in parts), 1)


def _count_pairs(batch: Batch) -> int:
    """Return how often text is there together with audio or with vision."""
    has_text = batch.text_lengths > 0
    others = (batch.audio_lengths > 0).int() + (batch.vision_lengths > 0).int()
    return int((has_text * others).sum())
