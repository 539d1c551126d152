"""Encoders of many families, as folders a user would have: all small and random."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

from setgf.config import TextConfig
from setgf.errors import EncoderError
from setgf.model.text_encoder import TextEncoder, load_text_encoder
from tests.model.builders import Batch, make_batch, take, with_garbage

SMALL: dict[str, Any] = {
    "vocab_size": 30000,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "max_position_embeddings": 40,
}
RELATIVE: dict[str, Any] = {
    **SMALL,
    "relative_attention": True,
    "max_relative_positions": -1,
    "position_biased_input": False,
    "pos_att_type": ["p2c", "c2p"],
    "type_vocab_size": 0,
}
DEBERTA_V3 = {
    **RELATIVE,
    "position_buckets": 4,
    "share_att_key": True,
    "norm_rel_ebd": "layer_norm",
}
FAMILIES: dict[str, dict[str, Any]] = {
    "Bert": SMALL,
    "Roberta": SMALL,
    "XLMRoberta": SMALL,
    "Camembert": SMALL,
    "Deberta": RELATIVE,
    "DebertaV2": DEBERTA_V3,
    "DebertaV2 xlarge": {**DEBERTA_V3, "conv_kernel_size": 3, "conv_act": "gelu"},
    "Electra": {**SMALL, "embedding_size": 8},
    "Albert": {**SMALL, "embedding_size": 8},
    "DistilBert": {
        "vocab_size": 30000,
        "dim": 16,
        "n_layers": 2,
        "n_heads": 2,
        "hidden_dim": 32,
        "max_position_embeddings": 40,
    },
    "MPNet": SMALL,
    "Ernie": SMALL,
    "ModernBert": {
        **SMALL,
        "pad_token_id": 0,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "cls_token_id": 1,
        "sep_token_id": 2,
    },
}
BATCH = make_batch((4, 7, 2, 0), (1,) * 4, (1,) * 4)


def save(family: str, settings: dict[str, Any], folder: Path) -> Path:
    transformers.logging.disable_progress_bar()
    name = family.split()[0]
    config = getattr(transformers, f"{name}Config")(**settings)
    getattr(transformers, f"{name}Model")(config).save_pretrained(folder)
    return folder


@pytest.fixture(params=FAMILIES)
def family_folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return save(request.param, FAMILIES[request.param], tmp_path)


def load(folder: Path, **options: Any) -> TextEncoder:
    return load_text_encoder(TextConfig(encoder=str(folder), **options), seed=0).eval()


def encode(encoder: TextEncoder, batch: Batch) -> Any:
    return encoder(batch.tokens, batch.segments, batch.text_lengths)


def test_an_encoder_of_any_family_reads_real_pieces_only_and_learns(family_folder: Path) -> None:
    encoder = load(family_folder, pooling="mean")

    states = encode(encoder, BATCH)
    with torch.no_grad():
        padded = encode(encoder, with_garbage(BATCH, 6))
        alone = encode(encoder, take(BATCH, [2]))
    (states.hidden.square().sum() + states.pooled.sum()).backward()

    close: Any = {"atol": 1e-5, "rtol": 0}
    assert states.hidden.shape == (4, 7, 16)
    torch.testing.assert_close(padded.hidden[:, :7], states.hidden.detach(), **close)
    torch.testing.assert_close(padded.pooled, states.pooled.detach(), **close)
    torch.testing.assert_close(alone.pooled, states.pooled[2:3].detach(), **close)
    without = [name for name, p in encoder.named_parameters() if p.grad is None]
    assert without == []


def test_an_encoder_of_any_family_reads_as_many_pieces_as_it_has_positions(
    family_folder: Path,
) -> None:
    encoder = load(family_folder)
    tokens = torch.full((1, encoder.max_tokens), 7)

    assert encoder.max_tokens in (38, 40)
    assert encode_all(encoder, tokens).isfinite().all()


def encode_all(encoder: TextEncoder, tokens: torch.Tensor) -> torch.Tensor:
    lengths = torch.full((len(tokens),), tokens.shape[1])
    with torch.no_grad():
        return encoder(tokens, torch.zeros_like(tokens), lengths).hidden


@pytest.mark.parametrize(
    ("family", "settings", "fault"),
    [
        ("GPT2", {"n_embd": 16, "n_layer": 1, "n_head": 2}, "does not read a text from both sides"),
        (
            "Bart",
            {
                "d_model": 16,
                "encoder_layers": 1,
                "decoder_layers": 1,
                "encoder_attention_heads": 2,
                "decoder_attention_heads": 2,
            },
            "does not read a text from both sides",
        ),
        ("ConvBert", {**SMALL, "embedding_size": 16}, "reads padding"),
    ],
)
def test_a_model_that_is_no_encoder_like_bert_is_refused(
    tmp_path: Path, family: str, settings: dict[str, Any], fault: str
) -> None:
    folder = save(family, {**settings, "vocab_size": 100}, tmp_path)

    with pytest.raises(EncoderError, match=f"`{family.lower()}`, which {fault}.*Use `minilm`"):
        load(folder)
