"""A sample's numbers do not depend on the batch it is in."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from setgf.config import DataConfig
from setgf.data.batch import (
    Batch,
    BatchLabels,
    BatchSource,
    fit_normaliser,
    open_batches,
    padding_mask,
)
from setgf.data.kept import fits
from setgf.data.store import FeatureStore
from setgf.data.synthetic import synthesise
from setgf.errors import ConfigError
from setgf.home import Home
from setgf.terms import Dataset, Modality, Split
from tests.data.builders import make_store

PARTS = (("audio", "audio_lengths"), ("vision", "vision_lengths"), ("tokens", "text_lengths"))


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> FeatureStore:
    return synthesise(Home(tmp_path_factory.mktemp("home")), "s", Dataset.SIMS, num_samples=40)


def open_source(
    store: FeatureStore, split: Split = Split.TRAIN, settings: Any = None, **more: Any
) -> BatchSource:
    config = DataConfig(**{**(settings or {}), **more})
    normaliser = fit_normaliser(store, config)
    return open_batches(store, split, config, tokenizer_folder=None, normaliser=normaliser)


ANY_SETTINGS = st.fixed_dictionaries(
    {
        "max_frames": st.sampled_from([0, 3, 16]),
        "max_tokens": st.sampled_from([3, 50]),
        "normalise": st.booleans(),
        "normalise_modalities": st.sampled_from([("audio",), ("vision",), ("audio", "vision")]),
        "audio_features": st.sampled_from([(), ("3",), ("0-4", "30")]),
        "vision_features": st.sampled_from([(), ("700", "5-9")]),
        "modalities": st.sampled_from(
            [("text", "audio", "vision"), ("text", "vision"), ("audio",), ("vision", "audio")]
        ),
        "keep_mib": st.sampled_from([0, 1024]),
    }
)


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=25
)
@given(st.permutations(range(26)), st.lists(st.integers(1, 9), min_size=1), ANY_SETTINGS)
def test_numbers_are_the_same_whatever_the_grouping(
    store: FeatureStore, order: list[int], sizes: list[int], chosen: dict[str, Any]
) -> None:
    alone = open_source(store, settings=chosen, keep_mib=0)
    grouped = open_source(store, settings=chosen)
    ends = np.minimum(np.cumsum(sizes), len(order))

    for index in np.split(np.array(order), ends[:-1]):
        batch, labels = grouped.batch(index)

        assert batch.index.tolist() == index.tolist()
        for row, sample in enumerate(index):
            assert_same_sample(batch, labels, row, *alone.batch(np.array([sample])))


def assert_same_sample(
    batch: Batch, labels: BatchLabels, row: int, own: Batch, own_labels: BatchLabels
) -> None:
    """Every array and every label of a sample is what it is alone; all after its end is zero."""
    for name, length_name in PARTS:
        ours, length = getattr(batch, name)[row], int(getattr(batch, length_name)[row])
        assert length == int(getattr(own, length_name)[0])
        torch.testing.assert_close(ours[:length], getattr(own, name)[0, :length], rtol=0, atol=1e-6)
        assert not ours[length:].any()
    for name in ("fusion", "text", "audio", "vision"):
        assert getattr(labels, name)[row] == getattr(own_labels, name)[0]


@pytest.mark.parametrize("keep_mib", [0, 1024])
def test_what_is_kept_changes_no_bit(store: FeatureStore, keep_mib: int) -> None:
    source, kept = open_source(store, keep_mib=0), open_source(store, keep_mib=keep_mib)

    assert kept.is_kept == bool(keep_mib)
    for _ in range(2):  # made, then found
        for index in (np.array([3, 1, 20]), np.array([1, 5]), np.arange(26)):
            ours, theirs = kept.batch(index)[0], source.batch(index)[0]
            assert all(torch.equal(getattr(ours, name), getattr(theirs, name)) for name, _ in PARTS)


def test_what_does_not_fit_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    mib, cpu = 1 << 20, torch.device("cpu")

    assert fits(3 * mib, 3, cpu)
    assert not fits(3 * mib + 1, 3, cpu)
    monkeypatch.setattr("setgf.data.kept.free_memory", lambda: 400 * mib)
    assert fits(100 * mib, 1024, cpu)
    assert not fits(101 * mib, 1024, cpu)


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
    assert normaliser.audio is not None
    np.testing.assert_allclose(normaliser.audio.mean, train.mean(axis=0), rtol=1e-4, atol=1e-4)
    assert fit_normaliser(store, DataConfig(normalise=False)) is None
    raw, _ = open_source(store, normalise=False, max_frames=0).batch(np.array([0]))
    np.testing.assert_array_equal(raw.audio[0], store.split(Split.TRAIN).audio.row(0))


def test_only_the_named_modalities_are_scaled(store: FeatureStore) -> None:
    source = open_source(store, normalise_modalities=("vision",), max_frames=0)

    batch, _ = source.batch(np.array([0]))

    train = store.split(Split.TRAIN)
    np.testing.assert_array_equal(batch.audio[0], train.audio.row(0))
    assert not np.array_equal(batch.vision[0].numpy(), train.vision.row(0))


def test_a_model_sees_the_selected_features_only(store: FeatureStore) -> None:
    every = open_source(store).batch(np.arange(4))[0]
    source = open_source(store, audio_features=("30", "0-2"), vision_features=("708",))

    few = source.batch(np.arange(4))[0]

    assert (source.facts.audio_width, source.facts.vision_width) == (4, 1)
    assert torch.equal(few.audio, every.audio[:, :, [0, 1, 2, 30]])
    assert torch.equal(few.vision, every.vision[:, :, [708]])


def test_a_feature_the_store_does_not_have_is_refused(store: FeatureStore) -> None:
    with pytest.raises(ConfigError, match=r"feature 40, but audio .* has the features 0 to 32"):
        open_source(store, audio_features=("12-40",))


def test_a_store_without_its_scaling_is_scaled_by_its_train_frames(store: FeatureStore) -> None:
    older = replace(store, manifest=replace(store.manifest, scaling=None))

    batch, again = (open_source(one).batch(np.arange(26))[0] for one in (store, older))

    assert torch.equal(batch.audio, again.audio)


def test_aligned_frames_have_a_step_for_every_word_piece_at_most(store: FeatureStore) -> None:
    rows = np.arange(6)
    plain, _ = open_source(store, max_frames=0).batch(rows)

    aligned, _ = open_source(store, max_frames=0, align_to_text=True).batch(rows)

    assert torch.equal(aligned.tokens, plain.tokens)
    for part in ("audio", "vision"):
        frames = getattr(plain, f"{part}_lengths")
        steps = getattr(aligned, f"{part}_lengths")
        assert torch.equal(steps, torch.minimum(frames, aligned.text_lengths))
    assert (aligned.audio_lengths < plain.audio_lengths).any()


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
    assert source.token_facts.cut == source.size == 26
    assert source.token_facts.pieces == 26 * 5
