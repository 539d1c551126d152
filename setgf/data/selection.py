"""Features of a store that a model sees: checked without loading numpy, as queueing a job does."""

from __future__ import annotations

from setgf.config import DataConfig
from setgf.config.columns import parse_columns
from setgf.data.manifest import Manifest
from setgf.errors import ConfigError
from setgf.terms import Modality

FEATURED = (Modality.AUDIO, Modality.VISION)
"""Modalities whose features can be selected."""


def width_of(manifest: Manifest, modality: Modality) -> int:
    """Return how many features a frame of audio or vision has."""
    return manifest.audio_width if modality is Modality.AUDIO else manifest.vision_width


def selected_features(
    manifest: Manifest, config: DataConfig, modality: Modality
) -> tuple[int, ...]:
    """Return the numbers of the features the model sees, rising; empty: all.

    Raises:
        ConfigError: the store has no feature of that number.
    """
    chosen = config.audio_features if modality is Modality.AUDIO else config.vision_features
    columns = parse_columns(chosen)
    width = width_of(manifest, modality)
    if columns and columns[-1] >= width:
        raise ConfigError(
            f"`data.{modality}_features` names feature {columns[-1]}, but {modality} of the "
            f"feature store `{config.name}` has the features 0 to {width - 1}."
        )
    return columns
