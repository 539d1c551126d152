"""New splits of a store's samples: by video, so that no speaker is in two of them, or at random.

Shapes: N samples of all splits together, in the order of the store: train, valid, test.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any

import numpy as np

from setgf.data.manifest import StoreFacts
from setgf.data.ragged import Array, Integers, Ragged, Sequences, offsets_of
from setgf.data.report import build_report, video_of
from setgf.data.split_data import RAGGED, SplitData, SplitSource
from setgf.data.store import FeatureStore, check_new_name, write_store
from setgf.errors import DataError
from setgf.home import Home
from setgf.terms import Split

FEWEST_FOLDS = 3
DEFAULT_SHARES = (0.7, 0.1, 0.2)


class SplitBy(StrEnum):
    """What is never torn apart."""

    VIDEO = "video"
    """All clips of a video, and so of its speaker, go into one split."""
    RANDOM = "random"
    """Single samples."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSplits:
    """How the samples of a store are dealt out anew."""

    by: SplitBy = SplitBy.VIDEO
    seed: int = 0
    shares: tuple[float, float, float] = DEFAULT_SHARES
    """Of the samples that train, valid and test get; they add up to 1."""


def split_store(
    home: Home, store: FeatureStore, name: str, wanted: NewSplits, *, force: bool = False
) -> FeatureStore:
    """Write a store of the same samples with new splits.

    Raises:
        DataError: the name is taken, the ids name no video, or a split would be empty.
    """
    check_new_name(home.data, name, force=force)
    samples = _Samples.of(store)
    groups = deal(samples.groups(wanted.by), wanted.shares, seed=wanted.seed)
    shares = ", ".join(f"{share:g}" for share in wanted.shares)
    how = f"by {wanted.by}, seed {wanted.seed}, {shares}, from `{store.name}`"
    rows = dict(zip(Split, groups, strict=True))
    return samples.write(home, name, rows, how, force=force)


def fold_store(
    home: Home,
    store: FeatureStore,
    name: str,
    wanted: NewSplits,
    folds: int,
    *,
    force: bool = False,
) -> tuple[FeatureStore, ...]:
    """Write a store `<name>-fold<i>` for every fold, i from 1.

    The samples are dealt into as many equal parts. Fold i tests on part i, validates on the next
    one and trains on the others, so every sample is tested on once.

    Raises:
        DataError: a name is taken, fewer than 3 folds, the ids name no video, or too few of them.
    """
    if folds < FEWEST_FOLDS:
        raise DataError(
            f"{FEWEST_FOLDS} folds or more are needed (one to test, one to validate, the others "
            f"to train), but {folds} were asked for."
        )
    names = [f"{name}-fold{number + 1}" for number in range(folds)]
    for each in names:
        check_new_name(home.data, each, force=force)
    samples = _Samples.of(store)
    parts = deal(samples.groups(wanted.by), (1 / folds,) * folds, seed=wanted.seed)
    made: list[FeatureStore] = []
    for number, each in enumerate(names):
        valid = (number + 1) % folds
        others = [part for at, part in enumerate(parts) if at not in (number, valid)]
        rows = {
            Split.TRAIN: np.sort(np.concatenate(others)),
            Split.VALID: parts[valid],
            Split.TEST: parts[number],
        }
        how = (
            f"fold {number + 1} of {folds}, by {wanted.by}, seed {wanted.seed}, from `{store.name}`"
        )
        made.append(samples.write(home, each, rows, how, force=force))
    return tuple(made)


def deal(groups: Sequence[str], shares: Sequence[float], *, seed: int) -> tuple[Integers, ...]:
    """Deal samples into parts, those of one group always into the same.

    Groups come in an order of chance; each goes to the part that is furthest from being full. The
    same arguments give the same parts on any machine.

    Args:
        groups: (N,) group of every sample.
        shares: of the samples every part is to have.
        seed: 0 or more.

    Returns:
        Rows (n,) int64 of every part, rising.

    Raises:
        DataError: there are fewer groups than parts.
    """
    names, group_of = np.unique(np.array(groups), return_inverse=True)
    if len(names) < len(shares):
        raise DataError(
            f"{len(shares)} parts need as many videos or samples at least, "
            f"but there are {len(names)}."
        )
    random = np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed])))
    sizes = np.bincount(group_of)
    targets = np.array(shares, np.float64) * len(groups)
    filled = np.zeros(len(shares))
    part_of = np.zeros(len(names), np.int64)
    for group in random.permutation(len(names)).tolist():
        part = int(np.argmin(filled / targets))
        part_of[group] = part
        filled[part] += sizes[group]
    return tuple(np.flatnonzero(part_of[group_of] == part) for part in range(len(shares)))


