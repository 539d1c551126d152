from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer
from torch import Tensor

from setgf.config import TextConfig
from setgf.errors import EncoderError
from setgf.model.text_encoder import TextEncoder, encoder_folder, load_text_encoder
from tests.model.builders import make_batch, needs_minilm

TINY = TextConfig(encoder="tiny")
FROZEN = TextConfig(encoder="tiny", finetune=False)
BATCH = make_batch((4, 7, 2, 0), (1,) * 4, (1,) * 4)
LOVE = "I really love this movie, it is wonderful."
FANTASTIC = "This film is fantastic, I enjoyed every minute."
STOCKS = "The stock market fell sharply on Monday."


def encode(encoder: TextEncoder, rows: list[int] | None = None, **options: Any):
    rows = rows or [0, 1, 2, 3]
    return encoder(BATCH.tokens[rows], BATCH.segments[rows], BATCH.text_lengths[rows], **options)


def count_calls(encoder: TextEncoder) -> list[int]:
    """Word pieces of the transformer's runs, as they happen."""
    sizes: list[int] = []

    def note(_module: Any, _args: Any, inputs: dict[str, Tensor]) -> None:
        sizes.append(inputs["input_ids"].numel())

    bert: Any = encoder.transformer
    bert.embeddings.register_forward_pre_hook(note, with_kwargs=True)
    return sizes


def embed(encoder: TextEncoder, texts: list[str]) -> Tensor:
    assert encoder.tokenizer_folder is not None
    tokenizer = Tokenizer.from_file(str(encoder.tokenizer_folder / "tokenizer.json"))
    tokenizer.no_padding()
    pieces = [tokenizer.encode(text).ids for text in texts]
    lengths = torch.tensor([len(ids) for ids in pieces])
    tokens = torch.zeros(len(texts), int(lengths.max()), dtype=torch.int64)
    for row, ids in enumerate(pieces):
        tokens[row, : len(ids)] = torch.tensor(ids)
    with torch.no_grad():
        return encoder.eval()(tokens, torch.zeros_like(tokens), lengths).pooled


@needs_minilm
def test_minilm_has_real_weights_that_know_what_sentences_mean() -> None:
    encoder = load_text_encoder(TextConfig(encoder="minilm"), seed=0)

    love, fantastic, stocks = embed(encoder, [LOVE, FANTASTIC, STOCKS])

    near = torch.cosine_similarity(love, fantastic, dim=0).item()
    far = torch.cosine_similarity(love, stocks, dim=0).item()
    assert encoder.width == 384
    assert encoder.pooling == "mean"
    assert near > 0.6
    assert far < 0.2
    assert {p.dtype for p in encoder.parameters()} == {torch.float32}


@needs_minilm
def test_minilm_pools_as_it_is_told() -> None:
    mean = load_text_encoder(TextConfig(encoder="minilm", pooling="mean"), seed=0)
    first = load_text_encoder(TextConfig(encoder="minilm", pooling="first"), seed=0)

    assert embed(mean, [LOVE]).equal(
        embed(load_text_encoder(TextConfig(encoder="minilm"), seed=0), [LOVE])
    )
    assert not embed(first, [LOVE]).equal(embed(mean, [LOVE]))


@torch.no_grad()
def test_pooling_takes_the_first_piece_or_the_mean_of_real_ones() -> None:
    first = load_text_encoder(TINY, seed=0).eval()
    mean = load_text_encoder(TextConfig(encoder="tiny", pooling="mean"), seed=0).eval()

    states = encode(first)

    torch.testing.assert_close(states.pooled, states.hidden[:, 0])
    expected = states.hidden[2, :2].mean(0)
    torch.testing.assert_close(encode(mean).pooled[2], expected)


@torch.no_grad()
def test_a_transcript_without_a_word_piece_is_zero() -> None:
    encoder = load_text_encoder(TINY, seed=0).eval()

    states = encode(encoder)

    assert states.hidden[3].eq(0).all()
    assert states.pooled[3].eq(0).all()
    assert states.hidden[2, 2:].eq(0).all()
    assert states.hidden.isfinite().all()


def test_no_transcript_at_all_runs_no_transformer() -> None:
    encoder = load_text_encoder(TINY, seed=0)
    sizes = count_calls(encoder)

    states = encode(encoder, [3, 3])

    assert sizes == []
    assert states.hidden.eq(0).all()
    assert states.pooled.shape == (2, 64)


