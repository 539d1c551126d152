"""One split of a feature file: every key checked, every shape MMSA's files come in accepted.

Shapes: N samples, T padded steps, D frame width, L padded word pieces.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, cast

import numpy as np

from setgf.data.blocks import Block
from setgf.data.cleaning import FrameEnds, Frames
from setgf.data.ragged import Array, Floats, Integers, Ragged, offsets_of
from setgf.data.report import Cleaning, name_some
from setgf.data.tokens import END_ID, START_ID
from setgf.errors import DataError
from setgf.terms import Modality, Split

_NEEDED = ("id", "raw_text", "audio", "vision", "regression_labels")
_UNIMODAL = {Modality.TEXT: "T", Modality.AUDIO: "A", Modality.VISION: "V"}
_PER_SAMPLE = (
    *("text", "text_bert", "audio_lengths", "vision_lengths"),
    *("classification_labels", "annotations"),
)
_ANNOTATIONS = {"negative": -1, "neutral": 0, "positive": 1}
_FEW = 0.5
_ID_SEPARATOR = "$_$"
_BERT_ROWS = 3


@dataclass(frozen=True, slots=True)
class TextPieces:
    """Word pieces of a split, without padding."""

    tokens: Ragged
    """int32 ids."""
    kept: Array
    """(N, L) bool. Places of the ids in the padded rows."""

    @property
    def steps(self) -> int:
        """L."""
        return int(self.kept.shape[1])

    @property
    def at_limit(self) -> int:
        """Transcripts as long as the row: probably cut."""
        return int(self.kept.all(axis=1).sum())

    def is_bert(self, vocabulary_size: int) -> bool:
        """Return whether every row is [CLS] .. [SEP] of a BERT vocabulary of that size."""
        if not len(self.tokens.values) or (self.tokens.lengths < 2).any():
            return False
        starts, ends = self.tokens.offsets[:-1], self.tokens.offsets[1:] - 1
        values = self.tokens.values
        return bool(
            (values[starts] == START_ID).all()
            and (values[ends] == END_ID).all()
            and values.max() < vocabulary_size
        )

    def ends(self, seen: FrameEnds) -> FrameEnds:
        """Return where the text features stand that belong to the word pieces."""
        empty = ~self.kept.any(axis=1)
        last = self.steps - self.kept[:, ::-1].argmax(axis=1)
        return FrameEnds(
            first=np.where(empty, self.steps, self.kept.argmax(axis=1)).astype(np.int64),
            last=np.where(empty, 0, last).astype(np.int64),
            steps=np.full(len(self.kept), self.steps, np.int64),
            nonfinite=seen.nonfinite,
            nonfinite_features=seen.nonfinite_features,
        )


@dataclass(frozen=True, slots=True)
class SplitReader:
    """Takes the parts of one split out of a feature file, one at a time."""

    path: Path
    split: Split
    entries: dict[str, Any]
    ids: tuple[str, ...]

    @staticmethod
    def open(
        path: Path, split: Split, content: Any, *, needed: Sequence[str] = _NEEDED
    ) -> SplitReader:
        """Check keys and numbers of samples.

        Args:
            path: named in errors.
            split: the same.
            content: a dictionary of the split's parts.
            needed: keys it must have.

        Raises:
            DataError: a key is missing, the split is empty, or parts differ in samples.
        """
        if not isinstance(content, dict):
            raise DataError(
                f"`{split}` of {path} is a `{type(content).__name__}`, but must be a dictionary "
                f"with {_list_keys(needed)}."
            )
        entries = {str(key): part for key, part in cast(dict[Any, Any], content).items()}
        missing = [key for key in needed if key not in entries]
        if missing:
            raise DataError(
                f"`{split}` of {path} lacks {_list_keys(missing)}. "
                f"It has {_list_keys(sorted(entries))}."
            )
        reader = SplitReader(path, split, entries, _read_ids(entries["id"]))
        reader._check_counts()
        return reader

    def has(self, key: str) -> bool:
        """Return whether the split has a part that may be absent."""
        return self.entries.get(key) is not None

    def transcripts(self) -> tuple[str, ...]:
        """Return the N transcripts."""
        return tuple(_to_text(part) for part in _to_list(self.entries["raw_text"]))

    def labels(self, key: str) -> Floats:
        """Return labels (N,) float32.

        Raises:
            DataError: not one finite number a sample; the samples are named.
        """
        values = self._numbers(key)
        if values.size != len(self.ids):
            self._refuse(key, f"has shape {values.shape}", f"({len(self.ids)},): one number each")
        flat = values.reshape(-1).astype(np.float32)
        wrong = [self.ids[row] for row in np.flatnonzero(~np.isfinite(flat))]
        if wrong:
            raise DataError(
                f"`{self.split}.{key}` of {self.path} is not a finite number for {len(wrong)} "
                f"of {len(self.ids)} samples: {name_some(wrong)}. Remove them or give them labels."
            )
        return flat

    def unimodal_labels(self) -> Mapping[Modality, Floats] | None:
        """Return human labels of every modality; None where the file has none."""
        keys = {part: f"regression_labels_{letter}" for part, letter in _UNIMODAL.items()}
        if not all(self.has(key) for key in keys.values()):
            return None
        return {part: self.labels(key) for part, key in keys.items()}

    def text_pieces(self) -> TextPieces | None:
        """Return the word pieces of `text_bert` (N, 3, L); None where the file has none.

        Raises:
            DataError: another shape, or numbers that are no ids.
        """
        if not self.has("text_bert"):
            return None
        rows = self._numbers("text_bert")
        if rows.ndim != 3 or rows.shape[1] != _BERT_ROWS:
            self._refuse(
                "text_bert", f"has shape {rows.shape}", "(N, 3, L): ids, attention mask, segments"
            )
        ids, kept = rows[:, 0], rows[:, 1] > 0
        if not np.isfinite(ids).all() or (ids < 0).any() or (ids != np.rint(ids)).any():
            self._refuse("text_bert", "has ids that are no whole numbers", "word piece ids")
        tokens = Ragged(ids[kept].astype(np.int32), offsets_of(kept.sum(axis=1)))
        return TextPieces(tokens, kept)

    def frames(self, modality: Modality) -> Frames:
        """Return frames (N, T, D), or N arrays (T_i, D), and forget them here.

        Raises:
            DataError: another shape, or no numbers.
        """
        value = self.entries.pop(modality)
        if isinstance(value, Block) or (
            isinstance(value, np.ndarray) and cast(Array, value).dtype != object
        ):
            return self._block(modality, cast(Array | Block, value))
        try:
            samples = [_to_numbers(part) for part in _to_list(value)]
        except (ValueError, TypeError):
            self._refuse(modality, "holds something that is no number", "(N, T, D)")
        if len({part.shape[1:] for part in samples}) != 1 or samples[0].ndim != 2:
            shapes = sorted({str(part.shape) for part in samples})
            self._refuse(modality, f"holds samples of shapes {', '.join(shapes[:3])}", "(T, D)")
        return samples

    def lengths(self, modality: Modality) -> Integers | None:
        """Return the lengths (N,) the file gives; None where it gives none."""
        key = f"{modality}_lengths"
        if not self.has(key):
            return None
        values = self._numbers(key)
        if values.size != len(self.ids):
            self._refuse(key, f"has shape {values.shape}", f"({len(self.ids)},)")
        return np.nan_to_num(values.reshape(-1)).astype(np.int64)

    def compare_classes(self, cleaning: Cleaning, labels: Floats) -> None:
        """Count samples whose class (0, 1, 2) or annotation is not that of their label."""
        signs = np.sign(labels).astype(np.int64)
        told: dict[str, Array] = {}
        if self.has("classification_labels"):
            told["classification_labels"] = self._numbers("classification_labels").reshape(-1) - 1
        if self.has("annotations"):
            names = [_to_text(part).lower() for part in _to_list(self.entries["annotations"])]
            told["annotations"] = np.array([_ANNOTATIONS.get(name, 9) for name in names])
        for key, values in told.items():
            different = int((values != signs).sum()) if len(values) == len(signs) else len(signs)
            # Files whose classes mean something else altogether are not wrong in single samples.
            if 0 < different <= len(signs) * _FEW:
                cleaning.remarks.append(
                    f"`{self.split}.{key}` says another sign than the label in {different} "
                    "samples; the labels were kept."
                )

    def _block(self, modality: Modality, value: Array | Block) -> Array | Block:
        """Return frames (N, T, D) of a plain array; (N, D) is one frame a sample."""
        if value.dtype.kind not in "fiub":
            self._refuse(modality, "holds something that is no number", "(N, T, D)")
        block = value.reshape(len(value), 1, value.shape[1]) if value.ndim == 2 else value
        if block.ndim != 3 or not block.shape[2]:
            self._refuse(modality, f"has shape {value.shape}", "(N, T, D)")
        return block

    def _numbers(self, key: str) -> Array:
        try:
            return np.asarray(self.entries[key], dtype=np.float64)
        except (ValueError, TypeError):
            self._refuse(key, "holds something that is no number", "numbers")

    def _refuse(self, key: str, what: str, expected: str) -> NoReturn:
        raise DataError(f"`{self.split}.{key}` of {self.path} {what}, but must be {expected}.")

    def _check_counts(self) -> None:
        if not self.ids:
            raise DataError(f"`{self.split}` of {self.path} is empty. Every split needs samples.")
        unimodal = (f"regression_labels_{letter}" for letter in _UNIMODAL.values())
        for key in (*_NEEDED, *_PER_SAMPLE, *unimodal):
            count = _count(self.entries.get(key))
            if count not in (None, len(self.ids)):
                raise DataError(
                    f"`{self.split}.{key}` of {self.path} has {count} samples, "
                    f"but `{self.split}.id` has {len(self.ids)}."
                )


def _read_ids(value: Any) -> tuple[str, ...]:
    """Return ids as text; an id of several parts (older MOSEI files) is joined."""
    parts = _to_list(value)
    return tuple(
        _ID_SEPARATOR.join(_to_text(piece) for piece in _to_list(part))
        if isinstance(part, list | tuple | np.ndarray)
        else _to_text(part)
        for part in parts
    )


def _to_numbers(part: Any) -> Array | Block:
    """Return the frames of one sample, (T, D); one frame may come without its axis."""
    if isinstance(part, Block):
        return part
    values = np.asarray(part)
    if values.dtype.kind not in "fiub":
        values = values.astype(np.float64)
    return values[None] if values.ndim == 1 else values


def _to_list(value: Any) -> Sequence[Any]:
    if isinstance(value, Block):
        value = value[:]
    if isinstance(value, np.ndarray):
        array = cast(Array, value)
        return list(array) if array.ndim else [array.item()]
    return cast(list[Any], value) if isinstance(value, list | tuple) else [value]


def _to_text(value: Any) -> str:
    """Return text; bytes are UTF-8, a list of one holds its text."""
    if isinstance(value, np.ndarray | list | tuple):
        return " ".join(_to_text(part) for part in _to_list(value))
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _count(value: Any) -> int | None:
    if isinstance(value, Block):
        return len(value)
    return len(_to_list(value)) if value is not None else None


def _list_keys(keys: Sequence[str]) -> str:
    return ", ".join(f"`{key}`" for key in keys) or "nothing"
