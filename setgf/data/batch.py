"""The one object a network is given, and where it comes from.

Shapes: B batch, T_text, T_audio, T_vision steps of the longest sequence in the batch (at least 1,
so that no tensor is empty where a modality is left out), F_m feature width, N samples of a split.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from setgf.config import DataConfig
from setgf.data.frames import Normaliser, Scaling, fit_scaling, prepare, prepared_lengths
from setgf.data.ragged import Array, Integers, Ragged, count_up
from setgf.data.store import FeatureStore, SplitData
from setgf.data.tokens import tokenise
from setgf.terms import MODALITIES, Modality, Split


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Padded inputs of B samples; padding is zero and stands at the end."""

    index: Tensor
    """(B,) int64. Row of each sample in its split: the key of label banks and encoder caches."""
    tokens: Tensor
    """(B, T_text) int64. Word piece ids."""
    segments: Tensor
    """(B, T_text) int64. Segment ids."""
    text_lengths: Tensor
    """(B,) int64, on the CPU, 0 <= length <= T_text; 0 where text is left out."""
    audio: Tensor
    """(B, T_audio, F_audio) float32."""
    audio_lengths: Tensor
    """(B,) int64, on the CPU, 0 <= length <= T_audio."""
    vision: Tensor
    """(B, T_vision, F_vision) float32."""
    vision_lengths: Tensor
    """(B,) int64, on the CPU, 0 <= length <= T_vision."""

    @property
    def size(self) -> int:
        """Number of samples."""
        return self.index.shape[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchLabels:
    """Annotated labels that travel beside a batch."""

    fusion: Tensor
    """(B,) float32 on the label scale."""
    text: Tensor | None = None
    """(B,) float32. Human label of the text alone (SIMS); None where the data has none."""
    audio: Tensor | None = None
    """(B,) float32, as `text`."""
    vision: Tensor | None = None
    """(B,) float32, as `text`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DataFacts:
    """What a network must know of the data; read from the data, never typed as a setting."""

    dataset: str
    audio_width: int
    """F_audio."""
    vision_width: int
    """F_vision."""
    label_limit: float
    """Largest absolute label."""
    num_train: int
    language: str = "en"
    """Language of the transcripts: `en` or `zh`."""


def padding_mask(lengths: Tensor, steps: int, device: torch.device) -> Tensor:
    """Return (B, steps) bool, True where padded, for lengths (B,) int64."""
    positions = torch.arange(steps, device=device)
    return positions[None, :] >= lengths.to(device)[:, None]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BatchSource:
    """Makes batches of one split; a sample's numbers do not depend on its batch."""

    facts: DataFacts
    data: SplitData
    """The split itself: labels, transcripts, mapped frames."""
    tokens: Ragged
    """int32 word piece ids, cut to `max_tokens`."""
    config: DataConfig
    normaliser: Normaliser | None

    @property
    def lengths(self) -> Integers:
        """(N,) int64. Steps a sample brings into a batch, all modalities together."""
        total = np.zeros(self.size, np.int64)
        for modality in self._modalities():
            total += self._steps(modality)
        return total

    @property
    def ids(self) -> tuple[str, ...]:
        """Ids of the samples, by row."""
        return self.data.ids

    @property
    def size(self) -> int:
        """Number of samples."""
        return self.data.size

    @property
    def text_lengths(self) -> Integers:
        """(N,) int64. Word pieces of every sample."""
        return self.tokens.lengths

    def batch(self, index: Array) -> tuple[Batch, BatchLabels]:
        """Return the samples of the rows `index` (B,), on the CPU, in that order."""
        rows = np.asarray(index, np.int64)
        tokens, text_lengths = self._text(rows)
        audio, audio_lengths = self._frames(Modality.AUDIO, rows)
        vision, vision_lengths = self._frames(Modality.VISION, rows)
        batch = Batch(
            index=_tensor(rows),
            tokens=tokens,
            segments=torch.zeros_like(tokens),
            text_lengths=text_lengths,
            audio=audio,
            audio_lengths=audio_lengths,
            vision=vision,
            vision_lengths=vision_lengths,
        )
        return batch, self._labels(rows)

    def _text(self, rows: Integers) -> tuple[Tensor, Tensor]:
        """Return tokens (B, T_text) int64 and lengths (B,) int64."""
        if Modality.TEXT not in self._modalities():
            return _nothing(rows, torch.int64)
        lengths = self.tokens.lengths[rows]
        padded = np.zeros((len(rows), max(int(lengths.max(initial=0)), 1)), np.int64)
        padded[np.repeat(np.arange(len(rows)), lengths), count_up(lengths)] = self.tokens.gather(
            rows
        )
        return _tensor(padded), _tensor(lengths)

    def _frames(self, modality: Modality, rows: Integers) -> tuple[Tensor, Tensor]:
        """Return frames (B, T_m, F_m) float32 and lengths (B,) int64."""
        frames = self._ragged(modality)
        if modality not in self._modalities():
            return _nothing(rows, torch.float32, frames.width)
        padded, lengths = prepare(
            frames, rows, max_frames=self.config.max_frames, scaling=self._scaling(modality)
        )
        return _tensor(padded), _tensor(lengths)

    def _labels(self, rows: Integers) -> BatchLabels:
        unimodal = self.data.unimodal_labels or {}
        return BatchLabels(
            fusion=_tensor(np.asarray(self.data.labels[rows])),
            **{part: _tensor(np.asarray(unimodal[part][rows])) for part in unimodal},
        )

    def _modalities(self) -> tuple[Modality, ...]:
        return tuple(part for part in MODALITIES if part in self.config.modalities)

    def _ragged(self, modality: Modality) -> Ragged:
        return self.data.audio if modality is Modality.AUDIO else self.data.vision

    def _scaling(self, modality: Modality) -> Scaling | None:
        if self.normaliser is None:
            return None
        return self.normaliser.audio if modality is Modality.AUDIO else self.normaliser.vision

    def _steps(self, modality: Modality) -> Integers:
        if modality is Modality.TEXT:
            return self.tokens.lengths
        return prepared_lengths(self._ragged(modality).lengths, self.config.max_frames)


def open_batches(
    store: FeatureStore,
    split: Split,
    config: DataConfig,
    *,
    tokenizer_folder: Path | None,
    normaliser: Normaliser | None = None,
) -> BatchSource:
    """Open one split for batches.

    Args:
        tokenizer_folder: folder of the encoder's tokenizer; None where it has none (`tokenise`).
        normaliser: fitted on train (`fit_normaliser`); None leaves features as they are.

    Raises:
        DataError: the store is damaged.
        EncoderError: the folder has no tokenizer.
    """
    data = store.split(split)
    tokens = tokenise(
        data,
        tokenizer_folder,
        max_tokens=config.max_tokens,
        vocabulary=store.manifest.vocabulary,
    )
    return BatchSource(
        facts=read_facts(store), data=data, tokens=tokens, config=config, normaliser=normaliser
    )


def read_facts(store: FeatureStore) -> DataFacts:
    """Return what a network must know of the store."""
    manifest = store.manifest
    return DataFacts(
        dataset=manifest.dataset,
        audio_width=manifest.audio_width,
        vision_width=manifest.vision_width,
        label_limit=manifest.dataset.label_limit,
        num_train=manifest.sizes[Split.TRAIN],
        language=manifest.language,
    )


def fit_normaliser(store: FeatureStore, config: DataConfig) -> Normaliser | None:
    """Return the scaling of the train split's real frames; None when the config wants none."""
    if not config.normalise:
        return None
    if (known := store.manifest.scaling) is not None:
        parts = {name: Scaling.from_plain(plain) for name, plain in known.items()}
        return Normaliser(audio=parts[Modality.AUDIO], vision=parts[Modality.VISION])
    train = store.split(Split.TRAIN)
    return Normaliser(
        audio=fit_scaling(train.audio.values), vision=fit_scaling(train.vision.values)
    )


def _nothing(rows: Integers, dtype: torch.dtype, *width: int) -> tuple[Tensor, Tensor]:
    """Return one step of zeros a sample and lengths 0: a modality that is left out."""
    size = len(rows)
    return torch.zeros((size, 1, *width), dtype=dtype), torch.zeros(size, dtype=torch.int64)


def _tensor(values: Array) -> Tensor:
    return torch.from_numpy(values)  # pyright: ignore[reportUnknownMemberType]
