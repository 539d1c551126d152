"""Reads a feature file in MMSA's pickle layout (`msa.md` 3.1) and checks everything in it.

Shapes: N samples of a split, T padded steps, D frame width, L padded word pieces.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np

from setgf.data.blocks import Block, OpenFile
from setgf.data.cleaning import FrameEnds, Frames, LaidOut, find_ends, find_padding_side, lay_out
from setgf.data.manifest import StoreFacts
from setgf.data.pickle_guard import load_pickle
from setgf.data.recognise import check_labels, recognise_dataset, recognise_language
from setgf.data.report import Cleaning, build_report
from setgf.data.split_data import SplitSource
from setgf.data.split_reader import SplitReader, TextPieces
from setgf.data.tokens import CHINESE_VOCABULARY, ENGLISH_VOCABULARY
from setgf.errors import DataError
from setgf.terms import Dataset, Modality, Split

_OTHER_NAMES = {Split.VALID: ("val", "dev", "validation")}
_VOCABULARY_SIZES = {"en": 30522, "zh": 21128}


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureFile:
    """A feature file, read, checked and cleaned: what `write_store` needs."""

    path: Path
    splits: Mapping[Split, SplitSource]
    facts: StoreFacts


def read_feature_file(path: Path, dataset: Dataset | None = None) -> FeatureFile:
    """Read, check and clean a feature file.

    Args:
        path: a pickle with `train`, `valid` and `test`.
        dataset: family; None recognises it.

    Raises:
        UnsafePickleError: the pickle asks for more than plain data.
        DataError: no such file, or something in it is not what it must be; one sentence.
    """
    readers = _open_splits(path, load_pickle(path))
    cleaning = Cleaning()
    transcripts = {split: reader.transcripts() for split, reader in readers.items()}
    labels = {split: reader.labels("regression_labels") for split, reader in readers.items()}
    unimodal = {split: reader.unimodal_labels() for split, reader in readers.items()}
    pieces = {split: reader.text_pieces() for split, reader in readers.items()}
    text_features, _ = _read_frames(readers, Modality.TEXT, cleaning, pieces)
    audio, audio_steps = _read_frames(readers, Modality.AUDIO, cleaning)
    vision, vision_steps = _read_frames(readers, Modality.VISION, cleaning)
    language = recognise_language([text for texts in transcripts.values() for text in texts])
    pieces = _check_pieces(pieces, language, cleaning)
    facts = _Facts(path, language, dataset, max(float(np.abs(y).max()) for y in labels.values()))
    family = facts.family(audio[Split.TRAIN].width, vision[Split.TRAIN].width)
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
    return FeatureFile(
        path=path,
        splits=splits,
        facts=StoreFacts(
            dataset=family,
            language=language,
            aligned=steps == audio_steps == vision_steps and len(steps) == 1,
            source=path.name,
            source_sha256=OpenFile(path).sha256(),
            vocabulary=CHINESE_VOCABULARY if language == "zh" else ENGLISH_VOCABULARY,
            report=build_report(splits, family, cleaning),
        ),
    )


@dataclass(frozen=True, slots=True)
class _Facts:
    """What decides the family of a file."""

    path: Path
    language: str
    named: Dataset | None
    largest_label: float

    def family(self, audio_width: int, vision_width: int) -> Dataset:
        """Return the named family, else the recognised one, when the labels are in its range."""
        family = self.named or recognise_dataset(
            self.path,
            language=self.language,
            largest_label=self.largest_label,
            audio_width=audio_width,
            vision_width=vision_width,
        )
        check_labels(self.path, family, self.largest_label)
        return family


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
    frames = {split: reader.frames(modality) for split, reader in readers.items()}
    width = _one_width(readers, modality, frames)
    ends = {split: find_ends(part, width) for split, part in frames.items()}
    for split, own in (pieces or {}).items():
        if own is not None and set(ends[split].steps.tolist()) == {own.steps}:
            ends[split] = own.ends(ends[split])
    side = find_padding_side(ends.values())
    cleaning.padding[modality] = side
    ragged: dict[Split, LaidOut] = {}
    for split, reader in readers.items():
        ragged[split] = lay_out(frames.pop(split), ends[split], side, width)
        _note(cleaning, f"{split}.{modality}", ends[split], ragged[split])
        _compare_lengths(cleaning, reader, modality, ragged[split])
    if side == "left":
        cleaning.remarks.append(f"`{modality}` was padded on the left; the padding was dropped.")
    return ragged, {int(steps) for part in ends.values() for steps in np.unique(part.steps)}


def _one_width(
    readers: Mapping[Split, SplitReader], modality: Modality, frames: Mapping[Split, Frames]
) -> int:
    """Return D, the same in every split.

    Raises:
        DataError: the splits differ.
    """
    widths = {split: int(_shape(part)[-1]) for split, part in frames.items()}
    if len(set(widths.values())) > 1:
        found = ", ".join(f"{split} {width}" for split, width in widths.items())
        raise DataError(
            f"{readers[Split.TRAIN].path} has `{modality}` of different widths: {found}. "
            "All splits must have the same features."
        )
    return widths[Split.TRAIN]


def _shape(frames: Frames) -> tuple[int, ...]:
    return frames.shape if isinstance(frames, np.ndarray | Block) else frames[0].shape


def _note(cleaning: Cleaning, where: str, ends: FrameEnds, ragged: LaidOut) -> None:
    if ends.nonfinite:
        cleaning.nonfinite[where] = ends.nonfinite
        found = ", ".join(f"{count} {kind}" for kind, count in ends.nonfinite.items())
        cleaning.remarks.append(f"`{where}` held values that are not finite ({found}); now 0.")
    if ends.at_limit:
        cleaning.at_limit[where] = ends.at_limit
    empty = int((ragged.lengths == 0).sum())
    if empty:
        cleaning.remarks.append(f"`{where}` has no frames at all in {empty} samples.")


def _compare_lengths(
    cleaning: Cleaning, reader: SplitReader, modality: Modality, ragged: LaidOut
) -> None:
    """Count samples whose length in the file is another; an empty sample is 1 there (MMSA)."""
    given = reader.lengths(modality)
    if given is None:
        return
    different = int((np.maximum(given, 1) != np.maximum(ragged.lengths, 1)).sum())
    if different:
        where = f"{reader.split}.{modality}"
        cleaning.length_differences[where] = different
        cleaning.remarks.append(
            f"`{where}` has other lengths than the file says in {different} samples; "
            "the frames themselves were counted."
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
