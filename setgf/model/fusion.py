"""TGFM, the text-guided fusion module (`msa.md` 5.3).

Two components bring audio and vision to consistency with text: text-oriented attention, where the
two meet only through text, and text-guided cross-modal mappings, which always have text on one
side.

Shapes: B batch, T steps of a modality, D model width. Letters t, a, v: text, audio, vision.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from setgf.config import ExperimentConfig
from setgf.model.attention import AttentionBlock, AttentionStack, BlockSizes, block_sizes
from setgf.model.sequence import AttentionPooling, Sequence, masked_mean
from setgf.terms import MODALITIES, Modality

Sequences = dict[Modality, Sequence]
"""Sequences (B, T, D) of all three modalities."""
TEXT, AUDIO, VISION = MODALITIES


@dataclass(frozen=True, slots=True, kw_only=True)
class FusedStates:
    """One vector a modality, after the modalities have read each other."""

    vectors: dict[Modality, Tensor]
    """(B, D) float32 by modality."""
    consistency: Tensor | None
    """() float32, or None where consistency is not asked for."""


class TextOrientedAttention(nn.Module):
    """Text-oriented multi-head attention: U_a, audio reading vision as text sees it, and U_v."""

    if TYPE_CHECKING:

        def __call__(self, sequences: Sequences) -> Sequences:
            """Call `forward`."""
            ...

    def __init__(self, sizes: BlockSizes, num_blocks: int, *, text_mediation: bool) -> None:
        super().__init__()
        self.audio_through_text = AttentionBlock(sizes) if text_mediation else None
        self.vision_through_text = AttentionBlock(sizes) if text_mediation else None
        self.audio_reads_vision = AttentionStack(sizes, num_blocks)
        self.vision_reads_audio = AttentionStack(sizes, num_blocks)

    def forward(self, sequences: Sequences) -> Sequences:
        """Return U_a and U_v by the modality whose steps they have."""
        text, audio, vision = (sequences[modality] for modality in MODALITIES)
        # C_a = Block(S_a; S_t) and C_v = Block(S_v; S_t); without mediation S_a and S_v themselves.
        seen_audio = (
            audio if self.audio_through_text is None else self.audio_through_text(audio, text)
        )
        seen_vision = (
            vision if self.vision_through_text is None else self.vision_through_text(vision, text)
        )
        return {
            AUDIO: self.audio_reads_vision(audio, seen_vision),
            VISION: self.vision_reads_audio(vision, seen_audio),
        }


class CrossModalMappings(nn.Module):
    """Cross-modal mappings of the pairs asked for.

    Guided by text: P_ta, P_tv (text reads) and P_at, P_vt (text is read).
    """

    if TYPE_CHECKING:

        def __call__(self, sequences: Sequences) -> dict[Modality, list[Sequence]]:
            """Call `forward`."""
            ...

    def __init__(
        self, sizes: BlockSizes, num_blocks: int, pairs: tuple[tuple[Modality, Modality], ...]
    ) -> None:
        """Make a mapping of each of `pairs`, (reader, source)."""
        super().__init__()
        self.pairs = pairs
        self.mappings = nn.ModuleDict(
            {_pair_name(*pair): AttentionStack(sizes, num_blocks) for pair in self.pairs}
        )

    def forward(self, sequences: Sequences) -> dict[Modality, list[Sequence]]:
        """Return every mapping by the modality whose steps it has."""
        mapped: dict[Modality, list[Sequence]] = {modality: [] for modality in MODALITIES}
        for reader, source in self.pairs:
            mapping = self.mappings[_pair_name(reader, source)]
            mapped[reader].append(mapping(sequences[reader], sequences[source]))
        return mapped


def mapping_pairs(text_as: str) -> tuple[tuple[Modality, Modality], ...]:
    """Return (reader, source) of every cross-modal mapping; `text_as`: `both`, `query` or `key`."""
    as_query = ((TEXT, AUDIO), (TEXT, VISION))
    as_key = ((AUDIO, TEXT), (VISION, TEXT))
    return {"both": as_query + as_key, "query": as_query, "key": as_key}[text_as]


def _pair_name(reader: Modality, source: Modality) -> str:
    return f"{reader.value}_reads_{source.value}"


class ModalityMerge(nn.Module):
    """All readings of one modality merged, then self-attention and attention pooling."""

    if TYPE_CHECKING:

        def __call__(self, plain: Sequence, readings: list[Sequence]) -> Tensor:
            """Call `forward`."""
            ...

    def __init__(self, sizes: BlockSizes, num_readings: int) -> None:
        super().__init__()
        self.merge = (
            nn.Linear(num_readings * sizes.width, sizes.width) if num_readings > 0 else None
        )
        self.self_attention = AttentionBlock(sizes)
        self.pooling = AttentionPooling(sizes.width)

    def forward(self, plain: Sequence, readings: list[Sequence]) -> Tensor:
        """Return z (B, D); a modality that has read nothing stays `plain`."""
        merged = plain
        if self.merge is not None:
            states = torch.cat([reading.states for reading in readings], -1)
            merged = plain.with_states(self.merge(states))  # (B, T, D)
        return self.pooling(self.self_attention(merged, merged))


class TextGate(nn.Module):
    """Text decides, entry by entry, how much of another modality goes into the fusion."""

    if TYPE_CHECKING:

        def __call__(self, text: Tensor, other: Tensor) -> Tensor:
            """Call `forward`."""
            ...

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gate = nn.Linear(2 * width, width)

    def forward(self, text: Tensor, other: Tensor) -> Tensor:
        """Return `other` (B, D) scaled by a gate of both, each (B, D)."""
        return torch.sigmoid(self.gate(torch.cat([text, other], -1))) * other


class TextConsistency(nn.Module):
    """How far audio and vision, each mapped once, point away from text: 1 - cosine."""

    if TYPE_CHECKING:

        def __call__(self, vectors: dict[Modality, Tensor], sequences: Sequences) -> Tensor:
            """Call `forward`."""
            ...

    def __init__(self, width: int) -> None:
        super().__init__()
        self.mappings = nn.ModuleDict(
            {modality.value: nn.Linear(width, width) for modality in (AUDIO, VISION)}
        )

    def forward(self, vectors: dict[Modality, Tensor], sequences: Sequences) -> Tensor:
        """Return () float32, the mean over pairs that are both there, 0 to 2; 0 if none is."""
        # Text is the anchor and must not move towards the others.
        anchor = vectors[TEXT].detach()
        distances: list[Tensor] = []
        present: list[Tensor] = []
        for modality in (AUDIO, VISION):
            mapped = self.mappings[modality.value](vectors[modality])
            distances.append(1 - F.cosine_similarity(mapped, anchor, dim=-1))
            both = sequences[TEXT].is_present & sequences[modality].is_present
            present.append(both.squeeze(-1))
        weights = torch.stack(present).to(anchor)  # (2, B)
        return (torch.stack(distances) * weights).sum() / weights.sum().clamp(min=1)


class TextGuidedFusion(nn.Module):
    """TGFM: attention and mappings guided by text, merged, pooled and gated."""

    if TYPE_CHECKING:

        def __call__(self, sequences: Sequences) -> FusedStates:
            """Call `forward`."""
            ...

    def __init__(self, config: ExperimentConfig) -> None:
        super().__init__()
        ablation, model = config.ablation, config.model
        sizes = block_sizes(model, null_key=ablation.null_key)
        self.attention = (
            TextOrientedAttention(sizes, model.blocks, text_mediation=ablation.text_mediation)
            if ablation.text_oriented_attention
            else None
        )
        self.mappings = (
            CrossModalMappings(sizes, model.blocks, mapping_pairs(ablation.text_as))
            if ablation.cross_modal_mappings
            else None
        )
        counts = self._count_readings()
        self.merges = nn.ModuleDict({m.value: ModalityMerge(sizes, counts[m]) for m in MODALITIES})
        self.gates = (
            nn.ModuleDict({m.value: TextGate(model.width) for m in (AUDIO, VISION)})
            if ablation.text_gate
            else None
        )
        has_consistency = config.loss.consistency_weight > 0
        self.consistency = TextConsistency(model.width) if has_consistency else None

    def forward(self, sequences: Sequences) -> FusedStates:
        """Return z_t, z_a, z_v and their consistency."""
        readings = self._read(sequences)
        vectors: dict[Modality, Tensor] = {
            m: self.merges[m.value](sequences[m], readings[m]) for m in MODALITIES
        }
        if self.gates is not None:
            for modality in (AUDIO, VISION):
                vectors[modality] = self.gates[modality.value](vectors[TEXT], vectors[modality])
        consistency = None if self.consistency is None else self.consistency(vectors, sequences)
        return FusedStates(vectors=vectors, consistency=consistency)

    def _read(self, sequences: Sequences) -> dict[Modality, list[Sequence]]:
        """Return [P, U] of every modality, as far as they are on."""
        readings: dict[Modality, list[Sequence]] = {modality: [] for modality in MODALITIES}
        if self.mappings is not None:
            readings = self.mappings(sequences)
        if self.attention is not None:
            for modality, reading in self.attention(sequences).items():
                readings[modality].append(reading)
        return readings

    def _count_readings(self) -> dict[Modality, int]:
        counts = dict.fromkeys(MODALITIES, 0)
        for reader, _ in self.mappings.pairs if self.mappings is not None else ():
            counts[reader] += 1
        for modality in (AUDIO, VISION) if self.attention is not None else ():
            counts[modality] += 1
        return counts


class MeanFusion(nn.Module):
    """What is left without TGFM: every modality's mean."""

    if TYPE_CHECKING:

        def __call__(self, sequences: Sequences) -> FusedStates:
            """Call `forward`."""
            ...

    def forward(self, sequences: Sequences) -> FusedStates:
        """Return the mean (B, D) of each modality."""
        vectors = {modality: masked_mean(sequences[modality]) for modality in MODALITIES}
        return FusedStates(vectors=vectors, consistency=None)
