"""Which features of a store a model sees, and how they are scaled: fitted on train alone.

Shapes: D frame width of the store, D_m features that are selected of modality m.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from setgf.config import DataConfig
from setgf.data.frame_facts import ragged_of
from setgf.data.frames import Scaling, fit_scaling
from setgf.data.ragged import Integers
from setgf.data.selection import selected_features
from setgf.data.store import FeatureStore, Manifest
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


def selected_columns(manifest: Manifest, config: DataConfig, modality: Modality) -> Integers | None:
    """Return the numbers (D_m,) of the features the model sees; None stands for all.

    Raises:
        ConfigError: the store has no feature of that number.
    """
    columns = selected_features(manifest, config, modality)
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
