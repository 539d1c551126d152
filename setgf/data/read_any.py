"""Reads whatever a user calls a feature file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from setgf.data.feature_file import FeatureFile
from setgf.errors import ConfigError
from setgf.terms import Dataset, Modality


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What to import, and how."""

    path: Path
    """A pickle, or a label.csv."""
    features: Mapping[Modality, Path] = field(default_factory=dict[Modality, Path])
    """Arrays of the clips of a label.csv."""
    dataset: Dataset | None = None
    """Family; None recognises it."""
    max_memory: int | None = None
    """Bytes a file may take; None takes 80 % of the memory that is free."""


def read_any(source: Source) -> FeatureFile:
    """Read, check and clean a feature file of any kind.

    Raises:
        UnsafePickleError: a pickle asks for more than plain data.
        ConfigError: the options do not belong to this kind of file.
        DataError: something in it is not what it must be; one sentence.
    """
    if source.path.suffix.lower() == ".csv":
        from setgf.data.labelled import read_labelled

        return read_labelled(
            source.path, source.features, source.dataset, max_memory=source.max_memory
        )
    if source.features:
        raise ConfigError(
            "--audio, --vision and --text-features belong to a label.csv, but "
            f"{source.path} is taken for a pickle, which has its own."
        )
    from setgf.data.features import read_feature_file

    return read_feature_file(source.path, source.dataset, max_memory=source.max_memory)
