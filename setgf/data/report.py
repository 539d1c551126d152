"""What is in a store: counts, lengths, labels, floors, and what the import had to clean."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from setgf import metrics
from setgf.data.ragged import Array
from setgf.data.ragged import Sequences as Rows
from setgf.data.split_data import SplitSource
from setgf.terms import Dataset, Modality, Split

NUM_BINS = 21
"""Bins of the label histogram, from minus to plus the label limit."""
_CLIP = re.compile(r"(?P<video>.+?)(?:\$_\$.*|\[\d+\])", re.DOTALL)
_UNKNOWN_PIECE = 100
"""[UNK] of both BERT vocabularies."""
_MOST_NAMED = 5


@dataclass(slots=True)
class Cleaning:
    """What was changed or found odd while a feature file was read; filled by `features`."""

    padding: dict[Modality, str] = field(default_factory=dict[Modality, str])
    """Side the zero frames stand on: `left`, `right` or `none`."""
    nonfinite: dict[str, dict[str, int]] = field(default_factory=dict[str, dict[str, int]])
    """`split.modality` to counts of `nan`, `+inf` and `-inf` values that became 0."""
    nonfinite_features: dict[str, dict[str, int]] = field(default_factory=dict[str, dict[str, int]])
    """`split.modality` to counts of such values by the number of their feature."""
    length_differences: dict[str, int] = field(default_factory=dict[str, int])
    """`split.modality` to samples whose real frames are not as many as the file says."""
    at_limit: dict[str, int] = field(default_factory=dict[str, int])
    """`split.modality` to samples as long as the array: probably cut by whoever made the file."""
    remarks: list[str] = field(default_factory=list[str])
    """Sentences a person should read."""


def build_report(
    splits: Mapping[Split, SplitSource], dataset: Dataset, cleaning: Cleaning | None = None
) -> dict[str, Any]:
    """Return the cleaning report, plain JSON, that the manifest carries."""
    cleaning = cleaning or Cleaning()
    return {
        "splits": {str(split): _describe_split(splits[split], dataset) for split in Split},
        "floors": describe_floors(splits, dataset),
        "leaks": describe_leaks(splits),
        "padding": {str(part): side for part, side in cleaning.padding.items()},
        "nonfinite": cleaning.nonfinite,
        "nonfinite_features": cleaning.nonfinite_features,
        "length_differences": cleaning.length_differences,
        "at_limit": cleaning.at_limit,
        "remarks": [*cleaning.remarks, *_leak_remarks(describe_leaks(splits))],
    }


def class_counts(dataset: Dataset, labels: Array) -> dict[str, dict[str, int]]:
    """Return how many labels are in every class of every accuracy of the protocol (`msa.md` 2).

    Classes are whole numbers about zero: -1 and 1 of two, -2 to 2 of five; the rules are those of
    `setgf.metrics.classify`.
    """
    counts: dict[str, dict[str, int]] = {}
    for size in metrics.class_counts(dataset):
        classes = metrics.classify(dataset, size, labels)
        numbers = classes - size // 2 if size > 2 else 2 * classes - 1
        counts[f"acc{size}"] = _count(numbers)
    if dataset.label_limit > 1:
        return {
            "acc2_has0": counts.pop("acc2"),
            "acc2_non0": _count(np.sign(labels[labels != 0])),
            **counts,
        }
    return counts


def describe_floors(splits: Mapping[Split, SplitSource], dataset: Dataset) -> dict[str, float]:
    """Return what constant answers reach on test: the train median's MAE, the largest classes."""
    test = splits[Split.TEST].labels
    median = float(np.median(splits[Split.TRAIN].labels))
    floors = {"mae": float(np.abs(test - median).mean())}
    for key, counts in class_counts(dataset, test).items():
        if counts:
            floors[key] = max(counts.values()) / sum(counts.values())
    return floors


def describe_leaks(splits: Mapping[Split, SplitSource]) -> dict[str, list[str]]:
    """Return ids given twice in a split, and ids and videos that are in more than one split.

    `shared_clips` are the clips of such a video in the splits that have the fewest of it.
    """
    twice = [sample for data in splits.values() for sample, count in _tally(data.ids) if count > 1]
    videos = {split: _videos(data.ids) for split, data in splits.items()}
    shared = _shared([set(names) for names in videos.values()])
    return {
        "duplicate_ids": twice,
        "shared_ids": _shared([set(data.ids) for data in splits.values()]),
        "shared_videos": shared,
        "shared_clips": [
            f"{split}: {sample}" for split, sample in _outnumbered(splits, videos, shared)
        ],
    }


