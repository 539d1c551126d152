"""The frames of one modality over all splits: cleaned, laid out, and what was odd written down.

Shapes: N samples of a split, T padded steps, D frame width.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from setgf.data.blocks import Block
from setgf.data.cleaning import FrameEnds, Frames, LaidOut, find_ends, find_padding_side, lay_out
from setgf.data.ragged import Integers
from setgf.data.report import Cleaning
from setgf.data.split_reader import TextPieces
from setgf.errors import DataError
from setgf.terms import Modality, Split

_MOST_FEATURES = 12


def clean_frames(
    path: Path,
    modality: Modality,
    frames: Mapping[Split, Frames],
    cleaning: Cleaning,
    *,
    lengths: Mapping[Split, Integers | None] | None = None,
    pieces: Mapping[Split, TextPieces | None] | None = None,
) -> tuple[dict[Split, LaidOut], set[int]]:
    """Return the real frames of a modality and the padded steps T that were seen.

    Args:
        path: named in errors.
        modality: whose frames.
        frames: of every split, or of one.
        cleaning: takes what was found.
        lengths: (N,) by split, as the file gives them, to compare with.
        pieces: word pieces whose places text features share.

    Raises:
        DataError: the splits differ in width.
    """
    width = _one_width(path, modality, frames)
    ends = {split: find_ends(part, width) for split, part in frames.items()}
    for split, own in (pieces or {}).items():
        if own is not None and set(ends[split].steps.tolist()) == {own.steps}:
            ends[split] = own.ends(ends[split])
    side = find_padding_side(ends.values())
    cleaning.padding[modality] = side
    laid = {split: lay_out(part, ends[split], side, width) for split, part in frames.items()}
    for split, part in laid.items():
        where = f"{split}.{modality}"
        _note(cleaning, where, ends[split], part)
        _compare_lengths(cleaning, where, (lengths or {}).get(split), part)
    if side == "left":
        cleaning.remarks.append(f"`{modality}` was padded on the left; the padding was dropped.")
    return laid, {int(steps) for part in ends.values() for steps in np.unique(part.steps)}


def _one_width(path: Path, modality: Modality, frames: Mapping[Split, Frames]) -> int:
    """Return D, the same in every split.

    Raises:
        DataError: the splits differ.
    """
    widths = {split: int(_shape(part)[-1]) for split, part in frames.items()}
    if len(set(widths.values())) > 1:
        found = ", ".join(f"{split} {width}" for split, width in widths.items())
        raise DataError(
            f"{path} has `{modality}` of different widths: {found}. "
            "All splits must have the same features."
        )
    return next(iter(widths.values()))


def _shape(frames: Frames) -> tuple[int, ...]:
    return frames.shape if isinstance(frames, np.ndarray | Block) else frames[0].shape


def _note(cleaning: Cleaning, where: str, ends: FrameEnds, laid: LaidOut) -> None:
    if ends.nonfinite:
        cleaning.nonfinite[where] = ends.nonfinite
        cleaning.nonfinite_features[where] = {
            str(feature): count for feature, count in ends.nonfinite_features.items()
        }
        found = ", ".join(f"{count} {kind}" for kind, count in ends.nonfinite.items())
        worst = sorted(ends.nonfinite_features, key=lambda at: -ends.nonfinite_features[at])
        named = ", ".join(map(str, sorted(worst[:_MOST_FEATURES])))
        more = len(worst) - _MOST_FEATURES
        cleaning.remarks.append(
            f"`{where}` held values that are not finite ({found}; in features {named}"
            f"{f' and {more} more' if more > 0 else ''}); now 0."
        )
    if ends.at_limit:
        cleaning.at_limit[where] = ends.at_limit
    empty = int((laid.lengths == 0).sum())
    if empty:
        cleaning.remarks.append(f"`{where}` has no frames at all in {empty} samples.")


def _compare_lengths(cleaning: Cleaning, where: str, given: Integers | None, laid: LaidOut) -> None:
    """Count samples whose length in the file is another; an empty sample is 1 there (MMSA)."""
    if given is None:
        return
    different = int((np.maximum(given, 1) != np.maximum(laid.lengths, 1)).sum())
    if different:
        cleaning.length_differences[where] = different
        cleaning.remarks.append(
            f"`{where}` has other lengths than the file says in {different} samples; "
            "the frames themselves were counted."
        )
