"""The real MOSI clips of ../shared: imported, reported and batched as they are."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from setgf.config import DataConfig
from setgf.data.batch import fit_normaliser, open_batches
from setgf.data.features import read_feature_file
from setgf.data.labelled import read_labelled
from setgf.data.sampler import epoch_order
from setgf.data.store import write_store
from setgf.data.tokens import encode, installed_tokenizer, load_tokenizer
from setgf.home import Home
from setgf.terms import Dataset, Modality, Split

MOSI = Path(__file__).parents[3] / "shared" / "data" / "mosi400_unaligned.pkl"
TRAIN_MEDIAN_MAE = 1.276
MAJORITY_ACC2_NON0 = 0.593
pytestmark = [
    pytest.mark.shared,
    pytest.mark.skipif(not MOSI.exists(), reason=f"the real data is not at {MOSI}"),
]


def test_mosi400_is_imported_reported_and_batched(home: Home) -> None:
    file = read_feature_file(MOSI)
    store = write_store(home.data, "mosi400", file.splits, file.facts)
    report = store.manifest.report

    assert store.manifest.dataset is Dataset.MOSI
    assert store.manifest.sizes == {Split.TRAIN: 268, Split.VALID: 42, Split.TEST: 90}
    assert (store.manifest.audio_width, store.manifest.vision_width) == (38, 45)
    assert report["floors"]["mae"] == pytest.approx(TRAIN_MEDIAN_MAE, abs=5e-4)
    assert report["floors"]["acc2_non0"] == pytest.approx(MAJORITY_ACC2_NON0, abs=5e-4)
    assert report["padding"] == {"audio": "right", "vision": "right"}
    assert not any(report["leaks"].values())
    assert report["length_differences"] == report["nonfinite"] == {}
    store.check()

    config = DataConfig(name="mosi400")
    source = open_batches(
        store,
        Split.TRAIN,
        config,
        tokenizer_folder=None,
        normaliser=fit_normaliser(store, config),
    )
    seen = 0
    for index in epoch_order(
        source.lengths, batch_size=32, seed=1, epoch=1, group_by_length=True, shuffle=True
    ):
        batch, labels = source.batch(index)
        assert batch.audio.shape[1] <= config.max_frames
        assert batch.audio.abs().max() <= 5
        assert batch.tokens.shape[1] <= config.max_tokens
        assert labels.fusion.abs().max() <= 3
        seen += batch.size
    assert seen == source.size


def test_a_moved_clip_is_reported_as_a_leak_with_its_id(tmp_path: Path) -> None:
    content = pickle.loads(MOSI.read_bytes())
    moved = str(content["train"]["id"][5])
    for key in content["train"]:
        part = content["train"][key]
        one, rest = part[5:6], [*part[:5], *part[6:]]
        content["train"][key] = rest if isinstance(part, list) else np.array(rest)
        test = content["test"][key]
        content["test"][key] = [*test, *one] if isinstance(part, list) else np.append(test, one, 0)
    (tmp_path / "moved.pkl").write_bytes(pickle.dumps(content, 4))

    report = read_feature_file(tmp_path / "moved.pkl").facts.report

    assert report["leaks"]["shared_clips"] == [f"test: {moved}"]
    assert report["leaks"]["shared_videos"] == [moved.split("$_$")[0]]
    assert any(f"`test: {moved}`" in remark for remark in report["remarks"])


@pytest.mark.parametrize(
    ("file", "sizes", "floor_mae", "has_unimodal"),
    [
        ("mosi_label.csv", (1284, 229, 686), 1.2, False),
        ("sims_label.csv", (1368, 456, 457), 0.55, True),
    ],
)
def test_the_label_files_are_text_only_sets_with_the_official_splits(
    home: Home, file: str, sizes: tuple[int, ...], floor_mae: float, has_unimodal: bool
) -> None:
    content = read_labelled(MOSI.parent / "labels" / file, {})
    store = write_store(home.data, "text", content.splits, content.facts)

    assert tuple(store.manifest.sizes[split] for split in Split) == sizes
    assert store.manifest.has_unimodal_labels == has_unimodal
    assert store.manifest.modalities == (Modality.TEXT,)
    assert store.manifest.report["ridge"]["text"]["mae"] < floor_mae
    first = store.split(Split.TRAIN).ids[0]
    assert first == ("video_0001$_$0001" if has_unimodal else "03bSnISJMiM$_$11")


@pytest.mark.skipif(installed_tokenizer() is None, reason="the MiniLM package is not installed")
def test_our_word_pieces_are_the_files_own() -> None:
    split = read_feature_file(MOSI).splits[Split.TEST]
    folder = installed_tokenizer()
    assert folder is not None
    assert split.tokens is not None

    again = encode(load_tokenizer(folder), split.transcripts)

    whole = [row for row in range(split.size) if len(again.row(row)) <= 50]
    assert len(whole) > 80
    for row in whole:
        np.testing.assert_array_equal(split.tokens.row(row), again.row(row))
