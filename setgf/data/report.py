"""What is in a store: counts, lengths, labels, floors, and what the import had to clean."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from setgf.data.ragged import Array
from setgf.data.ragged import Sequences as Rows
from setgf.data.split_data import SplitSource
from setgf.terms import Dataset, Modality, Split

NUM_BINS = 21
"""Bins of the label histogram, from minus to plus the label limit."""
_SIMS_CLASSES: Mapping[str, tuple[Sequence[float], Sequence[int]]] = {
    "acc2": ((0.0,), (-1, 1)),
    "acc3": ((-0.1, 0.1), (-1, 0, 1)),
    "acc5": ((-0.7, -0.1, 0.1, 0.7), (-2, -1, 0, 1, 2)),
}
"""Inner ends of the half-open bins (low, high], and the classes (`msa.md` 2.2)."""
_SEPARATOR = "$_$"
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
    """Return how many labels are in every class of every accuracy of the protocol (`msa.md` 2)."""
    if dataset.label_limit < 2:
        return {
            key: _count(np.array(classes)[np.searchsorted(np.array(edges, np.float32), labels)])
            for key, (edges, classes) in _SIMS_CLASSES.items()
        }
    values = labels.astype(np.float64)
    return {
        "acc2_has0": _count(np.where(values >= 0, 1, -1)),
        "acc2_non0": _count(np.sign(values[values != 0])),
        **{f"acc{2 * k + 1}": _count(np.rint(np.clip(values, -k, k))) for k in (1, 2, 3)},
    }


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
    """Return ids given twice in a split, and ids and videos that are in more than one split."""
    twice = [sample for data in splits.values() for sample, count in _tally(data.ids) if count > 1]
    return {
        "duplicate_ids": twice,
        "shared_ids": _shared([set(data.ids) for data in splits.values()]),
        "shared_videos": _shared([set(_videos(data.ids)) for data in splits.values()]),
    }


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
    }


def _describe_lengths(ragged: Rows) -> dict[str, float]:
    lengths = ragged.lengths
    return {
        "mean": float(lengths.mean()),
        "median": float(np.median(lengths)),
        "longest": int(lengths.max()),
        "empty": int((lengths == 0).sum()),
        "steps": int(lengths.sum()),
    }


def _leak_remarks(leaks: Mapping[str, Sequence[str]]) -> list[str]:
    sentences = {
        "duplicate_ids": "{} ids are given twice within a split: {}.",
        "shared_ids": "{} ids are in more than one split: {}. Test scores will be too good.",
        "shared_videos": "{} videos are in more than one split: {}. "
        "A model may know the speaker, so test scores may be too good.",
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
    return [sample.split(_SEPARATOR)[0] for sample in ids if _SEPARATOR in sample]
