"""Samples to score come without labels and splits, one or many."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from setgf.data.sample_file import read_samples
from setgf.errors import DataError
from setgf.terms import Modality
from tests.data.builders import make_content, make_entry


def write(tmp_path: Path, content: Any) -> Path:
    path = tmp_path / "samples.pkl"
    path.write_bytes(pickle.dumps(content, 4))
    return path


def test_many_samples_are_read_as_those_of_a_split(tmp_path: Path) -> None:
    entry = make_entry("test", count=5)
    unlabelled = {key: entry[key] for key in ("id", "raw_text", "audio", "vision")}

    samples = read_samples(write(tmp_path, unlabelled))

    assert samples.data.ids == tuple(entry["id"])
    assert samples.data.transcripts == tuple(entry["raw_text"])
    assert samples.data.audio.lengths.tolist() == entry["audio_lengths"]
    np.testing.assert_array_equal(samples.data.vision.row(3), entry["vision"][3, :4])
    assert np.isnan(samples.data.labels).all()
    assert samples.modalities == tuple(Modality)


@pytest.mark.parametrize("text", ["so good", b"so good", np.array("so good")])
def test_one_sample_needs_no_axis_for_it(tmp_path: Path, text: Any) -> None:
    audio = np.random.default_rng(0).normal(size=(7, 4)).astype(np.float32)
    audio[5:] = 0
    audio[2, 1] = np.inf

    samples = read_samples(write(tmp_path, {"raw_text": text, "audio": audio, "id": "mine"}))

    assert samples.data.ids == ("mine",)
    assert samples.data.transcripts == ("so good",)
    assert samples.data.audio.lengths.tolist() == [5]
    assert samples.data.vision.lengths.tolist() == [0]
    assert samples.modalities == (Modality.TEXT, Modality.AUDIO)
    assert samples.remarks[0].startswith("`audio` held values that are not finite (1 +inf")


def test_a_table_of_texts_is_enough(tmp_path: Path) -> None:
    path = tmp_path / "texts.csv"
    path.write_text('id,text\na,very good\n,"bad, really"\n', encoding="utf-8")

    samples = read_samples(path)

    assert samples.data.ids == ("a", "row2")
    assert samples.data.transcripts == ("very good", "bad, really")
    assert samples.modalities == (Modality.TEXT,)


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ([1], "holds a `list`"),
        (make_content(), "it is a feature file, not samples to score.*setgf data import"),
        ({"audio": np.ones((2, 3, 4))}, "lacks `raw_text`. It has `audio`"),
        ({"raw_text": ["a", "b"], "audio": np.ones((3, 2, 4))}, "`test.audio` .* has 3 samples"),
        ({"raw_text": []}, "is empty"),
    ],
)
def test_what_can_not_be_scored_is_one_sentence(tmp_path: Path, content: Any, what: str) -> None:
    with pytest.raises(DataError, match=what):
        read_samples(write(tmp_path, content))


@pytest.mark.parametrize("data", [b"", b"id\na\n", b"\xff\xfe", b'text\n"a\n'])
def test_a_table_without_texts_is_one_sentence(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "texts.csv").write_bytes(data)

    with pytest.raises(DataError, match=r"texts\.csv"):
        read_samples(tmp_path / "texts.csv")
