"""What frames are like is counted when a store is written, and told."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from setgf.data.frame_facts import describe_frames, pool
from setgf.data.frames import CLIP, fit_scaling
from setgf.data.ragged import Ragged, from_rows, offsets_of
from setgf.data.report import build_report
from setgf.data.report_text import describe_store
from setgf.data.ridge import describe_ridge
from setgf.data.split_data import SplitData
from setgf.data.store import open_store, write_store
from setgf.home import Home
from setgf.terms import Modality, Split
from tests.data.builders import make_facts, make_split, make_splits, make_store


def with_audio(values: np.ndarray) -> dict[Split, SplitData]:
    frames = Ragged(values.astype(np.float32), np.array([0, len(values)]))
    splits = {split: make_split(str(split), (4,)) for split in Split}
    splits[Split.TRAIN] = replace(splits[Split.TRAIN], audio=frames)
    return splits


def test_features_that_never_change_and_frames_of_zeros_are_named() -> None:
    values = np.random.default_rng(0).normal(size=(50, 4))
    values[:, 2] = 7.0
    values[10:13] = 0.0
    values[10:13, 2] = 7.0
    found = describe_frames(with_audio(values))

    assert found.report["audio"]["constant_features"] == [2]
    assert any("1 of 4 features that never change" in remark for remark in found.remarks)
    values[:, 2] = values[:, 1]
    again = describe_frames(with_audio(values))
    assert again.report["audio"]["splits"]["train"]["zero_frames"] == 3
    assert any("all zero within its sequences: train 3" in remark for remark in again.remarks)


def test_values_far_from_the_mean_are_counted_with_their_feature() -> None:
    values = np.random.default_rng(0).normal(size=(1000, 4))
    values[7, 3] = 400.0

    train = describe_frames(with_audio(values)).report["audio"]["splits"]["train"]

    assert train["outliers"] == 1
    assert train["outlier_share"] == 1 / 4000
    assert next(iter(train["furthest"])) == "3"
    assert train["furthest"]["3"] > CLIP


def test_the_scaling_in_the_manifest_is_that_of_fitting_train(home: Home) -> None:
    splits = make_splits(train=(30, 0, 20))
    write_store(home.data, "small", splits, make_facts())

    plain = open_store(home, "small").manifest.scaling

    assert plain is not None
    fitted = fit_scaling(splits[Split.TRAIN].vision.values)
    assert np.array(plain["vision"]["mean"], np.float32).tobytes() == fitted.mean.tobytes()
    assert np.array(plain["vision"]["spread"], np.float32).tobytes() == fitted.spread.tobytes()


def test_pooling_is_the_mean_of_every_sequence() -> None:
    lengths = [0, 3, 0, 0, 5, 1, 0]
    rows = [np.random.default_rng(n).normal(size=(n, 2)).astype(np.float32) for n in lengths]
    ragged = from_rows(rows, empty=np.zeros((0, 2), np.float32))

    pooled = pool(ragged)

    expected = [row.mean(axis=0) if len(row) else np.zeros(2) for row in rows]
    np.testing.assert_allclose(pooled, expected, atol=1e-6)


def test_ridge_finds_what_is_planted_and_nothing_else() -> None:
    random = np.random.default_rng(3)
    splits: dict[Split, SplitData] = {}
    for split, count in ((Split.TRAIN, 300), (Split.VALID, 80), (Split.TEST, 80)):
        labels = random.uniform(-3, 3, count).astype(np.float32)
        told = np.column_stack([labels, random.normal(size=count)]).astype(np.float32)
        noise = random.normal(size=(count, 3)).astype(np.float32)
        splits[split] = replace(
            make_split(str(split), (1,) * count),
            labels=labels,
            transcripts=tuple("good " * int(y > 0) + "film" for y in labels),
            audio=Ragged(told, offsets_of(np.ones(count, np.int64))),
            vision=Ragged(noise, offsets_of(np.ones(count, np.int64))),
        )

    found = describe_ridge(splits, tuple(Modality))

    assert found["audio"]["corr"] > 0.999
    assert found["text"]["corr"] > 0.8
    assert abs(found["vision"]["corr"]) < 0.4


def test_the_report_names_classes_by_words_and_says_that_nothing_leaks(home: Home) -> None:
    make_store(home)
    store = open_store(home, "small")
    facts = make_facts(report=_full_report())
    written = write_store(home.data, "told", make_splits(), facts)

    lines = list(describe_store(written))

    assert store.manifest.report["ridge"].keys() == {"text", "audio", "vision"}
    assert any(
        line.startswith("  acc2_has0  negative 1/1/1   non-negative 2/2/2") for line in lines
    )
    assert any("weakly negative" in line for line in lines)
    assert [line for line in lines if len(line) > 78 and "sha256" not in line] == []
    assert "No video and no id is in more than one split." in lines
    assert any(line.startswith("  audio  ") and "median" in line for line in lines)


def _full_report() -> dict[str, object]:
    return build_report(make_splits(), make_facts().dataset)


@pytest.mark.parametrize("missing", ["frames", "ridge"])
def test_reports_of_earlier_stores_are_shown_too(home: Home, missing: str) -> None:
    facts = make_facts(report=_full_report())
    store = write_store(home.data, "old", make_splits(), facts)
    report = {key: part for key, part in store.manifest.report.items() if key != missing}
    for part in report["splits"].values():
        part.pop("word_pieces")
        part["lengths"]["audio"].pop("histogram")

    lines = list(describe_store(replace(store, manifest=replace(store.manifest, report=report))))

    assert any(line.startswith("Classes") for line in lines)


def test_ridge_without_words_or_frames_answers_the_mean() -> None:
    splits = {
        split: replace(make_split(str(split), (0, 0, 0)), transcripts=("", " ", "..."))
        for split in Split
    }

    found = describe_ridge(splits, tuple(Modality))

    labels = splits[Split.TEST].labels
    assert found["text"]["mae"] == pytest.approx(float(np.abs(labels - labels.mean()).mean()))
    assert found["audio"] == found["text"]
    assert "corr" not in found["text"]
