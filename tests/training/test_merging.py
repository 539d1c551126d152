"""The micro-batches of a step in one forward pass, against each in its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from setgf.data.batch import open_batches
from setgf.data.store import FeatureStore
from setgf.model.attention import MaskedAttention
from setgf.terms import Split
from setgf.training.epoch import StepLog, merge, train_epoch
from setgf.training.session import Session
from setgf.training.setup import build_session
from tests.training.conftest import MemoryRecorder, tiny_config

SETTINGS: dict[str, Any] = {
    "accumulation_steps": 3,
    "max_epochs": 3,
    "schedule": "constant",
    "warmup_ratio": 0.0,
    "lr": 1e-12,
    "lr_text": 1e-12,
}
"""Weights as good as fixed: Adam makes large steps of small differences."""


def start(
    store: FeatureStore, *, apart: bool = False, **settings: Any
) -> tuple[Session, list[int], Any]:
    """A session without dropout, the sizes of its forward passes, and its samples."""
    config = tiny_config(**(SETTINGS | settings))
    source = open_batches(store, Split.TRAIN, config.data, tokenizer_folder=None)
    session = build_session(config, source)
    for module in session.network.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
        if isinstance(module, MaskedAttention):
            module.dropout = 0.0
    if apart:
        session.network.compares_samples = True  # pyright: ignore[reportAttributeAccessIssue]
    sizes: list[int] = []
    session.network.register_forward_pre_hook(lambda _module, inputs: sizes.append(inputs[0].size))
    return session, sizes, source


def train(session: Session, source: Any, recorder: MemoryRecorder, epochs: int) -> None:
    log = StepLog(session, recorder, source.ids)
    for _ in range(epochs):
        train_epoch(session, source, log=log, after_step=lambda: None)
        session.position.next_epoch()


@pytest.mark.parametrize(
    ("model", "accumulation"),
    [("setgf", "mean"), ("setgf", "reference"), ("self_mm", "mean"), ("text_only", "mean")],
)
def test_merged_micro_batches_train_as_each_alone_does(
    store: FeatureStore, recorder: Callable[..., MemoryRecorder], model: str, accumulation: str
) -> None:
    settings: dict[str, Any] = {
        "model__name": model,
        "accumulation": accumulation,
        "labels__mode": "copy" if model == "text_only" else "reference",
    }
    merged, merged_sizes, source = start(store, **settings)
    apart, apart_sizes, _ = start(store, apart=True, **settings)
    one, other = recorder("merged"), recorder("apart")

    train(merged, source, one, 2)
    train(apart, source, other, 2)

    assert sorted(apart_sizes) == [4, 4, *[8] * 8]
    assert sum(merged_sizes) == 72
    assert len(merged_sizes) < len(apart_sizes)
    assert one.points.keys() == other.points.keys()
    for name in {name for name, _ in one.points}:
        assert one.series(name) == pytest.approx(other.series(name), abs=1e-5), name
    expected = apart.labels.state_dict()
    for name, held in merged.labels.state_dict().items():
        torch.testing.assert_close(held, expected[name], atol=1e-4, rtol=0, msg=name)
    gradients = dict(apart.network.named_parameters())
    for name, weights in merged.network.named_parameters():
        torch.testing.assert_close(weights.grad, gradients[name].grad, atol=1e-5, rtol=0, msg=name)


def test_a_network_that_compares_samples_gets_each_micro_batch_alone(store):
    session, _, _ = start(store, model__name="misa")
    batches = [torch.arange(8).numpy()] * 3

    assert [len(forward) for forward in merge(session, batches)] == [1, 1, 1]


def test_merged_micro_batches_stay_small(store):
    session, _, _ = start(store)

    for size, expected in ((32, [4, 2]), (64, [2, 2, 2]), (100, [1] * 6)):
        batches = [torch.arange(size).numpy()] * 6
        assert [len(forward) for forward in merge(session, batches)] == expected
