"""Which data set a feature file is of: told by its labels, widths and language."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from setgf.data.synthetic import SHAPES
from setgf.errors import DataError
from setgf.terms import Dataset

SIMSV2_WIDTHS = (25, 177)
"""Audio and vision width of MMSA's CH-SIMS v2 file (its config_regression.json)."""
_CHINESE = range(0x4E00, 0x9FFF + 1)
_ROUNDING = 1e-4


def recognise_language(transcripts: Sequence[str]) -> str:
    """Return `zh` when most transcripts have Chinese characters, else `en`."""
    chinese = sum(any(ord(sign) in _CHINESE for sign in text) for text in transcripts)
    return "zh" if chinese * 2 > len(transcripts) else "en"


def recognise_dataset(
    path: Path, *, language: str, largest_label: float, audio_width: int, vision_width: int
) -> Dataset:
    """Return the family a file is of.

    Args:
        path: named in errors.
        largest_label: largest absolute label.

    Raises:
        DataError: labels and language are of no known family; `--dataset` names one.
    """
    widths = (audio_width, vision_width)
    if language == "zh" and largest_label <= 1 + _ROUNDING:
        return Dataset.SIMSV2 if widths == SIMSV2_WIDTHS else Dataset.SIMS
    if language == "en" and 1 + _ROUNDING < largest_label <= 3 + _ROUNDING:
        mosei = SHAPES[Dataset.MOSEI]
        is_mosei = widths == (mosei.audio_width, mosei.vision_width)
        return Dataset.MOSEI if is_mosei else Dataset.MOSI
    raise DataError(
        f"Can't tell which data set {path} is of: its transcripts are {_LANGUAGES[language]} and "
        f"its labels reach {largest_label:g}, which no known one has. "
        "Say which rules hold for it with --dataset mosi, mosei, sims or simsv2."
    )


def check_labels(path: Path, dataset: Dataset, largest_label: float) -> None:
    """Refuse labels beyond the data set's range.

    Raises:
        DataError: a label is larger than the limit.
    """
    if largest_label > dataset.label_limit + _ROUNDING:
        raise DataError(
            f"Labels of {path} reach {largest_label:g}, but those of {dataset} lie between "
            f"-{dataset.label_limit:g} and {dataset.label_limit:g}. "
            "Name another data set with --dataset."
        )


_LANGUAGES = {"zh": "Chinese", "en": "not Chinese"}
