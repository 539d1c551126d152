"""Which features of a store a model sees, and how they are scaled: fitted on train alone.

Shapes: D frame width of the store, D_m features that are selected of modality m.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from setgf.config import DataConfig
from setgf.config.columns import parse_columns
from setgf.data.frame_facts import ragged_of
from setgf.data.frames import Scaling, fit_scaling
from setgf.data.ragged import Integers
from setgf.data.store import FeatureStore, Manifest
from setgf.errors import ConfigError
from setgf.terms import Modality, Split


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Normaliser:
    """Scaling of the selected features of audio and vision, fitted on train's real frames."""

    audio: Scaling | None
    """None leaves audio as it is."""
    vision: Scaling | None
    """None leaves vision as it is."""

    def of(self, modality: Modality) -> Scaling | None:
        """Return the scaling of audio or vision."""
        return self.audio if modality is Modality.AUDIO else self.vision


def fit_normaliser(store: FeatureStore, config: DataConfig) -> Normaliser | None:
    """Return the scaling of train's real frames; None when the config wants none.

    Raises:
        ConfigError: a selected feature is not in the store.
    """
    if not config.normalise:
        return None
    return Normaliser(
        audio=_scaling(store, config, Modality.AUDIO),
        vision=_scaling(store, config, Modality.VISION),
    )


def width_of(manifest: Manifest, modality: Modality) -> int:
    """Return D of audio or vision."""
    return manifest.audio_width if modality is Modality.AUDIO else manifest.vision_width


def selected_columns(manifest: Manifest, config: DataConfig, modality: Modality) -> Integers | None:
    """Return the numbers (D_m,) of the features the model sees; None stands for all.

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
    return np.array(columns, np.int64) if columns else None


def _scaling(store: FeatureStore, config: DataConfig, modality: Modality) -> Scaling | None:
    if modality not in config.normalise_modalities:
        return None
    known: Mapping[str, Mapping[str, list[float]]] | None = store.manifest.scaling
    if known is not None:
        whole = Scaling.from_plain(known[modality])
    else:
        whole = fit_scaling(ragged_of(store.split(Split.TRAIN), modality).values)
    return whole.select(selected_columns(store.manifest, config, modality))
