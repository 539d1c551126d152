"""Batches are made ahead, come in order, and end with whoever reads them."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import pytest
import torch

from setgf.config import DataConfig
from setgf.data.batch import BatchSource, open_batches
from setgf.data.prefetch import BatchFeed
from setgf.data.synthetic import synthesise
from setgf.home import Home
from setgf.terms import Dataset, Split

ORDER = [np.array(rows) for rows in ([3, 1], [0], [5, 2, 4], [6, 7])]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> BatchSource:
    store = synthesise(Home(tmp_path_factory.mktemp("home")), "s", Dataset.MOSI, num_samples=40)
    return open_batches(store, Split.TRAIN, DataConfig(), tokenizer_folder=None)


class CountingSource:
    """Counts the batches that were asked for; the third fails where it is told to."""

    device = torch.device("cpu")

    def __init__(self, *, fails: bool = False) -> None:
        self.asked: list[int] = []
        self.changed = threading.Condition()
        self.fails = fails

    def batch(self, rows: np.ndarray) -> tuple[int, int]:
        with self.changed:
            self.asked.append(int(rows[0]))
            self.changed.notify_all()
        if self.fails and len(self.asked) == 3:
            raise ValueError("the disk is gone")
        return int(rows[0]), 0

    def wait_for(self, count: int) -> bool:
        with self.changed:
            return self.changed.wait_for(lambda: len(self.asked) >= count, timeout=30)


def feed_of(source: Any, order: Sequence[np.ndarray] = ORDER, **options: Any) -> BatchFeed:
    return BatchFeed(cast(BatchSource, source), order, **options)


@pytest.mark.parametrize("ahead", [None, 0, 1, 2, 9])
def test_every_batch_comes_once_and_in_order(source: BatchSource, ahead: int | None) -> None:
    with feed_of(source, ahead=ahead) as feed:
        batches = [batch for batch, _ in feed]

    assert [batch.index.tolist() for batch in batches] == [rows.tolist() for rows in ORDER]
    for batch, rows in zip(batches, ORDER, strict=True):
        assert torch.equal(batch.audio, source.batch(rows)[0].audio)
    assert feed.waited > 0


def test_no_more_is_made_ahead_than_is_allowed() -> None:
    source = CountingSource()

    with feed_of(source, [np.array([row]) for row in range(50)], ahead=2) as feed:
        assert source.wait_for(2)
        next(feed)
        assert source.wait_for(3)
        most = len(source.asked)

    assert most == 3
    assert source.asked == [0, 1, 2]


def test_leaving_early_ends_the_thread() -> None:
    before = threading.active_count()

    with pytest.raises(KeyboardInterrupt), feed_of(CountingSource(), ahead=1) as feed:
        next(feed)
        raise KeyboardInterrupt

    assert threading.active_count() == before


def test_what_goes_wrong_is_raised_where_the_batch_is_read() -> None:
    with feed_of(CountingSource(fails=True), ahead=2) as feed:
        assert [next(feed)[0], next(feed)[0]] == [3, 0]
        with pytest.raises(ValueError, match="the disk is gone"):
            next(feed)
