"""The samples of one split, wherever their frames are.

Shapes: N samples, F_total frames of all samples.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from setgf.data.ragged import Floats, Ragged, Sequences
from setgf.terms import Modality

RAGGED = ("audio", "vision", "text_features", "tokens")
"""Parts of a split that are sequences."""


@dataclass(frozen=True, kw_only=True)
class SplitSource:
    """The N samples of one split, in their order; frames may still be in a feature file."""

    ids: tuple[str, ...]
    transcripts: tuple[str, ...]
    labels: Floats
    """(N,) float32, on the label scale."""
    unimodal_labels: Mapping[Modality, Floats] | None
    """(N,) float32 each; None where the data has none."""
    tokens: Ragged | None
    """int32 word piece ids, [CLS] and [SEP] included; None where the data has none."""
    text_features: Sequences | None
    """(F_total, D) float32 precomputed text states; None where the data has none."""
    audio: Sequences
    """(F_total, F_audio) float32."""
    vision: Sequences
    """(F_total, F_vision) float32."""

    @property
    def size(self) -> int:
        """Number of samples."""
        return len(self.ids)

    def sequences(self) -> dict[str, Sequences]:
        """Return the parts that are there, by name."""
        parts: dict[str, Sequences | None] = {name: getattr(self, name) for name in RAGGED}
        return {name: part for name, part in parts.items() if part is not None}


@dataclass(frozen=True, kw_only=True)
class SplitData(SplitSource):
    """The N samples of one split, in memory or mapped from a store."""

    text_features: Ragged | None
    """(F_total, D) float32 precomputed text states; None where the data has none."""
    audio: Ragged
    """(F_total, F_audio) float32."""
    vision: Ragged
    """(F_total, F_vision) float32."""
