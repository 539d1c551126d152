"""A sample's numbers do not depend on the batch it is in."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from setgf.config import DataConfig
from setgf.data.batch import Batch, BatchSource, fit_normaliser, open_batches, padding_mask
from setgf.data.store import FeatureStore
from setgf.data.synthetic import synthesise
from setgf.home import Home
from setgf.terms import Dataset, Modality, Split
from tests.data.builders import make_store

PARTS = (("audio", "audio_lengths"), ("vision", "vision_lengths"), ("tokens", "text_lengths"))


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> FeatureStore:
    return synthesise(Home(tmp_path_factory.mktemp("home")), "s", Dataset.SIMS, num_samples=40)


def open_source(store: FeatureStore, split: Split = Split.TRAIN, **settings: Any) -> BatchSource:
    config = DataConfig(**settings)
    normaliser = fit_normaliser(store, config)
    return open_batches(store, split, config, tokenizer_folder=None, normaliser=normaliser)


def real_part(batch: Batch, row: int, name: str, length_name: str) -> torch.Tensor:
    return getattr(batch, name)[row, : int(getattr(batch, length_name)[row])]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.permutations(range(26)), st.integers(1, 26), st.sampled_from([0, 3, 16]))
def test_numbers_are_the_same_whatever_the_grouping(
    store: FeatureStore, order: list[int], size: int, max_frames: int
) -> None:
    source = open_source(store, max_frames=max_frames)
    index = np.array(order[:size])

    batch, labels = source.batch(index)

    assert batch.index.tolist() == index.tolist()
    for row, sample in enumerate(index):
        alone, own_labels = source.batch(np.array([sample]))
        assert labels.fusion[row] == own_labels.fusion[0]
        for name, length_name in PARTS:
            ours = real_part(batch, row, name, length_name)
            torch.testing.assert_close(
                ours, real_part(alone, 0, name, length_name), rtol=0, atol=1e-6
            )


def test_padding_is_zero_and_batches_are_cut_to_their_longest(store: FeatureStore) -> None:
    source = open_source(store)
    batch, _ = source.batch(np.arange(8))

    for name, length_name in PARTS:
        values, lengths = getattr(batch, name), getattr(batch, length_name)
        assert values.shape[1] == int(lengths.max())
        padded = padding_mask(lengths, values.shape[1], torch.device("cpu"))
        assert not values[padded].any()
    assert batch.audio.shape[2] == 33
    assert batch.vision.dtype == torch.float32
    assert batch.tokens.dtype == batch.audio_lengths.dtype == torch.int64
    assert not batch.segments.any()
    assert batch.size == 8


def test_labels_travel_beside_the_batch(store: FeatureStore) -> None:
    source = open_source(store, Split.TEST)
    data = store.split(Split.TEST)

    _, labels = source.batch(np.array([2, 0]))

    assert labels.fusion.tolist() == data.labels[[2, 0]].tolist()
    assert labels.text is not None
    assert data.unimodal_labels is not None
    assert labels.text.tolist() == data.unimodal_labels[Modality.TEXT][[2, 0]].tolist()


@pytest.mark.parametrize("kept", ["text", "audio", "vision"])
def test_a_modality_that_is_left_out_has_length_zero(store: FeatureStore, kept: str) -> None:
    source = open_source(store, modalities=(kept,))

    batch, _ = source.batch(np.arange(3))

    lengths = {
        "text": batch.text_lengths,
        "audio": batch.audio_lengths,
        "vision": batch.vision_lengths,
    }
    for name, values in lengths.items():
        assert bool(values.any()) == (name == kept)
    for left_out in {"text", "audio", "vision"} - {kept}:
        values = getattr(batch, left_out if left_out != "text" else "tokens")
        assert values.shape[:2] == (3, 1)
        assert not values.any()
    assert source.lengths[:3].tolist() == lengths[kept].tolist()


def test_the_normaliser_sees_train_only_and_may_be_off(store: FeatureStore) -> None:
    train = np.asarray(store.split(Split.TRAIN).audio.values)
    normaliser = fit_normaliser(store, DataConfig())

    assert normaliser is not None
    np.testing.assert_allclose(normaliser.audio.mean, train.mean(axis=0), rtol=1e-4, atol=1e-4)
    assert fit_normaliser(store, DataConfig(normalise=False)) is None
    raw, _ = open_source(store, normalise=False, max_frames=0).batch(np.array([0]))
    np.testing.assert_array_equal(raw.audio[0], store.split(Split.TRAIN).audio.row(0))


def test_facts_come_from_the_data(store: FeatureStore) -> None:
    facts = open_source(store, Split.VALID).facts

    assert (facts.dataset, facts.language) == (Dataset.SIMS, "zh")
    assert (facts.audio_width, facts.vision_width) == (33, 709)
    assert (facts.label_limit, facts.num_train) == (1.0, 26)


def test_samples_without_frames_and_batches_of_one_work(home: Home) -> None:
    source = open_source(make_store(home, train=(0, 2)))

    alone, _ = source.batch(np.array([0]))

    assert alone.audio.shape == (1, 1, 4)
    assert alone.audio_lengths.tolist() == [0]
    assert source.ids == ("train0$_$1", "train1$_$1")


def test_tokens_are_cut_with_their_end_kept(store: FeatureStore) -> None:
    source = open_source(store, max_tokens=5)

    batch, _ = source.batch(np.arange(4))

    assert batch.tokens.shape == (4, 5)
    assert batch.tokens[:, 0].tolist() == [101] * 4
    assert batch.tokens[:, -1].tolist() == [102] * 4
    assert source.text_lengths.max() == 5
