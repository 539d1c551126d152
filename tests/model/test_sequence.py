from __future__ import annotations

import torch
from torch import nn

from setgf.model.sequence import (
    AttentionPooling,
    as_sequence,
    masked_max,
    masked_mean,
    pack,
    read_both_ways,
    unpack,
)

STATES = torch.tensor([[[1.0, -4.0], [3.0, -2.0]], [[5.0, 6.0], [9.0, 9.0]], [[7.0, 7.0]] * 2])
LENGTHS = torch.tensor([2, 1, 0])


def test_what_stands_in_the_padding_is_forgotten() -> None:
    sequence = as_sequence(STATES, LENGTHS)

    assert sequence.states.tolist() == [[[1, -4], [3, -2]], [[5, 6], [0, 0]], [[0, 0], [0, 0]]]
    assert sequence.padding.tolist() == [[False, False], [False, True], [True, True]]
    assert sequence.is_present.tolist() == [[True], [True], [False]]


def test_a_sequence_without_any_step_has_one_padded_step() -> None:
    sequence = as_sequence(torch.zeros(2, 0, 3), torch.tensor([0, 0]))

    assert sequence.states.shape == (2, 1, 3)
    assert sequence.padding.all()


def test_mean_and_maximum_read_real_steps_only() -> None:
    sequence = as_sequence(STATES, LENGTHS)

    assert masked_mean(sequence).tolist() == [[2, -3], [5, 6], [0, 0]]
    assert masked_max(sequence).tolist() == [[3, -2], [5, 6], [0, 0]]


def test_attention_pooling_weighs_real_steps_by_a_softmax() -> None:
    pooling = AttentionPooling(2)
    with torch.no_grad():
        pooling.weigh.weight.copy_(torch.tensor([[1.0, 0.0]]))

    pooled = pooling(as_sequence(STATES, LENGTHS))

    weight = torch.softmax(torch.tensor([1.0, 3.0]), 0)
    expected = weight[0] * STATES[0, 0] + weight[1] * STATES[0, 1]
    torch.testing.assert_close(pooled[0], expected)
    assert pooled[1:].tolist() == [[5, 6], [0, 0]]


def test_reading_both_ways_equals_the_packed_lstm() -> None:
    torch.manual_seed(0)
    lstm = nn.LSTM(3, 4, batch_first=True, bidirectional=True)
    sequence = as_sequence(torch.randn(4, 6, 3), torch.tensor([6, 2, 0, 1]))
    packed = unpack(lstm(pack(sequence))[0], sequence)

    read = read_both_ways(lstm, sequence)

    torch.testing.assert_close(read.states, packed.states, atol=1e-6, rtol=0)
    assert read.states[1, 2:].eq(0).all()
    assert read.states[2].eq(0).all()
