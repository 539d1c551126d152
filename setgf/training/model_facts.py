"""What a trained model must know of the data it was trained on, to score other data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from setgf.config import DataConfig
from setgf.data.batch import DataFacts, read_facts
from setgf.data.frames import Scaling
from setgf.data.normalise import Normaliser
from setgf.data.selection import width_of
from setgf.data.store import FeatureStore
from setgf.terms import Modality


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFacts:
    """The training data, as far as scoring needs it."""

    data: DataFacts
    """Family, language, and the widths the network sees."""
    audio_width: int
    """Features of an audio frame before any is selected."""
    vision_width: int
    """Features of a vision frame before any is selected."""
    vocabulary: str
    """Word pieces of the data's own ids: `bert-base-uncased` or `bert-base-chinese`."""
    has_tokens: bool
    """The data holds word piece ids of its own."""
    modalities: tuple[str, ...]
    """Modalities the data has."""
    name: str
    """Feature store."""
    fingerprint: str
    """Hash of everything in it that can change a number."""
    sizes: Mapping[str, int]
    """Samples by split."""
    label_range: tuple[float, float]
    """Lowest and highest label."""

    @classmethod
    def of(cls, store: FeatureStore, config: DataConfig) -> Self:
        """Return the facts of a store.

        Raises:
            ConfigError: a selected feature is not in the store.
        """
        manifest = store.manifest
        return cls(
            data=read_facts(store, config),
            audio_width=width_of(manifest, Modality.AUDIO),
            vision_width=width_of(manifest, Modality.VISION),
            vocabulary=manifest.vocabulary,
            has_tokens=manifest.has_tokens,
            modalities=tuple(map(str, manifest.modalities)),
            name=store.name,
            fingerprint=manifest.fingerprint,
            sizes={str(split): size for split, size in manifest.sizes.items()},
            label_range=manifest.label_range,
        )

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Self:
        """Return the facts whose `to_plain` gave `plain`.

        Raises:
            KeyError, TypeError: something is missing, or is nothing we know.
        """
        values: dict[str, Any] = dict(plain)
        values["data"] = DataFacts(**values["data"])
        values["modalities"] = tuple(values["modalities"])
        low, high = values["label_range"]
        values["label_range"] = (float(low), float(high))
        return cls(**values)

    def to_plain(self) -> dict[str, Any]:
        """Return plain JSON."""
        return asdict(self)

    def width(self, modality: Modality) -> int:
        """Return how many features a frame of audio or vision has before any is selected."""
        return self.audio_width if modality is Modality.AUDIO else self.vision_width


def normaliser_to_plain(normaliser: Normaliser | None) -> dict[str, Any] | None:
    """Return plain JSON that `normaliser_from_plain` turns back into the same bits."""
    if normaliser is None:
        return None
    parts = {"audio": normaliser.audio, "vision": normaliser.vision}
    return {name: None if part is None else part.to_plain() for name, part in parts.items()}


def normaliser_from_plain(plain: Mapping[str, Any] | None) -> Normaliser | None:
    """Return the normaliser of selected features that was kept.

    Raises:
        KeyError, TypeError, ValueError: it is no normaliser.
    """
    if plain is None:
        return None
    parts = {
        name: None if plain[name] is None else Scaling.from_plain(plain[name])
        for name in ("audio", "vision")
    }
    return Normaliser(audio=parts["audio"], vision=parts["vision"])