def _outnumbered(
    splits: Mapping[Split, SplitSource],
    videos: Mapping[Split, Sequence[str]],
    shared: Sequence[str],
) -> list[tuple[Split, str]]:
    """Return the clips of every shared video outside the split that has most of it, by video."""
    counts = {split: Counter(names) for split, names in videos.items()}
    found: dict[str, list[tuple[Split, str]]] = {video: [] for video in shared}
    home = {video: max(counts, key=lambda split: counts[split][video]) for video in shared}
    for split, data in splits.items():
        for sample in data.ids:
            video = video_of(sample)
            if video in found and home[video] is not split:
                found[video].append((split, sample))
    return [clip for video in shared for clip in found[video]]


def _describe_split(data: SplitSource, dataset: Dataset) -> dict[str, Any]:
    limit = dataset.label_limit
    counts, _ = np.histogram(data.labels, bins=NUM_BINS, range=(-limit, limit))
    return {
        "samples": data.size,
        "videos": len(set(_videos(data.ids))),
        "labels": {
            "mean": float(data.labels.mean()),
            "sd": float(data.labels.std()),
            "median": float(np.median(data.labels)),
            "low": float(data.labels.min()),
            "high": float(data.labels.max()),
            "histogram": counts.tolist(),
        },
        "classes": class_counts(dataset, data.labels),
        "lengths": {
            name: _describe_lengths(ragged)
            for name, ragged in (
                ("text", data.text_features if data.tokens is None else data.tokens),
                ("audio", data.audio),
                ("vision", data.vision),
            )
            if ragged is not None
        },
        "word_pieces": None if data.tokens is None else _describe_pieces(data.tokens.values),
    }


def _describe_pieces(ids: Array) -> dict[str, float]:
    unknown = int((ids == _UNKNOWN_PIECE).sum())
    return {"pieces": len(ids), "unknown": unknown, "unknown_share": unknown / max(len(ids), 1)}


def _describe_lengths(ragged: Rows) -> dict[str, Any]:
    lengths = ragged.lengths
    longest = max(int(lengths.max()), 1)
    counts, _ = np.histogram(lengths, bins=NUM_BINS, range=(0, longest))
    return {
        "mean": float(lengths.mean()),
        "median": float(np.median(lengths)),
        "longest": int(lengths.max()),
        "empty": int((lengths == 0).sum()),
        "steps": int(lengths.sum()),
        "histogram": counts.tolist(),
    }


def _leak_remarks(leaks: Mapping[str, Sequence[str]]) -> list[str]:
    sentences = {
        "duplicate_ids": "{} ids are given twice within a split: {}.",
        "shared_ids": "Leak: {} ids are in more than one split: {}. Test scores will be too good.",
        "shared_videos": "Leak: {} videos are in more than one split: {}. "
        "A model may know the speaker, so test scores may be too good.",
        "shared_clips": "{} clips are in another split than most of their video: {}. "
        "`setgf data split` makes splits that share none.",
    }
    return [
        sentence.format(len(leaks[key]), name_some(leaks[key]))
        for key, sentence in sentences.items()
        if leaks[key]
    ]


def name_some(names: Sequence[str]) -> str:
    """Return the first few names, and how many more there are."""
    shown = ", ".join(f"`{name}`" for name in names[:_MOST_NAMED])
    more = len(names) - _MOST_NAMED
    return f"{shown} and {more} more" if more > 0 else shown


def _count(values: Array) -> dict[str, int]:
    classes, counts = np.unique(values, return_counts=True)
    return {f"{int(value)}": int(count) for value, count in zip(classes, counts, strict=True)}


def _tally(names: Sequence[str]) -> list[tuple[str, int]]:
    return sorted(Counter(names).items())


def _shared(groups: Sequence[set[str]]) -> list[str]:
    return sorted(set[str]().union(*(a & b for i, a in enumerate(groups) for b in groups[:i])))


def _videos(ids: Sequence[str]) -> list[str]:
    return [video for sample in ids if (video := video_of(sample)) is not None]


def video_of(sample: str) -> str | None:
    """Return the video of a clip, by its id `video$_$clip` or `video[clip]`; None for any other."""
    match = _CLIP.fullmatch(sample)
    return match["video"] if match else None
