"""Every network goes on from the middle of an epoch to the bit, in both precisions."""

from __future__ import annotations

from itertools import product

import pytest

from setgf.data.synthetic import synthesise
from setgf.errors import StoppedError
from setgf.home import Home
from setgf.model.registry import network_names
from setgf.terms import Dataset, Split
from setgf.training.fit import fit
from tests.training.conftest import tiny_config

PRECISIONS = ("float32", "bfloat16")
ALWAYS = (("setgf", "bfloat16"), ("misa", "float32"))
"""Always tested; `test_resume` has the other precision. The rest by `make acceptance`."""


def cases():
    for case in product(network_names(), PRECISIONS):
        marks = () if case in ALWAYS else pytest.mark.long
        yield pytest.param(*case, marks=marks, id=" ".join(case))


@pytest.fixture(scope="module")
def few(tmp_path_factory):
    sizes = {Split.TRAIN: 12, Split.VALID: 3, Split.TEST: 3}
    home = Home(tmp_path_factory.mktemp("few"))
    return synthesise(home, "few", Dataset.MOSI, sizes=sizes, seed=3)


@pytest.mark.parametrize(("model", "precision"), list(cases()))
def test_every_network_goes_on_to_the_bit(few, recorder, model, precision):
    """12 samples in batches of 4: three steps an epoch; interrupted after the fourth."""
    config = tiny_config(
        model__name=model,
        precision=precision,
        batch_size=4,
        max_epochs=2,
        patience=0,
        ema_decay=0.9,
    )
    straight = fit(config, few, recorder("straight"))

    first = recorder("a1", stop_at=4)
    with pytest.raises(StoppedError):
        fit(config, few, first)
    second = recorder("a2")
    result = fit(config, few, second, resume_from=first.checkpoints)

    assert second.find("started")[0]["resume_step"] == 4
    assert result.weights_sha256 == straight.weights_sha256
    assert result.metrics == pytest.approx(dict(straight.metrics), abs=0, nan_ok=True)
