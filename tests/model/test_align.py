from __future__ import annotations

import pytest
import torch

from setgf.model.align import align
from setgf.model.sequence import as_sequence


def test_windows_are_consecutive_and_their_means_are_taken() -> None:
    states = torch.tensor([[[1.0], [3.0], [5.0], [7.0], [9.0]]])

    found = align(as_sequence(states, torch.tensor([5])), torch.tensor([2]))

    assert found.states.tolist() == [[[2.0], [7.0]]]  # 1, 3 | 5, 7, 9
    assert found.lengths.tolist() == [2]


def test_fewer_steps_than_asked_for_stand_in_several_windows_in_order() -> None:
    states = torch.tensor([[[1.0], [3.0]]])

    found = align(as_sequence(states, torch.tensor([2])), torch.tensor([5]))

    assert found.states.flatten().tolist() == [1.0, 1.0, 1.0, 3.0, 3.0]


@pytest.mark.parametrize("length", [1, 2, 5, 9, 64])
@pytest.mark.parametrize("wanted", [1, 3, 5, 9, 50])
def test_no_step_is_left_out_and_windows_differ_in_size_by_one(length: int, wanted: int) -> None:
    one_hot = torch.eye(length)[None]

    shares = align(as_sequence(one_hot, torch.tensor([length])), torch.tensor([wanted])).states[0]

    assert (shares.sum(1) - 1).abs().max() < 1e-6
    assert (shares.sum(0) > 0).all()
    sizes = (shares > 0).sum(1)
    assert int(sizes.max() - sizes.min()) <= 1
    assert (shares.argmax(1).diff() >= 0).all()


def test_as_many_steps_as_asked_for_stay_as_they_are() -> None:
    states = torch.randn(2, 7, 3)
    sequence = as_sequence(states, torch.tensor([7, 4]))

    torch.testing.assert_close(align(sequence, sequence.lengths).states, sequence.states)


def test_padding_and_company_change_nothing() -> None:
    states, lengths = torch.randn(3, 9, 2), torch.tensor([9, 4, 0])
    wide = torch.cat([states, torch.full((3, 6, 2), 77.0)], 1)

    together = align(as_sequence(states, lengths), torch.tensor([3, 5, 2]))
    padded = align(as_sequence(wide, lengths), torch.tensor([3, 5, 2]))
    alone = align(as_sequence(states[:1], lengths[:1]), torch.tensor([3]))

    torch.testing.assert_close(padded.states, together.states)
    torch.testing.assert_close(alone.states[0], together.states[0, :3])
    assert together.padding.tolist() == [
        [False, False, False, True, True],
        [False] * 5,
        [False, False, True, True, True],
    ]


def test_a_sample_without_steps_becomes_zeros_and_none_wanted_is_one_padded_step() -> None:
    nothing = as_sequence(torch.zeros(2, 0, 3), torch.tensor([0, 0]))

    assert align(nothing, torch.tensor([2, 0])).states.tolist() == torch.zeros(2, 2, 3).tolist()
    assert align(nothing, torch.tensor([0, 0])).states.shape == (2, 1, 3)
