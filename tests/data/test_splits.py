"""New splits: no video in two of them, every sample in one, the same for the same seed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from setgf.cli.data import app
from setgf.data.splits import NewSplits, SplitBy, deal, fold_store, split_store
from setgf.data.store import FeatureStore, SplitData, open_store
from setgf.data.synthetic import synthesise
from setgf.errors import DataError
from setgf.home import Home
from setgf.terms import Dataset, Modality, Split
from tests.data.builders import make_store


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Home, FeatureStore]:
    home = Home(tmp_path_factory.mktemp("home"))
    return home, synthesise(home, "s", Dataset.SIMS, num_samples=40)


def samples(store: FeatureStore) -> dict[str, tuple[object, ...]]:
    """Return everything that is stored of every sample, by id."""
    found: dict[str, tuple[object, ...]] = {}
    for split in Split:
        data: SplitData = store.split(split)
        for row, sample in enumerate(data.ids):
            unimodal = data.unimodal_labels or {}
            found[sample] = (
                data.transcripts[row],
                float(data.labels[row]),
                *(float(unimodal[part][row]) for part in Modality),
                data.audio.row(row).tobytes(),
                data.vision.row(row).tobytes(),
                None if data.tokens is None else data.tokens.row(row).tobytes(),
            )
    return found


def videos(store: FeatureStore) -> Mapping[Split, set[str]]:
    return {split: {sample.split("$_$")[0] for sample in store.split(split).ids} for split in Split}


@given(
    st.lists(st.integers(0, 20), min_size=1, max_size=80),
    st.sampled_from([(0.7, 0.1, 0.2), (0.2,) * 5, (0.5, 0.25, 0.25)]),
    st.integers(0, 2**40),
)
def test_every_sample_is_dealt_once_and_groups_stay_whole(
    numbers: list[int], shares: tuple[float, ...], seed: int
) -> None:
    groups = [f"video{number}" for number in numbers]
    if len(set(groups)) < len(shares):
        with pytest.raises(DataError, match="at least, but there are"):
            deal(groups, shares, seed=seed)
        return

    parts = deal(groups, shares, seed=seed)

    assert sorted(np.concatenate(parts).tolist()) == list(range(len(groups)))
    assert all(len(part) for part in parts)
    held = [{groups[row] for row in part.tolist()} for part in parts]
    assert sum(map(len, held)) == len(set(groups))
    again = deal(groups, shares, seed=seed)
    assert [part.tolist() for part in parts] == [part.tolist() for part in again]


def test_parts_are_as_large_as_they_shall_be() -> None:
    groups = [f"video{row // 5}" for row in range(2000)]

    sizes = [len(part) for part in deal(groups, (0.7, 0.1, 0.2), seed=3)]

    np.testing.assert_allclose(sizes, [1400, 200, 400], atol=5)


def test_new_splits_hold_the_same_samples_and_share_no_video(
    shared: tuple[Home, FeatureStore],
) -> None:
    home, store = shared

    made = split_store(home, store, "by-video", NewSplits(seed=7))

    assert samples(made) == samples(store)
    held = videos(made)
    assert not held[Split.TRAIN] & held[Split.TEST]
    assert not held[Split.TRAIN] & held[Split.VALID]
    assert not held[Split.VALID] & held[Split.TEST]
    assert held != videos(store)
    assert made.manifest.report["leaks"]["shared_videos"] == []
    assert made.manifest.fingerprint != store.manifest.fingerprint
    assert made.manifest.made_by == "by video, seed 7, 0.7, 0.1, 0.2, from `s`"
    open_store(home, "by-video").check()


def test_another_seed_makes_other_splits_and_random_ones_share_videos(
    shared: tuple[Home, FeatureStore],
) -> None:
    home, store = shared
    first, again, other = (
        split_store(home, store, f"seed{number}", NewSplits(seed=seed))
        for number, seed in enumerate((1, 1, 2))
    )

    random = split_store(home, store, "random", NewSplits(by=SplitBy.RANDOM))

    assert first.manifest.fingerprint == again.manifest.fingerprint
    assert first.manifest.fingerprint != other.manifest.fingerprint
    assert samples(random) == samples(store)
    assert random.manifest.report["leaks"]["shared_videos"]
    assert random.manifest.sizes == {Split.TRAIN: 28, Split.VALID: 4, Split.TEST: 8}


def test_every_sample_is_tested_in_one_fold_and_no_fold_leaks(
    shared: tuple[Home, FeatureStore],
) -> None:
    home, store = shared

    folds = fold_store(home, store, "f", NewSplits(), 5)

    assert [fold.name for fold in folds] == [f"f-fold{number}" for number in range(1, 6)]
    for split in (Split.TEST, Split.VALID):
        seen = [sample for fold in folds for sample in fold.split(split).ids]
        assert sorted(seen) == sorted(samples(store))
    for fold in folds:
        assert samples(fold) == samples(store)
        assert fold.manifest.report["leaks"]["shared_videos"] == []
    assert folds[0].manifest.made_by == "fold 1 of 5, by video, seed 0, from `s`"


def test_folds_need_three_parts_and_as_many_videos(shared: tuple[Home, FeatureStore]) -> None:
    home, store = shared

    with pytest.raises(DataError, match="3 folds or more are needed"):
        fold_store(home, store, "few", NewSplits(), 2)
    with pytest.raises(DataError, match="40 parts need as many videos"):
        fold_store(home, store, "many", NewSplits(), 40)
    assert not list(home.data.glob("few*"))
    assert not list(home.data.glob("many*"))


def test_ids_without_a_video_are_split_at_random_only(home: Home) -> None:
    store = make_store(home)
    named = replace(store.split(Split.TRAIN), ids=("a", "b", "c"))

    class Nameless(FeatureStore):
        def split(self, split: Split) -> SplitData:
            return named

    nameless = Nameless(store.name, store.path, store.manifest)

    with pytest.raises(DataError, match=r"9 of 9 ids of `small` name no video, for example `a`"):
        split_store(home, nameless, "new", NewSplits())
    assert split_store(home, nameless, "new", NewSplits(by=SplitBy.RANDOM)).manifest.sizes[
        Split.TRAIN
    ]


def test_the_command_makes_stores_that_say_how_they_were_split(home: Home) -> None:
    synthesise(home, "s", Dataset.MOSI, num_samples=40)
    run = CliRunner().invoke

    one = run(app, ["split", "s", "--as", "new", "--seed", "3", "--sizes", ".6,.2,.2"])
    many = run(app, ["split", "s", "--as", "new", "--folds", "3"])
    shown = run(app, ["show", "new"])
    taken = run(app, ["split", "s", "--as", "new"])

    assert one.exit_code == many.exit_code == 0
    assert "Made `new`: 40 samples" in one.output
    assert "`setgf queue add --data 'new-fold*'`" in many.output
    assert sorted(path.name for path in Path(home.data).iterdir()) == [
        "new",
        "new-fold1",
        "new-fold2",
        "new-fold3",
        "s",
    ]
    assert "by video, seed 3, 0.6, 0.2, 0.2, from `s`" in shown.output
    assert isinstance(taken.exception, DataError)


@pytest.mark.parametrize("sizes", ["1,2,3", "0.5,0.5", "0,0.5,0.5", "a,b,c", "-1,1,1"])
def test_shares_that_do_not_add_up_are_refused(home: Home, sizes: str) -> None:
    result = CliRunner().invoke(app, ["split", "s", "--as", "n", "--sizes", sizes])

    assert "must be three shares above 0 that add up to 1" in str(result.exception)
