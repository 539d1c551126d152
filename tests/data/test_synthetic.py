"""Made-up stores have the shape of real ones and a signal in every modality, none enough alone."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from setgf.data.ragged import Ragged
from setgf.data.sentences import CHINESE, ENGLISH
from setgf.data.store import FeatureStore, SplitData
from setgf.data.synthetic import SHAPES, synthesise
from setgf.errors import DataError
from setgf.home import Home
from setgf.terms import MODALITIES, Dataset, Modality, Split

Table = NDArray[np.float64]


@pytest.fixture(scope="module")
def mosi(tmp_path_factory: pytest.TempPathFactory) -> FeatureStore:
    folder = tmp_path_factory.mktemp("home")
    return synthesise(Home(folder), "mosi", Dataset.MOSI, num_samples=600, seed=0)


def pool(frames: Ragged) -> Table:
    """Mean and last third of every sequence: (N, 2D)."""
    rows = [frames.row(place).astype(np.float64) for place in range(len(frames))]
    return np.stack(
        [np.concatenate([row.mean(axis=0), row[-(len(row) // 3) :].mean(axis=0)]) for row in rows]
    )


def count_opinions(data: SplitData) -> Table:
    """How often every opinion stands in every transcript: (N, number of opinions)."""
    opinions = [text for texts in ENGLISH.opinions.values() for text in texts]
    return np.array(
        [[text.count(opinion) for opinion in opinions] for text in data.transcripts], float
    )


def predict(train: Table, labels: NDArray[np.float32], test: Table) -> Table:
    """Ridge regression on standardised columns."""
    mean, spread = train.mean(axis=0), train.std(axis=0) + 1e-9
    inputs, goal = (train - mean) / spread, labels - labels.mean()
    weights = np.linalg.solve(inputs.T @ inputs + 10 * np.eye(inputs.shape[1]), inputs.T @ goal)
    return (test - mean) / spread @ weights + labels.mean()


def read_modalities(data: SplitData) -> dict[Modality, Table]:
    return {
        Modality.TEXT: count_opinions(data),
        Modality.AUDIO: pool(data.audio),
        Modality.VISION: pool(data.vision),
    }


def test_every_modality_tells_something_and_none_tells_all(mosi: FeatureStore) -> None:
    train, test = mosi.split(Split.TRAIN), mosi.split(Split.TEST)
    known, asked = read_modalities(train), read_modalities(test)

    def error(parts: tuple[Modality, ...]) -> float:
        inputs = np.hstack([known[part] for part in parts])
        answers = predict(inputs, train.labels, np.hstack([asked[part] for part in parts]))
        return float(np.abs(answers - test.labels).mean())

    floor = float(np.abs(np.median(train.labels) - test.labels).mean())
    alone = {part: error((part,)) for part in MODALITIES}
    together = error(MODALITIES)

    assert all(value < 0.97 * floor for value in alone.values()), (floor, alone)
    assert alone[Modality.TEXT] == min(alone.values())
    assert together < 0.6 * alone[Modality.TEXT], (together, alone)


def test_human_labels_of_a_sims_store_are_the_shares(home: Home) -> None:
    store = synthesise(home, "sims", Dataset.SIMS, num_samples=120)
    data = store.split(Split.TRAIN)

    assert data.unimodal_labels is not None
    parts = [data.unimodal_labels[part] for part in MODALITIES]
    assert all(-1 <= labels.min() < -0.5 < 0.5 < labels.max() <= 1 for labels in parts)
    assert all(np.corrcoef(part, data.labels)[0, 1] > 0.25 for part in parts)
    assert abs(np.corrcoef(parts[0], parts[1])[0, 1]) < 0.4


@pytest.mark.parametrize("dataset", Dataset)
def test_widths_lengths_and_labels_have_the_shape_of_the_data_set(
    home: Home, dataset: Dataset
) -> None:
    store = synthesise(home, "made", dataset, num_samples=60)
    shape, manifest = SHAPES[dataset], store.manifest

    assert manifest.dataset is dataset
    assert not manifest.aligned
    assert (manifest.audio_width, manifest.vision_width) == (shape.audio_width, shape.vision_width)
    assert sum(manifest.sizes.values()) == 60
    assert manifest.has_unimodal_labels == dataset.startswith("sims")
    for split in Split:
        data = store.split(split)
        assert 1 < data.audio.lengths.mean() < data.audio.lengths.max() <= shape.audio_frames
        assert 1 < data.vision.lengths.mean() < data.vision.lengths.max() <= shape.vision_frames
        assert np.abs(data.labels).max() <= dataset.label_limit
        steps = data.labels / shape.label_step
        np.testing.assert_allclose(steps, np.rint(steps), atol=1e-4)
        assert np.isfinite(data.audio.values).all()


def test_transcripts_are_sentences_of_the_language(home: Home, mosi: FeatureStore) -> None:
    chinese = synthesise(home, "sims", Dataset.SIMS, num_samples=20).split(Split.TEST)
    english = mosi.split(Split.TEST)

    assert all(text.startswith(tuple(ENGLISH.openings)) for text in english.transcripts)
    assert all(text.endswith(".") and len(text.split()) > 10 for text in english.transcripts)
    assert all(text.startswith(tuple(CHINESE.openings)) for text in chinese.transcripts)
    assert len(set(english.transcripts)) > 0.95 * english.size


def test_no_video_is_in_two_splits(mosi: FeatureStore) -> None:
    assert mosi.manifest.report["leaks"] == {
        "duplicate_ids": [],
        "shared_ids": [],
        "shared_videos": [],
        "shared_clips": [],
    }
    assert mosi.manifest.report["remarks"] == []
    assert mosi.split(Split.TRAIN).ids[:5] == tuple(
        f"video{video:04}$_${clip}" for video, clip in ((0, 1), (0, 2), (0, 3), (0, 4), (1, 1))
    )


def test_the_same_seed_makes_the_same_store_and_another_does_not(home: Home) -> None:
    def fingerprint(name: str, seed: int) -> str:
        return synthesise(home, name, num_samples=20, seed=seed).manifest.fingerprint

    assert fingerprint("a", 1) == fingerprint("b", 1)
    assert fingerprint("c", 2) != fingerprint("d", 1)


def test_sizes_may_be_given_by_split(home: Home) -> None:
    sizes = {Split.TRAIN: 9, Split.VALID: 2, Split.TEST: 3}

    assert synthesise(home, "made", sizes=sizes).manifest.sizes == sizes


def test_a_demo_store_is_a_few_megabytes(home: Home) -> None:
    for dataset in (Dataset.MOSI, Dataset.SIMS):
        store = synthesise(home, dataset, dataset)
        assert sum(facts.size for facts in store.manifest.files.values()) < 9_000_000


def test_too_few_samples_are_refused(home: Home) -> None:
    with pytest.raises(DataError, match="needs 12 samples or more, but 11 were asked for"):
        synthesise(home, "made", num_samples=11)
    with pytest.raises(DataError, match="Every split needs 1 sample or more"):
        synthesise(home, "made", sizes={Split.TRAIN: 5, Split.VALID: 0, Split.TEST: 5})
