"""What the frames of a store are like: counted once, when the store is written.

Shapes: N samples, F_total frames of all samples, D frame width.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from setgf.data.frames import CLIP, Scaling, fit_scaling
from setgf.data.ragged import Array, Floats, Ragged, read_rows
from setgf.data.split_data import SplitData
from setgf.terms import Modality, Split

FRAMED = (Modality.AUDIO, Modality.VISION)
_MOST_NAMED = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameFacts:
    """What was found in the frames of all splits."""

    scaling: Mapping[Modality, Scaling]
    """Of the train split's frames: what normalising needs."""
    report: Mapping[str, Any]
    """By modality, plain JSON."""
    remarks: tuple[str, ...]
    """Sentences a person should read."""


def describe_frames(splits: Mapping[Split, SplitData]) -> FrameFacts:
    """Look at every frame of every split: zero frames, constant features, outliers."""
    scaling: dict[Modality, Scaling] = {}
    report: dict[str, Any] = {}
    remarks: list[str] = []
    for modality in FRAMED:
        parts = {split: ragged_of(data, modality) for split, data in splits.items()}
        train = parts[Split.TRAIN]
        scaling[modality] = fit_scaling(train.values)
        looks = {split: _look(part, scaling[modality]) for split, part in parts.items()}
        constant: list[int] = np.flatnonzero(looks[Split.TRAIN].spans == 0).tolist()
        report[str(modality)] = {
            "constant_features": constant,
            "splits": {str(split): look.describe() for split, look in looks.items()},
        }
        remarks += _remarks(modality, train.width, constant, looks)
    return FrameFacts(scaling=scaling, report=report, remarks=tuple(remarks))


def ragged_of(data: SplitData, modality: Modality) -> Ragged:
    """Return the frames of audio or vision."""
    return data.audio if modality is Modality.AUDIO else data.vision


def pool(ragged: Ragged) -> Floats:
    """Return the mean frame of every sequence, (N, D) float32; zeros where it has none."""
    sums = np.zeros((len(ragged), ragged.width))
    place = 0
    for chunk in read_rows(ragged.values):
        end = place + len(chunk)
        inside = (ragged.offsets > place) & (ragged.offsets < end)
        starts = np.unique(np.append(ragged.offsets[inside], place))
        rows = np.searchsorted(ragged.offsets, starts, side="right") - 1
        sums[rows] += np.add.reduceat(chunk.reshape(len(chunk), -1), starts - place, axis=0)
        place = end
    return (sums / np.maximum(ragged.lengths, 1)[:, None]).astype(np.float32)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Look:
    """What one split's frames are like."""

    frames: int
    zero_frames: int
    outliers: int
    """Values more than CLIP standard deviations of train from its mean: what normalising clips."""
    furthest: Array
    """(D,) largest distance, in standard deviations of train."""
    spans: Array
    """(D,) largest minus smallest value; infinite without frames."""

    def describe(self) -> dict[str, Any]:
        """Return plain JSON."""
        values = self.frames * len(self.furthest)
        worst = np.argsort(-self.furthest, kind="stable")[:3]
        return {
            "frames": self.frames,
            "zero_frames": self.zero_frames,
            "outliers": self.outliers,
            "outlier_share": self.outliers / values if values else 0.0,
            "furthest": {str(at): round(float(self.furthest[at]), 1) for at in worst},
        }


def _look(ragged: Ragged, scaling: Scaling) -> _Look:
    zero_frames = outliers = 0
    width = ragged.width
    furthest = np.zeros(width)
    low, high = np.full(width, np.inf), np.full(width, -np.inf)
    for chunk in read_rows(ragged.values):
        zero_frames += int((~chunk.any(axis=1)).sum())
        low, high = np.minimum(low, chunk.min(axis=0)), np.maximum(high, chunk.max(axis=0))
        distance = np.abs((chunk - scaling.mean) / scaling.spread)
        outliers += int((distance > CLIP).sum())
        furthest = np.maximum(furthest, distance.max(axis=0))
    with np.errstate(invalid="ignore"):
        spans = high - low
    return _Look(
        frames=len(ragged.values),
        zero_frames=zero_frames,
        outliers=outliers,
        furthest=furthest,
        spans=spans,
    )


def _remarks(
    modality: Modality, width: int, constant: list[int], looks: Mapping[Split, _Look]
) -> list[str]:
    remarks: list[str] = []
    if constant:
        shown = ", ".join(map(str, constant[:_MOST_NAMED]))
        more = f" and {len(constant) - _MOST_NAMED} more" if len(constant) > _MOST_NAMED else ""
        remarks.append(
            f"`{modality}` has {len(constant)} of {width} features that never change in train "
            f"(number {shown}{more}); they tell nothing."
        )
    zero = {split: look.zero_frames for split, look in looks.items() if look.zero_frames}
    if zero:
        found = ", ".join(f"{split} {count}" for split, count in zero.items())
        remarks.append(f"`{modality}` has frames that are all zero within its sequences: {found}.")
    return remarks
