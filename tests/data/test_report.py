"""The report counts what the protocol counts."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from setgf.data.report import build_report, class_counts, describe_floors, name_some
from setgf.data.store import SplitData
from setgf.terms import Dataset, Split
from tests.data.builders import make_split, make_splits


def test_mosi_classes_round_half_to_even_and_know_two_kinds_of_zero() -> None:
    labels = np.array([-2.6, -1.5, -0.5, 0.0, 0.5, 1.5, 2.5, 3.0], np.float32)

    counts = class_counts(Dataset.MOSI, labels)

    assert counts["acc2_has0"] == {"-1": 3, "1": 5}
    assert counts["acc2_non0"] == {"-1": 3, "1": 4}
    assert counts["acc3"] == {"-1": 2, "0": 3, "1": 3}
    assert counts["acc5"] == {"-2": 2, "0": 3, "2": 3}
    assert counts["acc7"] == {"-3": 1, "-2": 1, "0": 3, "2": 2, "3": 1}


def test_sims_bins_hold_their_upper_end() -> None:
    labels = np.array([-1.0, -0.7, -0.6, -0.1, 0.0, 0.1, 0.2, 0.7, 0.8, 1.0], np.float32)

    counts = class_counts(Dataset.SIMS, labels)

    assert counts["acc2"] == {"-1": 5, "1": 5}
    assert counts["acc3"] == {"-1": 4, "0": 2, "1": 4}
    assert counts["acc5"] == {"-2": 2, "-1": 2, "0": 2, "1": 2, "2": 2}


def with_labels(**labels: list[float]) -> dict[Split, SplitData]:
    return {
        split: replace(
            make_split(lengths=(1,) * len(labels[str(split)])),
            labels=np.array(labels[str(split)], np.float32),
        )
        for split in Split
    }


def test_floors_use_the_train_median_and_the_largest_test_class() -> None:
    splits = with_labels(train=[0, 1, 2], valid=[0], test=[-1, 3, 3, 1])

    floors = describe_floors(splits, Dataset.MOSI)

    assert floors["mae"] == pytest.approx((2 + 2 + 2 + 0) / 4)
    assert floors["acc2_non0"] == 0.75
    assert floors["acc7"] == 0.5


def test_a_test_split_of_zeros_has_no_floor_without_zeros() -> None:
    floors = describe_floors(with_labels(train=[0], valid=[0], test=[0, 0]), Dataset.MOSI)

    assert "acc2_non0" not in floors
    assert floors["acc2_has0"] == 1.0


def test_the_report_is_plain_json_with_every_sample_in_the_histogram() -> None:
    report = json.loads(json.dumps(build_report(make_splits(), Dataset.MOSI)))

    train = report["splits"]["train"]
    assert train["samples"] == sum(train["labels"]["histogram"]) == 3
    assert train["videos"] == 3
    assert sum(train["lengths"]["audio"].pop("histogram")) == 3
    assert train["lengths"]["audio"] == {
        "mean": pytest.approx(8 / 3),
        "median": 3.0,
        "longest": 5,
        "empty": 1,
        "steps": 8,
    }


def test_long_lists_of_names_are_cut() -> None:
    assert name_some(["a", "b"]) == "`a`, `b`"
    assert name_some([str(n) for n in range(8)]) == "`0`, `1`, `2`, `3`, `4` and 3 more"


def with_ids(**ids: tuple[str, ...]) -> dict[Split, SplitData]:
    return {
        split: replace(make_split(lengths=(1,) * len(ids[str(split)])), ids=ids[str(split)])
        for split in Split
    }


def test_splits_that_share_nothing_have_no_leak() -> None:
    splits = with_ids(train=("a$_$1", "a$_$2"), valid=("b$_$1",), test=("c$_$1",))

    report = build_report(splits, Dataset.MOSI)

    assert not any(report["leaks"].values())
    assert report["remarks"] == []


def test_a_clip_in_another_split_than_its_video_is_named() -> None:
    splits = with_ids(train=("a$_$1", "a$_$2"), valid=("b[0]",), test=("c$_$1", "a$_$3"))

    report = build_report(splits, Dataset.MOSI)

    assert report["leaks"]["shared_videos"] == ["a"]
    assert report["leaks"]["shared_clips"] == ["test: a$_$3"]
    assert report["leaks"]["shared_ids"] == []
    assert any("Leak: 1 videos" in remark and "`a`" in remark for remark in report["remarks"])
    assert any("`test: a$_$3`" in remark for remark in report["remarks"])


def test_ids_given_twice_or_in_two_splits_are_named() -> None:
    splits = with_ids(train=("x", "x", "y"), valid=("y",), test=("z",))

    leaks = build_report(splits, Dataset.MOSI)["leaks"]

    assert leaks["duplicate_ids"] == ["x"]
    assert leaks["shared_ids"] == ["y"]
    assert leaks["shared_videos"] == []


def test_unknown_word_pieces_are_counted() -> None:
    splits = make_splits()
    train = splits[Split.TRAIN]
    assert train.tokens is not None
    pieces = replace(train.tokens, values=train.tokens.values.copy())
    pieces.values[[1, 2]] = 100
    splits[Split.TRAIN] = replace(train, tokens=pieces)

    found = build_report(splits, Dataset.MOSI)["splits"]["train"]["word_pieces"]

    assert (found["pieces"], found["unknown"]) == (len(pieces.values), 2)
