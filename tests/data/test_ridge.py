from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from setgf.data.ragged import Ragged, offsets_of
from setgf.data.ridge import Ridge, describe_ridge, fit_ridge, fit_ridge_together
from setgf.data.split_data import SplitData
from setgf.terms import Modality, Split
from tests.data.builders import make_split


@pytest.fixture(scope="module")
def splits() -> dict[Split, SplitData]:
    """Labels that are half told by the first audio feature and half by the first vision feature."""
    random = np.random.default_rng(3)
    found: dict[Split, SplitData] = {}
    for split, count in ((Split.TRAIN, 200), (Split.VALID, 60), (Split.TEST, 60)):
        frames = {part: random.normal(size=(count, 3)).astype(np.float32) for part in "av"}
        once = offsets_of(np.ones(count, np.int64))
        found[split] = replace(
            make_split(str(split), (1,) * count),
            labels=frames["a"][:, 0] + frames["v"][:, 0],
            transcripts=("film",) * count,
            audio=Ragged(frames["a"], once),
            vision=Ragged(frames["v"], once),
        )
    return found


def error(ridge: Ridge, data: SplitData) -> float:
    return float(np.abs(ridge.predict(data) - data.labels).mean())


def fit(splits: dict[Split, SplitData], modality: Modality, **options: object) -> Ridge:
    return fit_ridge(splits[Split.TRAIN], splits[Split.VALID], modality, **options)  # type: ignore[arg-type]


def test_modalities_together_tell_what_none_tells_alone(splits: dict[Split, SplitData]) -> None:
    parts = [fit(splits, modality) for modality in Modality]

    together = fit_ridge_together(splits[Split.TRAIN], splits[Split.VALID], parts)

    alone = [error(part, splits[Split.TEST]) for part in parts]
    assert min(alone) > 0.5
    assert error(together, splits[Split.TEST]) < 0.1


def test_features_that_are_not_seen_are_not_used(splits: dict[Split, SplitData]) -> None:
    first, others = (
        fit(splits, Modality.AUDIO, columns=np.array(columns)) for columns in ([0], [1, 2])
    )

    assert len(first.weights) == 1
    assert error(first, splits[Split.TEST]) < error(others, splits[Split.TEST]) - 0.1


def test_a_sample_is_scored_alike_in_any_split(splits: dict[Split, SplitData]) -> None:
    test = splits[Split.TEST]
    few = replace(
        test, ids=test.ids[:1], labels=test.labels[:1], transcripts=test.transcripts[:1],
        audio=Ragged(test.audio.values[:1], offsets_of(np.array([1]))),
        vision=Ragged(test.vision.values[:1], offsets_of(np.array([1]))),
    )  # fmt: skip

    for modality in Modality:
        ridge = fit(splits, modality)
        np.testing.assert_allclose(ridge.predict(few), ridge.predict(test)[:1])


def test_the_test_split_decides_nothing(splits: dict[Split, SplitData]) -> None:
    turned = {**splits, Split.TEST: replace(splits[Split.TEST], labels=-splits[Split.TEST].labels)}

    before, after = (describe_ridge(own, (Modality.AUDIO,))["audio"] for own in (splits, turned))

    assert after["corr"] == pytest.approx(-before["corr"])


def test_the_penalty_is_the_one_with_the_smallest_error_on_valid(
    splits: dict[Split, SplitData],
) -> None:
    """Labels of valid that are all train's mean ask for the strongest penalty; true ones do not."""
    train, valid = splits[Split.TRAIN], splits[Split.VALID]
    flat = replace(valid, labels=np.full(valid.size, train.labels.mean(), np.float32))

    assert fit_ridge(train, flat, Modality.AUDIO).penalty == 1000.0
    assert fit_ridge(train, valid, Modality.AUDIO).penalty < 1000.0
