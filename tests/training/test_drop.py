"""Missing modalities: drawn as asked for, and of length zero for the model."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from setgf.config import ExperimentConfig
from setgf.data.batch import DataFacts, open_batches
from setgf.data.store import FeatureStore
from setgf.model.network import build_network
from setgf.terms import MODALITIES, Branch, Modality, Split
from setgf.training.drop import MissingPattern, RatePoint, drop, drop_always
from setgf.training.evaluate import evaluate
from tests.training.conftest import tiny_config

AUDIO_VISION = (Modality.AUDIO, Modality.VISION)


def test_each_modality_of_each_sample_goes_as_often_as_asked_for() -> None:
    missing = MissingPattern(modalities=tuple(MODALITIES), seed=1).draw(20_000, 0.3)

    assert tuple(missing) == tuple(MODALITIES)
    for part in missing.values():
        assert part.mean() == pytest.approx(0.3, abs=0.02)
    # Independent of each other: both go as often as chance has it.
    both = missing[Modality.TEXT] & missing[Modality.AUDIO]
    assert both.mean() == pytest.approx(0.09, abs=0.02)


def test_a_seed_draws_the_same_at_every_rate_and_another_seed_others() -> None:
    pattern = MissingPattern(modalities=AUDIO_VISION, seed=1)
    low, high = pattern.draw(500, 0.2)[Modality.AUDIO], pattern.draw(500, 0.6)[Modality.AUDIO]
    whole = MissingPattern(modalities=tuple(MODALITIES), seed=1).draw(500, 0.2)[Modality.AUDIO]
    other = MissingPattern(modalities=AUDIO_VISION, seed=2).draw(500, 0.2)[Modality.AUDIO]

    assert (high | ~low).all()
    np.testing.assert_array_equal(low, whole)
    assert (low != other).any()
    assert not pattern.draw(500, 0.0)[Modality.VISION].any()
    assert pattern.draw(500, 1.0)[Modality.VISION].all()


def test_a_sample_keeps_one_modality_where_that_is_asked_for() -> None:
    plain = MissingPattern(modalities=tuple(MODALITIES), seed=3).draw(2000, 0.9)
    kept = MissingPattern(modalities=tuple(MODALITIES), seed=3, keep_one=True).draw(2000, 0.9)

    lost = np.all([*plain.values()], axis=0)
    left = 3 - np.sum([*kept.values()], axis=0)
    assert lost.mean() == pytest.approx(0.9**3, abs=0.03)
    assert (left[lost] == 1).all()
    for modality in MODALITIES:
        np.testing.assert_array_equal(plain[modality][~lost], kept[modality][~lost])


def test_a_missing_modality_has_length_zero_and_no_values(store: FeatureStore) -> None:
    source = open_batches(store, Split.VALID, tiny_config().data, tokenizer_folder=None)
    gone = np.zeros(source.size, np.bool_)
    gone[[1, 4]] = True
    rows = np.array([4, 0, 1])

    whole, _ = source.batch(rows)
    some, _ = drop(source, {Modality.AUDIO: gone}).batch(rows)
    none, _ = drop_always(source, [Modality.TEXT]).batch(rows)

    assert some.audio_lengths.tolist() == [0, int(whole.audio_lengths[1]), 0]
    steps = some.audio.shape[1]
    assert steps == int(whole.audio_lengths[1])
    torch.testing.assert_close(some.audio[1], whole.audio[1, :steps], rtol=0, atol=0)
    assert not some.audio[[0, 2]].any()
    torch.testing.assert_close(some.vision, whole.vision, rtol=0, atol=0)
    assert none.text_lengths.tolist() == [0, 0, 0]
    assert none.tokens.shape == (3, 1)


class Scorer:
    """A new network that scores."""

    def __init__(self, config: ExperimentConfig, facts: DataFacts) -> None:
        self.network = build_network(config, facts)

    def precision(self) -> torch.autocast:
        return torch.autocast("cpu", enabled=False)

    def tell_batch(self) -> None:
        """Nobody listens."""


def test_a_frozen_encoder_neither_keeps_nor_brings_back_a_missing_text(store: FeatureStore) -> None:
    config = tiny_config(text__finetune=False)
    source = open_batches(store, Split.VALID, config.data, tokenizer_folder=None)
    gone = np.zeros(source.size, np.bool_)
    gone[[0, 3]] = True
    torch.manual_seed(1)
    scorer = Scorer(config, source.facts)

    without = evaluate(scorer, drop(source, {Modality.TEXT: gone}), Split.VALID).scores
    whole = evaluate(scorer, source, Split.VALID).scores
    again = evaluate(scorer, drop(source, {Modality.TEXT: gone}), Split.VALID).scores
    fresh = evaluate(scorer, source, Split.VALID, keep_states=False).scores

    np.testing.assert_allclose(whole[Branch.TEXT], fresh[Branch.TEXT], atol=1e-6)
    np.testing.assert_allclose(again[Branch.TEXT], without[Branch.TEXT], atol=1e-6)
    assert (np.abs(without[Branch.TEXT] - whole[Branch.TEXT]) > 1e-4).tolist() == gone.tolist()


def test_a_rates_mean_and_deviation_are_over_its_draws() -> None:
    drawn = {"a": (1.0, 2.0, 4.0), "b": (1.0, math.nan), "c": (3.0,)}
    point = RatePoint(rate=0.5, missing_share=0.5, metrics=drawn)

    assert point.mean("a") == pytest.approx(7 / 3)
    assert point.sd("a") == pytest.approx(1.5275252316519468)
    assert math.isnan(point.mean("b"))
    assert math.isnan(point.sd("c"))
