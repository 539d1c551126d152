"""Frames are scaled by train, averaged over whole windows, and padded with zeros."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from setgf.data.frames import CLIP, Scaling, fit_scaling, prepare, prepared_lengths
from setgf.data.ragged import Ragged, from_rows

LENGTHS = st.lists(st.integers(0, 40), min_size=1, max_size=6)


def make_frames(lengths: list[int], width: int = 3) -> Ragged:
    random = np.random.default_rng(1)
    rows = [random.normal(size=(n, width)).astype(np.float32) for n in lengths]
    return from_rows(rows, empty=np.zeros((0, width), np.float32))


def average_slowly(frames: np.ndarray, steps: int) -> np.ndarray:
    """Split frames into `steps` consecutive windows and average each: the definition."""
    if len(frames) <= steps:
        return frames
    edges = [step * len(frames) // steps for step in range(steps + 1)]
    return np.stack([frames[a:b].mean(axis=0) for a, b in pairwise(edges)])


@given(LENGTHS, st.integers(1, 12))
def test_long_sequences_are_averaged_over_consecutive_windows(
    lengths: list[int], max_frames: int
) -> None:
    ragged = make_frames(lengths)

    values = prepare(ragged, np.arange(len(lengths)), max_frames=max_frames)

    steps = prepared_lengths(ragged.lengths, max_frames)
    assert steps.tolist() == [min(length, max_frames) for length in lengths]
    expected = [average_slowly(ragged.row(row), max_frames) for row in range(len(lengths))]
    np.testing.assert_allclose(values, np.concatenate(expected), atol=1e-6)


def test_every_sequence_may_have_a_limit_of_its_own() -> None:
    ragged = make_frames([12, 9, 0, 4])
    most = np.array([3, 20, 5, 0])

    values = prepare(ragged, np.array([3, 0, 1]), max_frames=6, most=most)

    assert prepared_lengths(ragged.lengths, 6, most).tolist() == [3, 6, 0, 1]
    expected = [average_slowly(ragged.row(row), steps) for row, steps in ((3, 1), (0, 3), (1, 6))]
    np.testing.assert_allclose(values, np.concatenate(expected), atol=1e-6)


def test_the_mean_over_time_survives_when_windows_are_equal() -> None:
    ragged = make_frames([36])

    values = prepare(ragged, np.array([0]), max_frames=9)

    np.testing.assert_allclose(values.mean(axis=0), ragged.values.mean(axis=0), atol=1e-6)


def test_zero_max_frames_keeps_every_frame() -> None:
    ragged = make_frames([30, 2])

    values = prepare(ragged, np.array([1, 0]), max_frames=0)

    np.testing.assert_array_equal(values, np.concatenate([ragged.row(1), ragged.row(0)]))


def test_selected_features_are_scaled_by_their_own_numbers() -> None:
    ragged, columns = make_frames([30, 2], width=5), np.array([1, 4])
    scaling = fit_scaling(ragged.values)

    few = prepare(
        ragged, np.array([0]), max_frames=7, scaling=scaling.select(columns), columns=columns
    )

    every = prepare(ragged, np.array([0]), max_frames=7, scaling=scaling)
    np.testing.assert_array_equal(few, every[:, columns])


def test_preparing_leaves_the_store_as_it_is() -> None:
    ragged = make_frames([3, 2])
    before = ragged.values.copy()

    prepare(ragged, np.array([0, 1]), max_frames=0, scaling=fit_scaling(ragged.values))

    np.testing.assert_array_equal(ragged.values, before)


def test_scaling_gives_mean_zero_and_deviation_one_and_clips() -> None:
    random = np.random.default_rng(0)
    frames = (random.normal(size=(5000, 2)) * [10.0, 0.01] + [1e4, -3.0]).astype(np.float32)
    scaling = fit_scaling(frames)

    scaled = scaling.apply(frames)

    np.testing.assert_allclose(scaled.mean(axis=0), 0, atol=1e-2)
    np.testing.assert_allclose(scaled.std(axis=0), 1, atol=1e-2)
    assert scaling.apply(np.array([[1e9, -1e9]], np.float32)).tolist() == [[CLIP, -CLIP]]


def test_a_feature_that_never_changes_becomes_zero() -> None:
    scaling = fit_scaling(np.full((10, 1), 7.0, np.float32))

    assert scaling.apply(np.full((2, 1), 7.0, np.float32)).tolist() == [[0.0], [0.0]]
    assert scaling.spread.tolist() == [1.0]


def test_no_frames_at_all_can_be_scaled() -> None:
    assert fit_scaling(np.zeros((0, 2), np.float32)).spread.tolist() == [1.0, 1.0]


def test_a_scaling_survives_as_plain_numbers() -> None:
    scaling = fit_scaling(np.random.default_rng(0).normal(size=(9, 2)))

    again = Scaling.from_plain(scaling.to_plain())

    np.testing.assert_array_equal(again.spread, scaling.spread)
    np.testing.assert_array_equal(again.mean, scaling.mean)


@pytest.mark.parametrize("width", [1, 7])
def test_the_width_is_kept_when_nothing_is_there(width: int) -> None:
    values = prepare(make_frames([0, 0], width), np.array([0, 1]), max_frames=4)

    assert values.shape == (0, width)
