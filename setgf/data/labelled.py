"""A set made of a label file, alone (text only) or joined by id with files of feature arrays.

Shapes: N samples of a split, T steps, D frame width.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import overload

import numpy as np

from setgf.data.array_files import SampleArrays, open_arrays
from setgf.data.blocks import Block
from setgf.data.cleaning import Frames
from setgf.data.feature_file import FeatureFile, Found, make_feature_file
from setgf.data.frame_cleaning import clean_frames
from setgf.data.label_file import LabelTable, read_label_file
from setgf.data.memory import make_budget
from setgf.data.ragged import Array, Ragged, Sequences
from setgf.data.report import Cleaning, name_some
from setgf.data.split_data import SplitSource
from setgf.errors import DataError
from setgf.terms import MODALITIES, Dataset, Modality, Split

_MOST_MISSING = 0.5


def read_labelled(
    path: Path,
    features: Mapping[Modality, Path],
    dataset: Dataset | None = None,
    *,
    max_memory: int | None = None,
) -> FeatureFile:
    """Read a label file and the feature arrays of its clips.

    Args:
        path: `label.csv`.
        features: a file or folder of arrays by modality; text has its transcripts already, its
            arrays are precomputed text features.
        dataset: family; None recognises it.
        max_memory: bytes one file may take; None takes 80 % of the memory that is free.

    Raises:
        DataError: something in a file is not what it must be; one sentence.
    """
    table = read_label_file(path, make_budget(path, max_memory))
    cleaning = Cleaning()
    parts: dict[Modality, Mapping[Split, Sequences]] = {
        modality: _read_features(table, modality, source, cleaning, max_memory)
        for modality, source in features.items()
    }
    splits: dict[Split, SplitSource] = {}
    for split in Split:
        rows = table.rows(split)
        unimodal = table.unimodal_labels
        text = parts.get(Modality.TEXT)
        splits[split] = SplitSource(
            ids=tuple(table.ids[row] for row in rows),
            transcripts=tuple(table.transcripts[row] for row in rows),
            labels=table.labels[rows],
            unimodal_labels=unimodal and {part: unimodal[part][rows] for part in MODALITIES},
            tokens=None,
            text_features=None if text is None else text[split],
            audio=_part(parts, Modality.AUDIO, split, len(rows)),
            vision=_part(parts, Modality.VISION, split, len(rows)),
        )
    held = tuple(part for part in MODALITIES if part is Modality.TEXT or part in parts)
    return make_feature_file(
        splits, Found(path=path, dataset=dataset, cleaning=cleaning, modalities=held)
    )


def no_frames(count: int) -> Ragged:
    """Return what stands for a modality the data lack: `count` sequences without frames."""
    return Ragged(np.zeros((0, 1), np.float32), np.zeros(count + 1, np.int64))


def _part(
    parts: Mapping[Modality, Mapping[Split, Sequences]], modality: Modality, split: Split, size: int
) -> Sequences:
    return parts[modality][split] if modality in parts else no_frames(size)


def _read_features(
    table: LabelTable,
    modality: Modality,
    source: Path,
    cleaning: Cleaning,
    max_memory: int | None,
) -> Mapping[Split, Sequences]:
    arrays = open_arrays(source, make_budget(source, max_memory))
    if arrays.stacked is not None:
        frames = _by_order(table, modality, source, arrays.stacked)
    else:
        frames = _by_id(table, modality, source, arrays, cleaning)
    laid, _ = clean_frames(source, modality, frames, cleaning)
    return laid


def _by_order(
    table: LabelTable, modality: Modality, source: Path, stacked: Array | Block
) -> Mapping[Split, Frames]:
    """Return the frames of one array whose rows are those of the label file."""
    if stacked.ndim == 2:
        stacked = stacked.reshape(len(stacked), 1, stacked.shape[1])
    if stacked.ndim != 3 or len(stacked) != len(table.ids):
        raise DataError(
            f"{source} has the shape {stacked.shape}, but `{modality}` must be (N, T, D) with the "
            f"{len(table.ids)} rows of {table.path}, in its order; or give arrays by id."
        )
    whole = stacked
    return {
        split: _Picked(lambda row: whole[row : row + 1][0], table.rows(split)) for split in Split
    }


def _by_id(
    table: LabelTable, modality: Modality, source: Path, arrays: SampleArrays, cleaning: Cleaning
) -> Mapping[Split, Frames]:
    """Return the frames of arrays that are named like the clips; a clip without one has none."""
    names = {name: found for name in table.ids if (found := arrays.find(name)) is not None}
    missing = [name for name in table.ids if name not in names]
    if len(missing) > _MOST_MISSING * len(table.ids):
        example = arrays.names[0] if arrays.names else "nothing"
        raise DataError(
            f"{source} has no array for {len(missing)} of {len(table.ids)} clips of {table.path}, "
            f"such as `{missing[0]}`; it has `{example:.60}`. Name arrays `video$_$clip`, "
            "`video[clip]`, `video/clip` or `video_clip`."
        )
    if missing:
        cleaning.remarks.append(
            f"`{modality}` has no array for {len(missing)} clips: {name_some(missing)}; "
            "they have no frames."
        )
    width = int(_as_frames(source, arrays.read(next(iter(names.values())))).shape[1])

    def read(row: int) -> Array:
        name = names.get(table.ids[row])
        if name is None:
            return np.zeros((0, width), np.float32)
        frames = _as_frames(source, arrays.read(name))
        if frames.shape[1] != width:
            raise DataError(
                f"`{name}` of {source} is {frames.shape[1]} wide, but others are {width} wide. "
                "All clips must have the same features."
            )
        return frames

    return {split: _Picked(read, table.rows(split)) for split in Split}


def _as_frames(source: Path, values: Array) -> Array:
    """Return frames (T, D); one frame may come without its axis."""
    frames = values[None] if values.ndim == 1 else values
    if frames.ndim == 3 and len(frames) == 1:
        frames = frames[0]
    if frames.ndim != 2 or not frames.shape[1] or frames.dtype.kind not in "fiub":
        raise DataError(
            f"{source} holds an array of shape {values.shape} and type {values.dtype}, "
            "but the frames of a clip must be numbers (T, D)."
        )
    return frames


class _Picked(Sequence[Array]):
    """The frames of some rows of the label file, each read when it is asked for."""

    def __init__(self, read: Callable[[int], Array], rows: list[int]) -> None:
        self._read, self._rows = read, rows

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, place: int) -> Array: ...
    @overload
    def __getitem__(self, place: slice) -> list[Array]: ...
    def __getitem__(self, place: int | slice) -> Array | list[Array]:
        if isinstance(place, slice):
            return [self._read(row) for row in self._rows[place]]
        return self._read(self._rows[place])
