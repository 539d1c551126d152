from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from setgf.model.attention import AttentionBlock, AttentionStack, BlockSizes, MaskedAttention
from setgf.model.sequence import Sequence, as_sequence

SIZES = BlockSizes(width=4, heads=2, attention_dropout=0.0, feedforward_dropout=0.0, null_key=True)
WITHOUT_NULL = replace(SIZES, null_key=False)


def by_hand(attention: MaskedAttention, query: Tensor, keys: list[Tensor]) -> Tensor:
    """Attention of one query over a list of keys, head by head, in plain numbers."""
    width = query.shape[0]
    size = width // attention.heads
    asked = attention.query(query)
    offered = [attention.key_value(key) for key in keys]
    joined: list[Tensor] = []
    for start in range(0, width, size):
        part = slice(start, start + size)
        logits = [float(asked[part] @ one[:width][part]) / math.sqrt(size) for one in offered]
        total = sum(math.exp(logit) for logit in logits)
        weighted = [
            math.exp(logit) / total * one[width:][part]
            for logit, one in zip(logits, offered, strict=True)
        ]
        joined.append(torch.stack(weighted).sum(0))
    return attention.output(torch.cat(joined))


@pytest.mark.parametrize("sizes", [SIZES, WITHOUT_NULL])
@torch.no_grad()
def test_attention_equals_the_formula_written_out(sizes: BlockSizes) -> None:
    attention = MaskedAttention(sizes).eval()
    queries, keys = torch.randn(1, 2, 4), torch.randn(1, 3, 4)
    padding = torch.tensor([[False, False, True]])

    mixed = attention(queries, keys, padding)

    seen = [keys[0, 0], keys[0, 1]]
    if attention.null_key is not None:
        seen = [attention.null_key, *seen]
    for place in range(2):
        torch.testing.assert_close(mixed[0, place], by_hand(attention, queries[0, place], seen))


def test_a_row_with_nothing_to_read_gets_the_null_key() -> None:
    attention = MaskedAttention(SIZES).eval()
    keys = torch.randn(2, 3, 4)
    padding = torch.tensor([[True, True, True], [False, True, True]])

    mixed = attention(torch.randn(2, 2, 4), keys, padding)

    assert attention.null_key is not None
    null_value = attention.key_value(attention.null_key)[4:]
    torch.testing.assert_close(mixed[0, 0], attention.output(null_value))
    assert mixed.isfinite().all()


@pytest.mark.parametrize("sizes", [SIZES, WITHOUT_NULL])
def test_rows_with_nothing_to_read_stay_finite_forward_and_backward(sizes: BlockSizes) -> None:
    block = AttentionBlock(sizes).train()
    states = torch.randn(2, 3, 4, requires_grad=True)
    keys = as_sequence(torch.randn(2, 3, 4), torch.tensor([0, 2]))

    read = block(as_sequence(states, torch.tensor([3, 0])), keys)
    read.states.sum().backward()

    assert read.states.isfinite().all()
    assert read.states[1].eq(0).all()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in block.parameters())


def test_without_a_null_key_nothing_to_read_adds_the_output_bias_alone() -> None:
    attention = MaskedAttention(WITHOUT_NULL).eval()

    mixed = attention(torch.randn(1, 2, 4), torch.randn(1, 3, 4), torch.tensor([[True] * 3]))

    torch.testing.assert_close(mixed[0, 0], attention.output.bias)
    assert not any("null_key" in name for name in attention.state_dict())


@torch.no_grad()
def test_a_stack_reads_the_same_keys_block_after_block() -> None:
    stack = AttentionStack(SIZES, 2).eval()
    queries = sequence((1, 3, 4), 3)
    keys = sequence((1, 5, 4), 4)

    first, second = stack.blocks

    torch.testing.assert_close(
        stack(queries, keys).states, second(first(queries, keys), keys).states
    )


@torch.no_grad()
def test_a_block_is_pre_norm_and_residual() -> None:
    block = AttentionBlock(SIZES).eval()
    queries, keys = sequence((1, 2, 4), 2), sequence((1, 3, 4), 2)

    read = block.attention(
        block.query_norm(queries.states), block.key_norm(keys.states), keys.padding
    )
    middle = queries.states + read

    torch.testing.assert_close(block(queries, keys).states, middle + block.feedforward(middle))


def test_dropout_of_attention_acts_in_training_only() -> None:
    attention = MaskedAttention(replace(SIZES, attention_dropout=0.5))
    inputs = (torch.randn(1, 4, 4), torch.randn(1, 6, 4), torch.zeros(1, 6, dtype=torch.bool))

    trained = {tuple(attention.train()(*inputs).flatten().tolist()) for _ in range(4)}
    evaluated = {tuple(attention.eval()(*inputs).flatten().tolist()) for _ in range(4)}

    assert len(trained) == 4
    assert len(evaluated) == 1


def sequence(shape: tuple[int, ...], length: int) -> Sequence:
    return as_sequence(torch.randn(*shape), torch.tensor([length]))


def test_attention_with_dropout_has_the_same_mean_and_sees_no_padding() -> None:
    sizes = replace(SIZES, attention_dropout=0.2)
    attention = MaskedAttention(sizes)
    queries, keys = torch.randn(1, 2, 4), torch.randn(1, 3, 4)
    padding = torch.tensor([[False, False, True]])
    expected = attention.eval()(queries, keys, padding)
    attention.train()
    garbage = keys.clone()
    garbage[:, 2] = 1e6

    drawn = torch.stack([attention(queries, keys, padding) for _ in range(2000)])
    torch.manual_seed(0)
    one = attention(queries, keys, padding)
    torch.manual_seed(0)
    other = attention(queries, garbage, padding)

    assert drawn.std(0).max() > 0.01
    torch.testing.assert_close(drawn.mean(0), expected, atol=0.05, rtol=0)
    assert one.equal(other)
