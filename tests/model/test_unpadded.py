from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from transformers import (
    BertConfig,
    BertModel,
    DistilBertConfig,
    DistilBertModel,
    RobertaConfig,
    RobertaModel,
)

from setgf.config import TextConfig
from setgf.model.text_encoder import TextEncoder, load_text_encoder
from setgf.model.unpadded import GROUPS, can_unpad, encode_unpadded

SIZES: dict[str, Any] = {
    "vocab_size": 300,
    "hidden_size": 64,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "intermediate_size": 96,
    "hidden_dropout_prob": 0.0,
    "attention_probs_dropout_prob": 0.0,
}
FAMILIES: dict[str, tuple[Any, Any]] = {
    "bert": (BertModel, BertConfig),
    "roberta": (RobertaModel, RobertaConfig),
}
TOLERANCE = 1e-5
LENGTHS = torch.tensor([12, 3, 0, 5, 12, 7, 1])
SOURCE = torch.Generator().manual_seed(1)
TOKENS = torch.randint(5, 300, (7, 12), generator=SOURCE)
REAL = torch.arange(12) < LENGTHS[:, None]
COTANGENTS = torch.randn(7, 12, 64, generator=SOURCE) / 64


def make(family: str, **sizes: Any) -> nn.Module:
    kind, settings = FAMILIES[family]
    torch.manual_seed(5)
    return kind(settings(**(SIZES | sizes)), add_pooling_layer=False).train()


def encoder_of(transformer: nn.Module, *, unpads: bool, pooling: Any = "mean") -> TextEncoder:
    encoder = TextEncoder(transformer, pooling=pooling, tokenizer_folder=None)
    encoder.unpads = unpads
    return encoder


def states_and_gradients(
    encoder: TextEncoder, part: str, **options: Any
) -> tuple[Tensor, dict[str, Tensor]]:
    """What is read of an encoder, and the gradients of all its weights."""
    encoder.zero_grad()
    states = encoder(TOKENS, torch.zeros_like(TOKENS), LENGTHS, **options)
    read: Tensor = getattr(states, part)
    (read * (COTANGENTS if part == "hidden" else COTANGENTS[:, 0])).sum().backward()
    found = {
        name: torch.zeros_like(weight) if weight.grad is None else weight.grad.clone()
        for name, weight in encoder.named_parameters()
    }
    return read.detach(), found


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(
    ("part", "pooling", "only_pooled"),
    [("hidden", "mean", False), ("pooled", "mean", True), ("pooled", "first", True)],
)
def test_states_and_gradients_are_those_of_the_plain_module(
    family: str, part: str, pooling: str, only_pooled: bool
) -> None:
    transformer = make(family)

    plain, expected = states_and_gradients(
        encoder_of(transformer, unpads=False, pooling=pooling), part
    )
    states, gradients = states_and_gradients(
        encoder_of(transformer, unpads=True, pooling=pooling), part, only_pooled=only_pooled
    )

    torch.testing.assert_close(states, plain, atol=TOLERANCE, rtol=0)
    assert gradients.keys() == expected.keys()
    for name, gradient in gradients.items():
        torch.testing.assert_close(gradient, expected[name], atol=TOLERANCE, rtol=0, msg=name)
    assert sum(float(gradient.abs().sum()) for gradient in gradients.values()) > 1


def test_the_tiny_encoder_gives_the_same_either_way() -> None:
    encoder = load_text_encoder(TextConfig(encoder="tiny"), seed=0).eval()

    states, gradients = states_and_gradients(encoder, "hidden")
    encoder.unpads = False
    plain, expected = states_and_gradients(encoder, "hidden")

    torch.testing.assert_close(states, plain, atol=TOLERANCE, rtol=0)
    for name, gradient in gradients.items():
        torch.testing.assert_close(gradient, expected[name], atol=TOLERANCE, rtol=0, msg=name)


def test_bfloat16_is_as_far_from_float32_as_the_plain_module_is() -> None:
    transformer = make("bert")
    exact, _ = states_and_gradients(encoder_of(transformer, unpads=False), "hidden")

    with torch.autocast("cpu", torch.bfloat16):
        plain, _ = states_and_gradients(encoder_of(transformer, unpads=False), "hidden")
        states, _ = states_and_gradients(encoder_of(transformer, unpads=True), "hidden")

    assert 0 < (states - exact).abs().max() < 2 * (plain - exact).abs().max()


@pytest.mark.parametrize("lengths", [[1], [3, 3, 3, 3, 3, 3], [0, 2], [9] * (GROUPS + 1) + [2]])
@torch.no_grad()
def test_any_lengths_give_the_states_of_each_transcript_alone(lengths: list[int]) -> None:
    transformer = make("bert").eval()
    tokens = TOKENS[: len(lengths), : max(lengths)]
    segments = torch.zeros_like(tokens)

    together = encode_unpadded(transformer, tokens, segments, torch.tensor(lengths))

    assert together.shape == (*tokens.shape, 64)
    for row, length in enumerate(lengths):
        alone = transformer(tokens[row : row + 1, : max(length, 1)]).last_hidden_state[0]
        torch.testing.assert_close(together[row, :length], alone[:length], atol=TOLERANCE, rtol=0)


def test_dropout_follows_the_random_state_and_only_where_a_module_trains() -> None:
    transformer = make("bert", hidden_dropout_prob=0.3, attention_probs_dropout_prob=0.3)

    def encode() -> Tensor:
        torch.manual_seed(2)
        return encode_unpadded(transformer, TOKENS, torch.zeros_like(TOKENS), LENGTHS)[REAL]

    dropped = encode()

    assert encode().equal(dropped)
    transformer.eval()
    assert not encode().equal(dropped)


def test_what_the_last_layer_is_not_asked_for_costs_nothing() -> None:
    transformer: Any = make("bert")
    sizes: list[int] = []
    transformer.encoder.layer[-1].intermediate.register_forward_hook(
        lambda _module, inputs, _output: sizes.append(len(inputs[0]))
    )

    for only_pooled in (False, True):
        encoder_of(transformer, unpads=True, pooling="first")(
            TOKENS, torch.zeros_like(TOKENS), LENGTHS, only_pooled=only_pooled
        )

    assert sizes == [int(LENGTHS.sum()), int((LENGTHS > 0).sum())]


def test_an_encoder_built_in_another_way_runs_as_it_is() -> None:
    sizes: dict[str, Any] = {
        "vocab_size": 300,
        "dim": 64,
        "n_layers": 1,
        "n_heads": 4,
        "hidden_dim": 96,
    }
    other = DistilBertModel(DistilBertConfig(**sizes))

    assert not can_unpad(other)
    assert can_unpad(make("bert"))
