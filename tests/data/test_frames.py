"""Frames are scaled by train, averaged over whole windows, and padded with zeros."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from setgf.data.frames import CLIP, Normaliser, fit_scaling, prepare
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

    padded, steps = prepare(ragged, np.arange(len(lengths)), max_frames=max_frames, scaling=None)

    assert steps.tolist() == [min(length, max_frames) for length in lengths]
    assert padded.shape == (len(lengths), max(*steps.tolist(), 1), 3)
    for row, step in enumerate(steps):
        expected = average_slowly(ragged.row(row), max_frames)
        np.testing.assert_allclose(padded[row, :step], expected, atol=1e-6)
        assert not padded[row, step:].any()


def test_the_mean_over_time_survives_when_windows_are_equal() -> None:
    ragged = make_frames([36])

    padded, _ = prepare(ragged, np.array([0]), max_frames=9, scaling=None)

    np.testing.assert_allclose(padded[0].mean(axis=0), ragged.values.mean(axis=0), atol=1e-6)


def test_zero_max_frames_keeps_every_frame() -> None:
    ragged = make_frames([30, 2])

    padded, lengths = prepare(ragged, np.array([1, 0]), max_frames=0, scaling=None)

    assert lengths.tolist() == [2, 30]
    np.testing.assert_array_equal(padded[1], ragged.row(0))


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


def test_a_normaliser_survives_as_plain_arrays() -> None:
    random = np.random.default_rng(0)
    normaliser = Normaliser(
        audio=fit_scaling(random.normal(size=(9, 2))),
        vision=fit_scaling(random.normal(size=(9, 3))),
    )

    again = Normaliser.from_arrays(normaliser.to_arrays())

    np.testing.assert_array_equal(again.vision.spread, normaliser.vision.spread)
    np.testing.assert_array_equal(again.audio.mean, normaliser.audio.mean)


@pytest.mark.parametrize("width", [1, 7])
def test_the_width_is_kept_when_nothing_is_there(width: int) -> None:
    padded, lengths = prepare(
        make_frames([0, 0], width), np.array([0, 1]), max_frames=4, scaling=None
    )

    assert padded.shape == (2, 1, width)
    assert lengths.tolist() == [0, 0]
