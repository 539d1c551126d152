"""Samples without labels or splits: what a trained model is to score.

A pickle as MMSA's extraction toolkit writes it, of one sample (`audio` (T, D)) or of N (`audio`
(N, T, D)), or a table of texts. Shapes: N samples, T steps, D frame width.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np

from setgf.data.blocks import Block, OpenFile, Stored
from setgf.data.frame_cleaning import clean_frames
from setgf.data.labelled import no_frames
from setgf.data.memory import make_budget
from setgf.data.pickle_guard import check_is_file, load_pickle
from setgf.data.ragged import Array, Ragged
from setgf.data.report import Cleaning
from setgf.data.split_data import SplitData
from setgf.data.split_reader import SplitReader
from setgf.errors import DataError
from setgf.terms import MODALITIES, Modality, Split

_PARTS = ("id", "raw_text", "audio", "vision", "audio_lengths", "vision_lengths")
_TEXT_COLUMNS = ("text", "raw_text")


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """N samples to score."""

    data: SplitData
    """Labels are not a number: nobody knows them."""
    modalities: tuple[Modality, ...]
    """What the samples have; a modality they lack has no frames."""
    remarks: tuple[str, ...]
    """Sentences a person should read."""


def read_samples(path: Path, *, max_memory: int | None = None) -> Samples:
    """Read samples to score from a pickle, or their texts from a .csv with a column `text`.

    Args:
        path: the file.
        max_memory: bytes it may take; None takes 80 % of the memory that is free.

    Raises:
        UnsafePickleError: a pickle asks for more than plain data.
        DataError: no such file, or something in it is not what it must be; one sentence.
    """
    if path.suffix.lower() == ".csv":
        return _read_texts(path, max_memory)
    reader, cleaning = _open(path, load_pickle(path, max_memory=max_memory)), Cleaning()
    frames: dict[Modality, Ragged] = {}
    for modality in (Modality.AUDIO, Modality.VISION):
        if reader.has(modality):
            given = {Split.TEST: reader.lengths(modality)}
            parts = {Split.TEST: reader.frames(modality)}
            laid, _ = clean_frames(path, modality, parts, cleaning, lengths=given)
            frames[modality] = Ragged(laid[Split.TEST].values, laid[Split.TEST].offsets)
    remarks = tuple(remark.replace(f"`{Split.TEST}.", "`") for remark in cleaning.remarks)
    return _make(reader.ids, reader.transcripts(), frames, remarks)


def _open(path: Path, content: Any) -> SplitReader:
    """Return a reader of the samples; those of one sample get the axis N.

    Raises:
        DataError: it has splits, or no transcripts.
    """
    if not isinstance(content, dict):
        raise DataError(
            f"{path} holds a `{type(content).__name__}`, but samples to score are a dictionary "
            "with `raw_text`, `audio` and `vision`."
        )
    entries = {str(key): part for key, part in cast(dict[Any, Any], content).items()}
    if any(str(split) in entries for split in Split):
        raise DataError(
            f"{path} has splits: it is a feature file, not samples to score. Import it with "
            "`setgf data import`."
        )
    if "raw_text" not in entries:
        found = ", ".join(f"`{key:.40}`" for key in sorted(entries)) or "nothing"
        raise DataError(f"{path} lacks `raw_text`. It has {found}.")
    if _is_one(entries):
        entries = {key: [entries[key]] for key in _PARTS if entries.get(key) is not None}
    count = len(entries["raw_text"])
    names = entries.get("id", [f"sample{row + 1}" for row in range(count)])
    return SplitReader.open(
        path,
        Split.TEST,
        {**entries, "id": names, "regression_labels": np.zeros(count)},
        needed=("id", "raw_text"),
    )


def _is_one(entries: Mapping[str, Any]) -> bool:
    text = entries["raw_text"]
    if isinstance(text, str | bytes):
        return True
    return isinstance(text, np.ndarray | Block) and cast(Array, text).ndim == 0


def _read_texts(path: Path, max_memory: int | None) -> Samples:
    check_is_file(path)
    try:
        source = OpenFile(path)
        make_budget(path, max_memory).take(12 * source.size, "a table of text")
        table = io.StringIO(Stored(source, 0, source.size).read().decode("utf-8-sig"))
        rows = list(csv.DictReader(table, strict=True))
    except (OSError, UnicodeError, csv.Error) as error:
        raise DataError(f"{path} is not a table of UTF-8 text ({error}).") from error
    column = next((name for name in _TEXT_COLUMNS if rows and name in rows[0]), None)
    if column is None:
        raise DataError(f"{path} has no rows with a column `text`.")
    ids = tuple(row.get("id") or f"row{place + 1}" for place, row in enumerate(rows))
    return _make(ids, tuple(row[column] or "" for row in rows), {}, ())


def _make(
    ids: tuple[str, ...],
    transcripts: tuple[str, ...],
    frames: Mapping[Modality, Ragged],
    remarks: tuple[str, ...],
) -> Samples:
    count = len(ids)
    data = SplitData(
        ids=ids,
        transcripts=transcripts,
        labels=np.full(count, np.nan, np.float32),
        unimodal_labels=None,
        tokens=None,
        text_features=None,
        audio=frames.get(Modality.AUDIO, no_frames(count)),
        vision=frames.get(Modality.VISION, no_frames(count)),
    )
    held = tuple(part for part in MODALITIES if part is Modality.TEXT or part in frames)
    return Samples(data=data, modalities=held, remarks=remarks)
