"""An epoch visits every sample once, in an order that can be had again."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from setgf.data.sampler import epoch_order

LENGTHS = np.random.default_rng(0).integers(1, 100, 103)


def order(**changes: Any) -> list[np.ndarray]:
    options: dict[str, Any] = {
        "batch_size": 8,
        "seed": 1,
        "epoch": 1,
        "group_by_length": True,
        "shuffle": True,
    }
    return epoch_order(LENGTHS, **{**options, **changes})


@given(st.integers(0, 60), st.integers(1, 9), st.booleans(), st.booleans(), st.integers(0, 2**40))
def test_every_sample_comes_once(
    count: int, batch_size: int, group: bool, shuffle: bool, seed: int
) -> None:
    lengths = np.arange(count) % 7

    batches = epoch_order(
        lengths,
        batch_size=batch_size,
        seed=seed,
        epoch=1,
        group_by_length=group,
        shuffle=shuffle,
    )

    seen = np.concatenate([np.zeros(0, np.int64), *batches])
    assert sorted(seen.tolist()) == list(range(count))
    sizes = [len(batch) for batch in batches]
    assert sum(size < batch_size for size in sizes) <= 1
    assert all(0 < size <= batch_size for size in sizes)


@pytest.mark.parametrize("group", [True, False])
def test_the_same_seed_and_epoch_give_the_same_order_and_others_do_not(group: bool) -> None:
    def flat(**changes: Any) -> list[int]:
        return np.concatenate(order(group_by_length=group, **changes)).tolist()

    assert flat() == flat()
    assert flat() != flat(epoch=2)
    assert flat() != flat(seed=2)


def test_grouped_batches_hold_samples_of_similar_length() -> None:
    def spread(batches: list[np.ndarray]) -> float:
        return float(np.mean([np.ptp(LENGTHS[batch]) for batch in batches]))

    assert spread(order()) < 0.6 * spread(order(group_by_length=False))


def test_grouped_batches_differ_from_epoch_to_epoch() -> None:
    first = {frozenset(batch.tolist()) for batch in order()}
    second = {frozenset(batch.tolist()) for batch in order(epoch=2)}

    assert not first & second


def test_without_shuffling_the_order_is_the_splits_or_the_lengths() -> None:
    plain = np.concatenate(order(shuffle=False, group_by_length=False))
    grouped = np.concatenate(order(shuffle=False))

    assert plain.tolist() == list(range(len(LENGTHS)))
    assert LENGTHS[grouped].tolist() == sorted(LENGTHS.tolist())


def test_the_order_is_the_same_on_every_machine() -> None:
    batches = epoch_order(
        np.arange(6), batch_size=2, seed=1111, epoch=3, group_by_length=False, shuffle=True
    )

    assert [batch.tolist() for batch in batches] == GOLDEN_ORDER


GOLDEN_ORDER = [[3, 4], [1, 2], [0, 5]]
