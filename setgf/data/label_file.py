"""Reads `label.csv` as MMSA's data sets have it: one row a clip.

Columns: `video_id`, `clip_id`, `text`, `label`, `mode` (train, valid or test); `label_T`, `label_A`
and `label_V` where humans labelled every modality on its own; `annotation` is compared.
Shapes: N rows.
"""

from __future__ import annotations

import csv
import io
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from setgf.data.blocks import OpenFile, Stored
from setgf.data.memory import Budget
from setgf.data.pickle_guard import check_is_file
from setgf.data.ragged import Floats
from setgf.data.report import name_some
from setgf.errors import DataError
from setgf.terms import MODALITIES, Modality, Split

_NEEDED = ("video_id", "clip_id", "text", "label", "mode")
_UNIMODAL = {Modality.TEXT: "label_T", Modality.AUDIO: "label_A", Modality.VISION: "label_V"}
_MODES = {**{str(split): split for split in Split}, "val": Split.VALID, "dev": Split.VALID}
_SEPARATOR = "$_$"


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelTable:
    """The N rows of a label file, in its order."""

    path: Path
    ids: tuple[str, ...]
    """`video$_$clip`."""
    transcripts: tuple[str, ...]
    labels: Floats
    """(N,) float32."""
    unimodal_labels: Mapping[Modality, Floats] | None
    """(N,) float32 each; None where the columns are empty."""
    splits: tuple[Split, ...]

    def rows(self, split: Split) -> list[int]:
        """Return the rows of a split, in order."""
        return [row for row, own in enumerate(self.splits) if own is split]


def read_label_file(path: Path, budget: Budget) -> LabelTable:
    """Read and check a label file.

    Raises:
        DataError: it is not UTF-8, a column is missing, a label is no number, a mode is no split,
            an id is given twice or a split is empty; one sentence.
    """
    rows = _read_rows(path, budget)
    ids = tuple(f"{row['video_id']}{_SEPARATOR}{row['clip_id']}" for row in rows)
    twice = [name for name, count in Counter(ids).items() if count > 1]
    if twice:
        raise DataError(f"{path} has {len(twice)} clips more than once: {name_some(twice)}.")
    return LabelTable(
        path=path,
        ids=ids,
        transcripts=tuple(row["text"] for row in rows),
        labels=_numbers(path, ids, "label", [row["label"] for row in rows]),
        unimodal_labels=_unimodal(path, ids, rows),
        splits=_modes(path, ids, [row["mode"] for row in rows]),
    )


def _read_rows(path: Path, budget: Budget) -> list[dict[str, str]]:
    check_is_file(path)
    try:
        source = OpenFile(path)
        budget.take(12 * source.size, "a table of text")
        text = Stored(source, 0, source.size).read().decode("utf-8-sig")
    except OSError as error:
        raise DataError(f"{path} can't be read: {error.strerror or error}.") from error
    except UnicodeError as error:
        raise DataError(f"{path} is not UTF-8 text ({error}). Save it as UTF-8.") from error
    reader = csv.DictReader(io.StringIO(text), strict=True)
    try:
        columns = list(reader.fieldnames or ())
        _check_columns(path, columns)
        table: Iterator[dict[str | None, str | None]] = reader  # pyright: ignore[reportAssignmentType]
        rows = [_check_row(path, reader.line_num, row) for row in table]
    except csv.Error as error:
        raise DataError(f"{path} is not a table of comma-separated text: {error}.") from error
    if not rows:
        raise DataError(f"{path} has no rows. A label file has a row for every clip.")
    return rows


def _check_columns(path: Path, columns: Sequence[str]) -> None:
    missing = [name for name in _NEEDED if name not in columns]
    if missing:
        found = ", ".join(f"`{name:.40}`" for name in columns[:12]) or "nothing"
        named = ", ".join(f"`{name}`" for name in missing)
        raise DataError(
            f"{path} lacks the column {named}. It has {found}; "
            "MMSA's label.csv has `video_id`, `clip_id`, `text`, `label` and `mode`."
        )


def _check_row(path: Path, line: int, row: dict[str | None, str | None]) -> dict[str, str]:
    if None in row or None in row.values():
        raise DataError(f"Line {line} of {path} does not have as many fields as its first line.")
    return {name or "": value or "" for name, value in row.items()}


def _numbers(path: Path, ids: Sequence[str], column: str, values: Sequence[str]) -> Floats:
    numbers = [_number(value) for value in values]
    wrong = [name for name, number in zip(ids, numbers, strict=True) if not math.isfinite(number)]
    if wrong:
        raise DataError(
            f"`{column}` of {path} is not a finite number for {len(wrong)} of {len(ids)} clips: "
            f"{name_some(wrong)}."
        )
    return np.array(numbers, np.float32)


def _number(value: str) -> float:
    try:
        return float(value)
    except ValueError:
        return math.nan


def _unimodal(
    path: Path, ids: Sequence[str], rows: Sequence[Mapping[str, str]]
) -> Mapping[Modality, Floats] | None:
    values = {part: [row.get(_UNIMODAL[part], "") for row in rows] for part in MODALITIES}
    if not any(value.strip() for part in values.values() for value in part):
        return None
    return {part: _numbers(path, ids, _UNIMODAL[part], values[part]) for part in MODALITIES}


def _modes(path: Path, ids: Sequence[str], values: Sequence[str]) -> tuple[Split, ...]:
    modes = [_MODES.get(value.strip().lower()) for value in values]
    wrong = [name for name, mode in zip(ids, modes, strict=True) if mode is None]
    if wrong:
        raise DataError(
            f"`mode` of {path} is not train, valid or test for {len(wrong)} of {len(ids)} clips: "
            f"{name_some(wrong)}."
        )
    for split in Split:
        if split not in modes:
            raise DataError(f"`{split}` of {path} is empty. Every split needs samples.")
    return tuple(mode for mode in modes if mode is not None)
