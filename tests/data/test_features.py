"""Feature files are read whatever shape they come in, or refused in one sentence."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from setgf.data.features import read_feature_file
from setgf.errors import DataError
from setgf.terms import Dataset, Modality, Split
from tests.data.builders import (
    AUDIO_WIDTH,
    STEPS,
    VISION_WIDTH,
    make_content,
    make_entry,
    write_pickle,
)

Change = Callable[[dict[str, Any]], Any]


def read(tmp_path: Path, content: Any, dataset: Dataset | None = None) -> Any:
    return read_feature_file(write_pickle(tmp_path, content), dataset)


def test_frames_lose_their_padding_and_nothing_else(tmp_path: Path) -> None:
    content = make_content(count=8)

    splits = read(tmp_path, make_content(count=8)).splits

    for split in Split:
        entry, data = content[str(split)], splits[split]
        assert data.ids == tuple(entry["id"])
        assert data.transcripts == tuple(entry["raw_text"])
        np.testing.assert_array_equal(data.labels, entry["regression_labels"])
        assert data.audio.lengths.tolist() == entry["audio_lengths"]
        for row, length in enumerate(entry["vision_lengths"]):
            np.testing.assert_array_equal(data.vision.row(row), entry["vision"][row, :length])
            used = entry["text_bert"][row, 0][entry["text_bert"][row, 1] > 0]
            np.testing.assert_array_equal(data.tokens.row(row), used)
        assert data.unimodal_labels is None


def as_lists(entry: dict[str, Any]) -> None:
    for key, value in entry.items():
        entry[key] = value.tolist() if isinstance(value, np.ndarray) else value


def as_objects(entry: dict[str, Any]) -> None:
    for key in ("id", "raw_text", "annotations"):
        entry[key] = np.array(list(entry[key]), object)
    entry["regression_labels"] = entry["regression_labels"].astype(object)
    for key in ("audio", "vision"):
        ragged = np.empty(len(entry["id"]), object)
        ragged[:] = [f[:n] for f, n in zip(entry[key], entry[f"{key}_lengths"], strict=True)]
        entry[key] = ragged


def as_columns(entry: dict[str, Any]) -> None:
    entry["regression_labels"] = entry["regression_labels"][:, None]
    entry["audio_lengths"] = np.array(entry["audio_lengths"])[:, None]
    entry["id"] = np.array(entry["id"])[:, None]


def as_doubles(entry: dict[str, Any]) -> None:
    for key in ("audio", "vision", "regression_labels"):
        entry[key] = entry[key].astype(np.float64)
    entry["text_bert"] = entry["text_bert"].astype(np.int64)


def as_bytes(entry: dict[str, Any]) -> None:
    entry["id"] = np.array([name.encode() for name in entry["id"]])
    entry["raw_text"] = [word.encode() for word in entry["raw_text"]]


def padded_left(entry: dict[str, Any]) -> None:
    for key in ("audio", "vision"):
        for row, length in enumerate(entry[f"{key}_lengths"]):
            entry[key][row] = np.roll(entry[key][row], STEPS - length, axis=0)


@pytest.mark.parametrize(
    "change", [as_lists, as_objects, as_columns, as_doubles, as_bytes, padded_left]
)
def test_the_same_data_in_another_shape_is_the_same_data(tmp_path: Path, change: Change) -> None:
    content = make_content(count=7)
    for entry in content.values():
        change(entry)

    splits = read(tmp_path, content).splits
    plain = read(tmp_path, make_content(count=7)).splits

    for split in Split:
        ours, theirs = splits[split], plain[split]
        assert (ours.ids, ours.transcripts) == (theirs.ids, theirs.transcripts)
        np.testing.assert_array_equal(ours.labels, theirs.labels)
        for part in ("audio", "vision", "tokens"):
            np.testing.assert_array_equal(getattr(ours, part).values, getattr(theirs, part).values)
            np.testing.assert_array_equal(
                getattr(ours, part).offsets, getattr(theirs, part).offsets
            )


def test_the_padding_side_is_found_and_reported(tmp_path: Path) -> None:
    content = make_content()
    for entry in content.values():
        padded_left(entry)

    report = read(tmp_path, content).facts.report

    assert report["padding"] == {"audio": "left", "vision": "left"}
    assert "`audio` was padded on the left; the padding was dropped." in report["remarks"]
    assert read(tmp_path, make_content()).facts.report["padding"]["audio"] == "right"


def test_a_zero_frame_inside_a_sequence_does_not_cut_it(tmp_path: Path) -> None:
    content = make_content(count=6)
    content["train"]["audio"][5, 2] = 0

    assert read(tmp_path, content).splits[Split.TRAIN].audio.lengths.tolist() == [1, 2, 3, 4, 5, 6]


def test_lengths_the_file_has_wrong_are_counted_again_and_reported(tmp_path: Path) -> None:
    content = make_content()
    content["valid"]["audio_lengths"][2] = 1

    file = read(tmp_path, content)

    assert file.splits[Split.VALID].audio.lengths.tolist() == [1, 2, 3, 4]
    assert file.facts.report["length_differences"] == {"valid.audio": 1}
    assert any(
        "`valid.audio` has other lengths" in remark for remark in file.facts.report["remarks"]
    )


def test_a_sample_without_frames_is_empty_and_agrees_with_length_1_in_the_file(
    tmp_path: Path,
) -> None:
    content = make_content()
    content["train"]["vision"][0] = 0

    file = read(tmp_path, content)

    assert file.splits[Split.TRAIN].vision.lengths[0] == 0
    assert file.facts.report["length_differences"] == {}
    assert file.facts.report["remarks"] == ["`train.vision` has no frames at all in 1 samples."]


def test_values_that_are_not_finite_become_zero_and_are_counted(tmp_path: Path) -> None:
    content = make_content()
    frames = content["train"]["audio"].astype(np.float64)
    frames[3, 0, :3] = [np.nan, np.inf, -np.inf]
    frames[3, 1, 0] = 1e300  # too large for float32
    content["train"]["audio"] = frames

    file = read(tmp_path, content)

    row = file.splits[Split.TRAIN].audio.row(3)
    assert row[0, :3].tolist() == [0, 0, 0]
    assert row[1, 0] == 0
    assert file.facts.report["nonfinite"] == {"train.audio": {"nan": 1, "+inf": 2, "-inf": 1}}


def test_human_labels_of_every_modality_are_kept(tmp_path: Path) -> None:
    content = make_content()
    for entry in content.values():
        for place, letter in enumerate("TAV"):
            entry[f"regression_labels_{letter}"] = np.full(4, place / 4)

    unimodal = read(tmp_path, content).splits[Split.TEST].unimodal_labels

    assert {part: labels[0] for part, labels in unimodal.items()} == {
        Modality.TEXT: 0.0,
        Modality.AUDIO: 0.25,
        Modality.VISION: 0.5,
    }


def test_text_features_follow_the_attention_mask(tmp_path: Path) -> None:
    content = make_content()
    for entry in content.values():
        entry["text"] = np.ones((4, 8, 5), np.float32)  # padding is not zero: BERT's output

    split = read(tmp_path, content).splits[Split.TRAIN]

    assert split.text_features.lengths.tolist() == split.tokens.lengths.tolist()
    assert split.text_features.width == 5


def test_one_frame_a_sample_may_come_without_a_time_axis(tmp_path: Path) -> None:
    content = make_content()
    for entry in content.values():
        entry["audio"] = entry["audio"][:, 0]

    assert read(tmp_path, content).splits[Split.TRAIN].audio.lengths.tolist() == [1, 1, 1, 1]


def test_word_pieces_of_another_vocabulary_are_left_out(tmp_path: Path) -> None:
    content = make_content()
    content["train"]["text_bert"][:, 0, 0] = 0  # RoBERTa's <s>

    file = read(tmp_path, content)

    assert file.splits[Split.TEST].tokens is None
    assert any(
        "does not hold BERT word pieces" in remark for remark in file.facts.report["remarks"]
    )


def test_aligned_files_are_told_by_their_common_steps(tmp_path: Path) -> None:
    content = make_content()
    for entry in content.values():
        for part, width in (("audio", AUDIO_WIDTH), ("vision", VISION_WIDTH)):
            entry[part] = np.pad(entry[part], ((0, 0), (0, 2), (0, 0)))
            assert entry[part].shape == (4, 8, width)

    assert read(tmp_path, content).facts.aligned
    assert not read(tmp_path, make_content()).facts.aligned


def test_ids_and_videos_in_two_splits_are_reported(tmp_path: Path) -> None:
    content = make_content()
    content["train"]["id"] = ["v1$_$1", "v1$_$1", "v2$_$1", "v3$_$1"]
    content["test"]["id"] = ["v2$_$1", "v3$_$7", "v8$_$1", "v9$_$1"]

    report = read(tmp_path, content).facts.report

    assert report["leaks"] == {
        "duplicate_ids": ["v1$_$1"],
        "shared_ids": ["v2$_$1"],
        "shared_videos": ["v2", "v3"],
        "shared_clips": ["test: v2$_$1", "test: v3$_$7"],
    }
    assert any("2 videos are in more than one split: `v2`, `v3`" in r for r in report["remarks"])


@pytest.mark.parametrize(
    ("labels", "widths", "text", "family"),
    [
        (3.0, (5, 20), "good", Dataset.MOSI),
        (2.6, (38, 45), "good", Dataset.MOSI),
        (3.0, (74, 35), "good", Dataset.MOSEI),
        (1.0, (33, 709), "很好", Dataset.SIMS),
        (0.8, (25, 177), "很好", Dataset.SIMSV2),
    ],
)
def test_the_data_set_is_recognised(
    tmp_path: Path, labels: float, widths: tuple[int, int], text: str, family: Dataset
) -> None:
    content = make_content()
    for entry in content.values():
        entry["regression_labels"] = np.linspace(-labels, labels, 4)
        entry["raw_text"] = [text] * 4
        entry["audio"] = np.ones((4, 2, widths[0]), np.float32)
        entry["vision"] = np.ones((4, 2, widths[1]), np.float32)

    facts = read(tmp_path, content).facts

    assert facts.dataset is family
    assert facts.language == ("zh" if text == "很好" else "en")
    assert facts.vocabulary.endswith("chinese" if text == "很好" else "uncased")


def test_a_named_data_set_overrides_the_guess_but_not_its_label_range(tmp_path: Path) -> None:
    assert read(tmp_path, make_content(), Dataset.MOSEI).facts.dataset is Dataset.MOSEI

    with pytest.raises(DataError, match="reach 3, but those of sims lie between -1 and 1"):
        read(tmp_path, make_content(), Dataset.SIMS)


def test_a_data_set_nobody_knows_asks_for_its_name(tmp_path: Path) -> None:
    content = make_content()
    for entry in content.values():
        entry["regression_labels"] = np.linspace(-9, 9, 4)

    with pytest.raises(DataError, match=r"Can't tell which data set .* --dataset mosi"):
        read(tmp_path, content)


def drop(key: str) -> Change:
    return lambda content: content["valid"].pop(key)


def put(key: str, value: Any) -> Change:
    return lambda content: content["train"].__setitem__(key, value)


BAD_LABELS = np.array([0.0, np.nan, np.inf, 1.0])


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda content: content.pop("valid"), "has no split `valid`. It has `train`, `test`"),
        (drop("audio"), "`valid` of .* lacks `audio`"),
        (drop("id"), "lacks `id`"),
        (drop("raw_text"), "lacks `raw_text`"),
        (drop("regression_labels"), "lacks `regression_labels`"),
        (put("id", ["a", "b"]), "`train.raw_text` of .* has 4 samples, but `train.id` has 2"),
        (put("regression_labels", np.zeros(3)), "regression_labels` of .* has 3 samples"),
        (put("annotations", ["Neutral"]), "`train.annotations` of .* has 1 samples"),
        (
            put("regression_labels", BAD_LABELS),
            r"is not a finite number for 2 of 4 samples: `train1\$_\$1`, `train2\$_\$1`",
        ),
        (put("regression_labels", np.zeros((4, 2))), r"has shape \(4, 2\), but must be \(4,\)"),
        (put("regression_labels", ["bad"] * 4), "holds something that is no number"),
        (put("audio", np.zeros((4, 2, 3, 1))), r"audio` of .* has shape \(4, 2, 3, 1\)"),
        (put("audio", np.zeros(4)), r"has shape \(4,\), but must be \(N, T, D\)"),
        (put("audio", np.array(["a"] * 4)), "audio` of .* holds something that is no number"),
        (put("audio", [[["a"]]] * 4), "audio` of .* holds something that is no number"),
        (
            put("vision", [np.zeros((2, 3)), np.zeros((2, 4))] * 2),
            r"vision` of .* holds samples of shapes \(2, 3\), \(2, 4\)",
        ),
        (put("vision", np.ones((4, 2, 9))), "different widths: train 9, valid 3, test 3"),
        (put("text_bert", np.zeros((4, 8))), r"has shape \(4, 8\), but must be \(N, 3, L\)"),
        (put("text_bert", np.full((4, 3, 8), 0.5)), "has ids that are no whole numbers"),
        (put("audio_lengths", [[1, 2]] * 4), r"audio_lengths` of .* has shape \(4, 2\)"),
        (lambda c: c.__setitem__("test", make_entry("t", 0)), "`test` of .* is empty"),
        (lambda c: c.__setitem__("test", [1]), "`test` of .* is a `list`, but must be a dict"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(
    tmp_path: Path, change: Change, sentence: str
) -> None:
    content = make_content()
    change(content)

    with pytest.raises(DataError, match=sentence) as refused:
        read(tmp_path, content)

    assert "features.pkl" in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("content", [[1, 2], 5, "text", np.zeros(3), {}])
def test_a_pickle_of_something_else_is_one_sentence(tmp_path: Path, content: Any) -> None:
    with pytest.raises(DataError, match=r"`train`"):
        read(tmp_path, content)