def test_tiny_is_the_same_for_a_seed_and_takes_any_word_piece() -> None:
    one, again, other = (load_text_encoder(TINY, seed=seed).eval() for seed in (1, 1, 2))
    tokens = torch.tensor([[0, 101, 21127, 30521, 250000]])
    inputs = (tokens, torch.zeros_like(tokens), torch.tensor([5]))

    assert one(*inputs).pooled.equal(again(*inputs).pooled)
    assert not one(*inputs).pooled.equal(other(*inputs).pooled)
    assert one.tokenizer_folder is None


def test_loading_leaves_the_random_state_alone() -> None:
    torch.manual_seed(4)
    expected = torch.rand(3)
    torch.manual_seed(4)

    load_text_encoder(TINY, seed=9)

    assert torch.rand(3).equal(expected)


def test_a_transcript_longer_than_the_encoder_reads_is_refused() -> None:
    encoder = load_text_encoder(TINY, seed=0)
    tokens = torch.zeros(1, 513, dtype=torch.int64)

    with pytest.raises(EncoderError, match=r"513 word pieces.*at most 512.*`data\.max_tokens`"):
        encoder(tokens, tokens, torch.tensor([513]))


@needs_minilm
def test_word_pieces_of_another_vocabulary_are_refused() -> None:
    encoder = load_text_encoder(TextConfig(encoder="minilm"), seed=0)
    tokens = torch.tensor([[101, 90000]])

    with pytest.raises(EncoderError, match=r"id 90000, but the text encoder knows 30522"):
        encoder(tokens, torch.zeros_like(tokens), torch.tensor([2]))


def test_a_frozen_encoder_has_no_dropout_and_no_gradient_even_in_training() -> None:
    encoder = load_text_encoder(FROZEN, seed=0).train()

    states = encode(encoder)

    assert not encoder.transformer.training
    assert not states.hidden.requires_grad
    assert encode(encoder).hidden.equal(states.hidden)
    assert not any(parameter.requires_grad for parameter in encoder.parameters())


def test_a_trained_encoder_has_dropout_and_gradients() -> None:
    encoder = load_text_encoder(TINY, seed=0).train()

    assert not encode(encoder).hidden.equal(encode(encoder).hidden)
    assert encode(encoder).hidden.requires_grad


def test_a_frozen_encoder_encodes_a_sample_once_a_split() -> None:
    encoder = load_text_encoder(FROZEN, seed=0)
    plain = encode(encoder)
    sizes = count_calls(encoder)
    encoder.use_cache("train")

    first = encode(encoder, index=torch.tensor([10, 11, 12, 13]))
    again = encode(encoder, [2, 0], index=torch.tensor([12, 10]))
    seen_in_train = len(sizes)
    encoder.use_cache("valid")
    encode(encoder, [0], index=torch.tensor([10]))

    torch.testing.assert_close(first.hidden, plain.hidden, atol=1e-5, rtol=0)
    torch.testing.assert_close(first.pooled, plain.pooled, atol=1e-5, rtol=0)
    assert again.pooled.equal(first.pooled[[2, 0]])
    assert again.hidden.equal(first.hidden[[2, 0], :4])
    assert seen_in_train == 3
    assert len(sizes) == 4


def test_kept_states_do_not_depend_on_the_batch_they_were_first_seen_in() -> None:
    one, other = load_text_encoder(FROZEN, seed=0), load_text_encoder(FROZEN, seed=0)
    one.use_cache("train")
    other.use_cache("train")

    together = encode(one, index=torch.arange(4))
    for row in (2, 1, 0):
        alone = encode(other, [row], index=torch.tensor([row]))
        assert alone.pooled[0].equal(together.pooled[row])


def test_without_a_split_nothing_is_kept() -> None:
    encoder = load_text_encoder(FROZEN, seed=0)
    sizes = count_calls(encoder)

    for _ in range(2):
        encode(encoder, index=torch.arange(4))

    assert sizes == [13, 13]


def test_a_trained_encoder_keeps_nothing_and_its_weights_are_in_its_state() -> None:
    encoder = load_text_encoder(TINY, seed=0)
    sizes = count_calls(encoder)
    encoder.use_cache("train")

    for _ in range(2):
        encode(encoder, index=torch.arange(4))

    assert sizes == [13, 13]
    assert any(name.startswith("transformer.") for name in encoder.state_dict())


def test_loading_prints_nothing(capfd: pytest.CaptureFixture[str], tiny_folder: Path) -> None:
    load_text_encoder(TextConfig(encoder=str(tiny_folder)), seed=0)

    assert capfd.readouterr() == ("", "")


def test_a_folder_is_its_own_tokenizer_folder(tiny_folder: Path) -> None:
    encoder = load_text_encoder(TextConfig(encoder=str(tiny_folder)), seed=0)

    assert encoder.tokenizer_folder == tiny_folder == encoder_folder(str(tiny_folder))
    assert encoder.pooling == "first"