@dataclass(frozen=True, slots=True)
class _Samples:
    """All samples of a store, whatever split they are in."""

    store: FeatureStore
    parts: tuple[SplitData, ...]

    @staticmethod
    def of(store: FeatureStore) -> _Samples:
        return _Samples(store, tuple(store.split(split) for split in Split))

    def groups(self, by: SplitBy) -> list[str]:
        """Return what is kept together, (N,).

        Raises:
            DataError: the ids name no video.
        """
        ids = [sample for part in self.parts for sample in part.ids]
        if by is SplitBy.RANDOM:
            return [f"{place:09}" for place in range(len(ids))]
        videos = [video_of(sample) for sample in ids]
        nameless = [sample for sample, video in zip(ids, videos, strict=True) if video is None]
        if nameless:
            raise DataError(
                f"{len(nameless)} of {len(ids)} ids of `{self.store.name}` name no video, for "
                f"example `{nameless[0]}` (`video$_$clip` is expected). "
                "Split at random with `--by random`, if no speaker has several samples."
            )
        return [video or "" for video in videos]

    def write(
        self, home: Home, name: str, rows: Mapping[Split, Integers], how: str, *, force: bool
    ) -> FeatureStore:
        """Write the samples of `rows` as a new store."""
        splits = {split: self._pick(rows[split]) for split in Split}
        old = self.store.manifest
        kept: dict[str, Any] = {
            entry.name: getattr(old, entry.name) for entry in fields(StoreFacts)
        }
        report = build_report(splits, old.dataset)
        report["padding"] = old.report.get("padding", {})
        kept |= {"report": report, "official": None, "made_by": how}
        return write_store(home.data, name, splits, StoreFacts(**kept), force=force)

    def _pick(self, rows: Integers) -> SplitSource:
        """Return samples by their number among all, as one split."""
        ends = np.cumsum([part.size for part in self.parts])
        picks = [
            rows[(rows >= end - part.size) & (rows < end)] - (end - part.size)
            for part, end in zip(self.parts, ends.tolist(), strict=True)
        ]
        chosen: list[tuple[SplitData, list[int]]] = [
            (part, pick.tolist()) for part, pick in zip(self.parts, picks, strict=True)
        ]
        unimodal = self.parts[0].unimodal_labels
        sequences = {key: self._sequences(key, picks) for key in RAGGED}
        return SplitSource(
            ids=tuple(part.ids[row] for part, pick in chosen for row in pick),
            transcripts=tuple(part.transcripts[row] for part, pick in chosen for row in pick),
            labels=np.concatenate([part.labels[pick] for part, pick in chosen]),
            unimodal_labels=unimodal
            and {
                key: np.concatenate(
                    [(part.unimodal_labels or {})[key][pick] for part, pick in chosen]
                )
                for key in unimodal
            },
            **sequences,  # pyright: ignore[reportArgumentType]
        )

    def _sequences(self, key: str, picks: Sequence[Integers]) -> Sequences | Ragged | None:
        parts: list[Ragged] = [
            own for part in self.parts if (own := getattr(part, key)) is not None
        ]
        if len(parts) < len(self.parts):
            return None
        picked = _Picked(parts, picks)
        return picked.in_memory() if key == "tokens" else picked


@dataclass(frozen=True, slots=True)
class _Picked:
    """Some sequences of several arrays, one array after the other; read when asked for."""

    parts: Sequence[Ragged]
    picks: Sequence[Integers]

    @property
    def lengths(self) -> Integers:
        chosen = zip(self.parts, self.picks, strict=True)
        return np.concatenate([part.lengths[pick] for part, pick in chosen])

    @property
    def offsets(self) -> Integers:
        return offsets_of(self.lengths)

    @property
    def width(self) -> int:
        return self.parts[0].width

    def chunks(self, index: Integers | None = None) -> Iterator[Array]:
        """Yield the rows in pieces."""
        starts = np.cumsum([0, *map(len, self.picks)])
        for part, pick, start in zip(self.parts, self.picks, starts.tolist(), strict=False):
            if index is None:
                yield from part.chunks(pick)
            else:
                here = index[(index >= start) & (index < start + len(pick))] - start
                yield from part.chunks(pick[here])

    def in_memory(self) -> Ragged:
        return Ragged(np.concatenate([*self.chunks()]), self.offsets)
