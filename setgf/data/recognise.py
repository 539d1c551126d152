"""Which data set a feature file is of: told by its hash, else by its labels, widths, language."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from setgf.data.synthetic import SHAPES
from setgf.errors import DataError
from setgf.terms import Dataset

SIMSV2_WIDTHS = (25, 177)
"""Audio and vision width of MMSA's CH-SIMS v2 file (its config_regression.json)."""


@dataclass(frozen=True, slots=True)
class Official:
    """A published feature file."""

    name: str
    dataset: Dataset


_OFFICIAL: Mapping[str, Official] = {
    "78e0f8b5ef8ff71558e7307848fc1fa929ecb078203f565ab22b9daab2e02524": Official(
        "MOSI/Processed/unaligned_50.pkl of MMSA", Dataset.MOSI
    ),
    "d3994fd25681f9c7ad6e9c6596a6fe9b4beb85ff7d478ba978b124139002e5f9": Official(
        "MOSI/Processed/aligned_50.pkl of MMSA", Dataset.MOSI
    ),
    "ad8b23d50557045e7d47959ce6c5b955d8d983f2979c7d9b7b9226f6dd6fec1f": Official(
        "MOSEI/Processed/unaligned_50.pkl of MMSA", Dataset.MOSEI
    ),
    "45eccfb748a87c80ecab9bfac29582e7b1466bf6605ff29d3b338a75120bf791": Official(
        "MOSEI/Processed/aligned_50.pkl of MMSA", Dataset.MOSEI
    ),
    "c9e20c13ec0454d98bb9c1e520e490c75146bfa2dfeeea78d84de047dbdd442f": Official(
        "SIMS/Processed/unaligned_39.pkl of MMSA", Dataset.SIMS
    ),
}
"""SHA-256 of the published files, from section 2 of thuiar/MMSA's README (commit a94e65d).

It gives none for CH-SIMS v2.
"""
_CHINESE = range(0x4E00, 0x9FFF + 1)
_ROUNDING = 1e-4


def find_official(sha256: str) -> Official | None:
    """Return the published file of that hash; None for any other."""
    return _OFFICIAL.get(sha256)


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
