"""Every network of the registry finds the signal of made-up data, on samples it never saw."""

from __future__ import annotations

import pytest

from setgf.data.synthetic import synthesise
from setgf.errors import StoppedError
from setgf.home import Home
from setgf.model.registry import network_names
from setgf.terms import Dataset, Split
from setgf.training.fit import fit
from tests.training.conftest import MemoryRecorder, tiny_config

GOAL = 0.4
"""Correlation on 100 valid samples; one by chance has a standard deviation of 0.1."""


class Goal(MemoryRecorder):
    """Asks to stop as soon as the goal is reached."""

    def stop_requested(self) -> bool:
        return max(self.series("valid.corr").values(), default=0.0) > GOAL


@pytest.fixture(scope="module")
def made_up(tmp_path_factory):
    sizes = {Split.TRAIN: 120, Split.VALID: 100, Split.TEST: 2}
    home = Home(tmp_path_factory.mktemp("signal"))
    return synthesise(home, "made_up", Dataset.MOSI, sizes=sizes, seed=3)


@pytest.mark.slow
@pytest.mark.parametrize("model", network_names())
def test_a_network_finds_the_signal_of_made_up_data(made_up, tmp_path, model):
    config = tiny_config(
        model__name=model, max_epochs=12, patience=0, lr=3e-3, lr_text=3e-3, schedule="constant",
        batch_size=16, head_dropout=0.0, labels__mode="copy",
    )  # fmt: skip

    with pytest.raises(StoppedError):
        fit(config, made_up, Goal(tmp_path / "checkpoints"))
