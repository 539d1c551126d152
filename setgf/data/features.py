"""Reads a feature file in MMSA's pickle layout (`msa.md` 3.1) and checks everything in it.

Shapes: N samples of a split, T padded steps, D frame width, L padded word pieces.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from setgf.data.cleaning import LaidOut
from setgf.data.feature_file import FeatureFile, Found, make_feature_file
from setgf.data.frame_cleaning import clean_frames
from setgf.data.pickle_guard import load_pickle
from setgf.data.recognise import recognise_language
from setgf.data.report import Cleaning
from setgf.data.split_data import SplitSource
from setgf.data.split_reader import SplitReader, TextPieces
from setgf.errors import DataError
from setgf.terms import Dataset, Modality, Split

_OTHER_NAMES = {Split.VALID: ("val", "dev", "validation")}
_NO_CHARACTER = "\N{REPLACEMENT CHARACTER}"
_VOCABULARY_SIZES = {"en": 30522, "zh": 21128}


def read_feature_file(
    path: Path, dataset: Dataset | None = None, *, max_memory: int | None = None
) -> FeatureFile:
    """Read, check and clean a feature file; its frames stay in the file until they are written.

    Args:
        path: a pickle with `train`, `valid` and `test`.
        dataset: family; None recognises it.
        max_memory: bytes it may take; None takes 80 % of the memory that is free.

    Raises:
        UnsafePickleError: the pickle asks for more than plain data.
        DataError: no such file, or something in it is not what it must be; one sentence.
    """
    readers = _open_splits(path, load_pickle(path, max_memory=max_memory))
    cleaning = Cleaning()
    transcripts = {split: reader.transcripts() for split, reader in readers.items()}
    for split, texts in transcripts.items():
        _note_text(cleaning, split, texts)
    labels = {split: reader.labels("regression_labels") for split, reader in readers.items()}
    unimodal = {split: reader.unimodal_labels() for split, reader in readers.items()}
    pieces = {split: reader.text_pieces() for split, reader in readers.items()}
    text_features, _ = _read_frames(readers, Modality.TEXT, cleaning, pieces)
    audio, audio_steps = _read_frames(readers, Modality.AUDIO, cleaning)
    vision, vision_steps = _read_frames(readers, Modality.VISION, cleaning)
    for reader in readers.values():
        reader.compare_classes(cleaning, labels[reader.split])
    language = recognise_language([text for texts in transcripts.values() for text in texts])
    pieces = _check_pieces(pieces, language, cleaning)
    splits = {
        split: SplitSource(
            ids=readers[split].ids,
            transcripts=transcripts[split],
            labels=labels[split],
            unimodal_labels=unimodal[split] if all(unimodal.values()) else None,
            tokens=None if (own := pieces[split]) is None else own.tokens,
            text_features=text_features.get(split),
            audio=audio[split],
            vision=vision[split],
        )
        for split in Split
    }
    steps = {own.steps if (own := pieces[split]) else 0 for split in Split}
    aligned = steps == audio_steps == vision_steps and len(steps) == 1
    return make_feature_file(
        splits, Found(path=path, dataset=dataset, cleaning=cleaning, aligned=aligned)
    )


def _open_splits(path: Path, content: Any) -> dict[Split, SplitReader]:
    """Return a reader for every split.

    Raises:
        DataError: the file is no dictionary of three splits.
    """
    if not isinstance(content, dict):
        raise DataError(
            f"{path} holds a `{type(content).__name__}`, but a feature file is a dictionary of "
            "`train`, `valid` and `test`."
        )
    entries = cast(dict[Any, Any], content)
    found = ", ".join(f"`{key}`" for key in entries) or "nothing"
    readers: dict[Split, SplitReader] = {}
    for split in Split:
        name = next((n for n in (split, *_OTHER_NAMES.get(split, ())) if n in entries), None)
        if name is None:
            raise DataError(f"{path} has no split `{split}`. It has {found}.")
        # Popped, so that memory is given back as soon as a part was converted.
        readers[split] = SplitReader.open(path, split, entries.pop(name))
    return readers


def _read_frames(
    readers: Mapping[Split, SplitReader],
    modality: Modality,
    cleaning: Cleaning,
    pieces: Mapping[Split, TextPieces | None] | None = None,
) -> tuple[dict[Split, LaidOut], set[int]]:
    """Return the real frames of a modality and the padded steps seen; text may be absent."""
    if modality is Modality.TEXT and not all(reader.has("text") for reader in readers.values()):
        return {}, set()
    return clean_frames(
        readers[Split.TRAIN].path,
        modality,
        {split: reader.frames(modality) for split, reader in readers.items()},
        cleaning,
        lengths={split: reader.lengths(modality) for split, reader in readers.items()},
        pieces=pieces,
    )


def _note_text(cleaning: Cleaning, split: Split, transcripts: Sequence[str]) -> None:
    """Count transcripts that are empty, or had bytes that are no UTF-8."""
    empty = sum(not text.strip() for text in transcripts)
    broken = sum(_NO_CHARACTER in text for text in transcripts)
    if empty:
        cleaning.remarks.append(f"`{split}.raw_text` is empty in {empty} samples.")
    if broken:
        cleaning.remarks.append(
            f"`{split}.raw_text` is not UTF-8 in {broken} samples; "
            "such bytes became replacement characters."
        )


def _check_pieces(
    pieces: Mapping[Split, TextPieces | None], language: str, cleaning: Cleaning
) -> Mapping[Split, TextPieces | None]:
    """Return the word pieces when they are a BERT vocabulary's, else none in any split."""
    size = _VOCABULARY_SIZES[language]
    if not all(own is not None and own.is_bert(size) for own in pieces.values()):
        if any(own is not None for own in pieces.values()):
            cleaning.remarks.append(
                "`text_bert` does not hold BERT word pieces in every split, so it was left out; "
                "transcripts are tokenised when a run starts."
            )
        return dict.fromkeys(Split)
    for split, own in pieces.items():
        if own is not None and own.at_limit:
            cleaning.at_limit[f"{split}.text"] = own.at_limit
    return pieces
