"""Sequences back to back behave like a list of arrays."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from setgf.data.ragged import Ragged, count_up, from_rows

LENGTHS = st.lists(st.integers(0, 6), min_size=1, max_size=8)


def make_rows(lengths: list[int]) -> list[np.ndarray]:
    random = np.random.default_rng(len(lengths))
    return [random.normal(size=(length, 2)) for length in lengths]


@given(LENGTHS, st.data())
def test_gather_gives_the_rows_in_the_order_asked_for(
    lengths: list[int], data: st.DataObject
) -> None:
    rows = make_rows(lengths)
    ragged = from_rows(rows, empty=np.zeros((0, 2)))
    index = data.draw(st.lists(st.integers(0, len(rows) - 1), max_size=6))

    gathered = ragged.gather(np.array(index, np.int64))

    np.testing.assert_array_equal(
        gathered, np.concatenate([np.zeros((0, 2)), *(rows[i] for i in index)])
    )
    assert ragged.lengths.tolist() == lengths
    assert len(ragged) == len(rows)
    np.testing.assert_array_equal(ragged.row(0), rows[0])


def test_counting_up_starts_again_at_every_length() -> None:
    assert count_up(np.array([2, 0, 3])).tolist() == [0, 1, 0, 1, 2]
    assert count_up(np.array([], np.int64)).tolist() == []


@pytest.mark.parametrize("offsets", [[0, 3], [1, 4], [0, 5, 4], [], [0, -1, 4]])
def test_offsets_must_rise_from_zero_to_the_end(offsets: list[int]) -> None:
    with pytest.raises(ValueError, match="Offsets must rise from 0 to the number of rows, 4"):
        Ragged(np.zeros((4, 1)), np.array(offsets, np.int64))
