"""What reading any feature file ends in: splits, and what is known of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from setgf.data.blocks import OpenFile
from setgf.data.manifest import StoreFacts
from setgf.data.recognise import (
    check_labels,
    find_official,
    recognise_dataset,
    recognise_language,
)
from setgf.data.report import Cleaning, build_report
from setgf.data.split_data import SplitSource
from setgf.data.tokens import CHINESE_VOCABULARY, ENGLISH_VOCABULARY
from setgf.terms import MODALITIES, Dataset, Modality, Split


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureFile:
    """A feature file, read, checked and cleaned: what `write_store` needs."""

    path: Path
    splits: Mapping[Split, SplitSource]
    facts: StoreFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a reader knows beside the splits themselves."""

    path: Path
    dataset: Dataset | None
    """Named by the user; None recognises it."""
    cleaning: Cleaning
    aligned: bool = False
    modalities: tuple[Modality, ...] = MODALITIES


def language_of(splits: Mapping[Split, SplitSource]) -> str:
    """Return the language of all transcripts."""
    return recognise_language([text for data in splits.values() for text in data.transcripts])


def make_feature_file(splits: Mapping[Split, SplitSource], found: Found) -> FeatureFile:
    """Put the splits together with what is to be said of them.

    Raises:
        DataError: the labels are of no known family, or beyond its range.
    """
    path, train = found.path, splits[Split.TRAIN]
    language = language_of(splits)
    largest = max(float(np.abs(data.labels).max()) for data in splits.values())
    source_sha256 = OpenFile(path).sha256()
    official = find_official(source_sha256)
    family = found.dataset or (official.dataset if official else None)
    if family is None:
        family = recognise_dataset(
            path,
            language=language,
            largest_label=largest,
            audio_width=train.audio.width,
            vision_width=train.vision.width,
        )
    check_labels(path, family, largest)
    return FeatureFile(
        path=path,
        splits=splits,
        facts=StoreFacts(
            dataset=family,
            language=language,
            aligned=found.aligned,
            source=path.name,
            source_sha256=source_sha256,
            vocabulary=CHINESE_VOCABULARY if language == "zh" else ENGLISH_VOCABULARY,
            report=build_report(splits, family, found.cleaning),
            modalities=found.modalities,
            official=official.name if official else None,
        ),
    )
