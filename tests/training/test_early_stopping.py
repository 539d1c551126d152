from __future__ import annotations

import math

import pytest

from setgf.config import TrainConfig
from setgf.training.early_stopping import EarlyStopping

NAN = math.nan


def follow(values: list[float], **settings) -> EarlyStopping:
    stopping = EarlyStopping(TrainConfig(**settings))
    for epoch, value in enumerate(values, start=1):
        stopping.update(epoch, value)
    return stopping


@pytest.mark.parametrize(
    ("monitor", "values", "best_epoch"),
    [
        ("mae", [0.9, 0.7, 0.8], 2),
        ("loss", [0.9, 0.7, 0.8], 2),
        ("corr", [0.1, 0.5, 0.3], 2),
        ("acc7", [0.4, 0.3, 0.4], 1),
        ("corr", [NAN, 0.2, NAN], 2),
        ("corr", [NAN, NAN], 1),
        ("mae", [0.7, 0.7 - 1e-9], 1),
    ],
    ids=["least mae", "least loss", "most corr", "first of equals", "undefined", "never", "tiny"],
)
def test_the_best_epoch_is_the_one_of_the_best_metric(monitor, values, best_epoch):
    assert follow(values, monitor=monitor).best_epoch == best_epoch


def test_patience_counts_epochs_without_gain_since_the_best():
    assert not follow([3, 2, 2.5, 2.4], patience=3).has_given_up
    assert follow([3, 2, 2.5, 2.4, 2.3], patience=3).has_given_up
    assert not follow([3, 2, 2.5, 2.4, 1.9], patience=3).has_given_up


def test_patience_zero_never_gives_up():
    assert not follow([1.0] * 50, patience=0).has_given_up


def test_it_goes_on_from_its_state():
    first = follow([3, 2, 2.5], patience=2)
    second = EarlyStopping(TrainConfig(patience=2))

    second.load_state_dict(first.state_dict())

    assert (second.best, second.best_epoch) == (2, 2)
    second.update(4, 2.2)
    assert second.has_given_up
