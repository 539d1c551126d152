from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import torch

from setgf.model.attention import BlockSizes
from setgf.model.fusion import (
    CrossModalMappings,
    MeanFusion,
    Sequences,
    TextConsistency,
    TextGate,
    TextGuidedFusion,
    TextOrientedAttention,
    mapping_pairs,
)
from setgf.model.sequence import as_sequence, masked_mean
from setgf.terms import MODALITIES, Modality
from tests.model.builders import small_config

TEXT, AUDIO, VISION = MODALITIES
SIZES = BlockSizes(width=8, heads=2, attention_dropout=0, feedforward_dropout=0, null_key=True)


def sequences(
    text: tuple[int, int] = (3, 2),
    audio: tuple[int, int] = (4, 1),
    vision: tuple[int, int] = (2, 5),
) -> Sequences:
    source = torch.Generator().manual_seed(2)
    return {
        modality: as_sequence(
            torch.randn(2, max(lengths), 8, generator=source), torch.tensor(lengths)
        )
        for modality, lengths in zip(MODALITIES, (text, audio, vision), strict=True)
    }


def fusion(settings: Mapping[str, Any] | None = None) -> TextGuidedFusion:
    return TextGuidedFusion(small_config({"model.width": 8, **(settings or {})})).eval()


@torch.no_grad()
def test_audio_and_vision_meet_only_through_text() -> None:
    attention = TextOrientedAttention(SIZES, 2, text_mediation=True).eval()
    given = sequences()

    read = attention(given)

    assert attention.vision_through_text is not None
    seen = attention.vision_through_text(given[VISION], given[TEXT])
    expected = attention.audio_reads_vision(given[AUDIO], seen)
    torch.testing.assert_close(read[AUDIO].states, expected.states)
    assert read[VISION].states.shape == (2, 5, 8)


@torch.no_grad()
def test_without_mediation_they_read_each_other_as_they_are() -> None:
    attention = TextOrientedAttention(SIZES, 2, text_mediation=False).eval()
    given = sequences()

    read = attention(given)

    expected = attention.vision_reads_audio(given[VISION], given[AUDIO])
    torch.testing.assert_close(read[VISION].states, expected.states)


@pytest.mark.parametrize(
    ("text_as", "pairs"),
    [
        ("both", {(TEXT, AUDIO), (TEXT, VISION), (AUDIO, TEXT), (VISION, TEXT)}),
        ("query", {(TEXT, AUDIO), (TEXT, VISION)}),
        ("key", {(AUDIO, TEXT), (VISION, TEXT)}),
    ],
)
def test_text_is_on_one_side_of_every_mapping(
    text_as: str, pairs: set[tuple[Modality, Modality]]
) -> None:
    mappings = CrossModalMappings(SIZES, 1, mapping_pairs(text_as))

    mapped = mappings(sequences())

    assert set(mapping_pairs(text_as)) == pairs
    assert len(mappings.mappings) == len(pairs)
    for modality in MODALITIES:
        assert len(mapped[modality]) == sum(reader is modality for reader, _ in pairs)


@torch.no_grad()
def test_the_gate_scales_between_nothing_and_everything() -> None:
    gate = TextGate(8)
    text, other = torch.randn(2, 8), torch.randn(2, 8)

    ratio = gate(text, other) / other

    assert ((ratio > 0) & (ratio < 1)).all()


def test_consistency_is_one_minus_the_cosine_and_leaves_text_alone() -> None:
    part = TextConsistency(8)
    vectors = {m: torch.randn(2, 8, requires_grad=True) for m in MODALITIES}

    loss = part(vectors, sequences())
    loss.backward()

    cosines = [
        torch.cosine_similarity(part.mappings[m.value](vectors[m]), vectors[TEXT])
        for m in (AUDIO, VISION)
    ]
    torch.testing.assert_close(loss, 1 - torch.stack(cosines).mean())
    assert vectors[TEXT].grad is None
    assert vectors[AUDIO].grad is not None


def test_consistency_counts_only_pairs_that_are_both_there() -> None:
    part = TextConsistency(8)
    vectors = {m: torch.randn(2, 8) for m in MODALITIES}

    some = part(vectors, sequences(text=(3, 0), vision=(0, 5)))
    none = part(vectors, sequences(text=(0, 0)))

    audio = part.mappings["audio"](vectors[AUDIO])
    expected = 1 - torch.cosine_similarity(audio, vectors[TEXT])[0]
    torch.testing.assert_close(some, expected)
    assert none.item() == 0


@torch.no_grad()
def test_without_gate_or_readings_text_attends_to_itself_alone() -> None:
    module = fusion({"text_gate": False, "cross_modal_mappings": False})
    given = sequences()

    fused = module(given)

    merge: Any = module.merges["text"]
    assert merge.merge is None
    expected = merge.pooling(merge.self_attention(given[TEXT], given[TEXT]))
    torch.testing.assert_close(fused.vectors[TEXT], expected)


@torch.no_grad()
def test_a_modality_left_out_gives_a_zero_vector_and_the_others_stay_finite() -> None:
    fused = fusion()(sequences(audio=(0, 0)))

    assert fused.vectors[AUDIO].eq(0).all()
    assert fused.vectors[TEXT].isfinite().all()
    assert fused.consistency is not None
    assert fused.consistency.isfinite()


def test_the_whole_module_has_the_size_of_the_design() -> None:
    module = TextGuidedFusion(small_config({"model.width": 128, "model.heads": 8}))

    # msa.md 5.3: 3.5 M at width 128.
    assert sum(p.numel() for p in module.parameters()) == pytest.approx(3.5e6, rel=0.03)


def test_mean_fusion_has_no_weights() -> None:
    given = sequences()

    fused = MeanFusion()(given)

    assert list(MeanFusion().parameters()) == []
    torch.testing.assert_close(fused.vectors[AUDIO], masked_mean(given[AUDIO]))
    assert fused.consistency is None
