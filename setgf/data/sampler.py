"""The order in which an epoch visits a split: shuffled or not, of similar length or not."""

from __future__ import annotations

import numpy as np

from setgf.data.ragged import Integers

_MOST_BATCHES_A_POOL = 50
_FEWEST_POOLS = 4


def epoch_order(
    lengths: Integers,
    *,
    batch_size: int,
    seed: int,
    epoch: int,
    group_by_length: bool,
    shuffle: bool,
) -> list[Integers]:
    """Return the batches of one epoch: every sample once, the last batch may be smaller.

    The same arguments give the same batches, on any machine (numpy keeps PCG64 as it is).

    Args:
        lengths: (N,) int64. How much work each sample is.
        seed: seed of the experiment; 0 or more.
        epoch: counted from 1; every epoch has its own order.
        group_by_length: batches hold samples of similar length. Shuffled samples are sorted within
            pools of batches only, so that batches still differ from epoch to epoch.
        shuffle: false keeps the order of the split, or of the lengths when grouped.
    """
    count = len(lengths)
    random = np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, epoch])))
    order: Integers = random.permutation(count) if shuffle else np.arange(count)
    if group_by_length:
        pool = _pool_size(count, batch_size) if shuffle else max(count, 1)
        pools = [order[start : start + pool] for start in range(0, count, pool)]
        order = np.concatenate(
            [part[np.argsort(lengths[part], kind="stable")] for part in pools] or [order]
        )
    batches = [order[start : start + batch_size] for start in range(0, count, batch_size)]
    if shuffle and group_by_length:
        return [batches[place] for place in random.permutation(len(batches))]
    return batches


def _pool_size(count: int, batch_size: int) -> int:
    """Return samples a pool: whole batches, and several pools even in a small split."""
    batches = min(count // (batch_size * _FEWEST_POOLS), _MOST_BATCHES_A_POOL)
    return batch_size * max(batches, 1)
