"""The one object a network is given, and where it comes from.

Shapes: B batch, T_text, T_audio, T_vision steps of the longest sequence in the batch (at least 1,
so that no tensor is empty where a modality is left out), F_m feature width, N samples of a split.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from setgf.config import DataConfig
from setgf.data.frame_facts import FRAMED, ragged_of
from setgf.data.frames import Scaling, prepare, prepared_lengths
from setgf.data.kept import PaddedSequences, SequenceMaker, fits, send
from setgf.data.normalise import Normaliser, fit_normaliser, selected_columns
from setgf.data.ragged import Array, Integers, Ragged
from setgf.data.selection import width_of
from setgf.data.store import FeatureStore, SplitData
from setgf.data.tokens import TokenFacts, Tokens, tokenise
from setgf.home import Home
from setgf.terms import Modality, Split

__all__ = [
    "Batch",
    "BatchLabels",
    "BatchSource",
    "DataFacts",
    "Normaliser",
    "fit_normaliser",
    "make_batches",
    "open_batches",
    "padding_mask",
    "read_facts",
]
CPU = torch.device("cpu")


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

    def part(self, rows: Tensor) -> Batch:
        """Return the samples `rows` (n,), without the padding that only others need."""
        return Batch(
            index=self.index[rows],
            tokens=_cut(self.tokens, self.text_lengths, rows),
            segments=_cut(self.segments, self.text_lengths, rows),
            text_lengths=self.text_lengths[rows],
            audio=_cut(self.audio, self.audio_lengths, rows),
            audio_lengths=self.audio_lengths[rows],
            vision=_cut(self.vision, self.vision_lengths, rows),
            vision_lengths=self.vision_lengths[rows],
        )


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

    def part(self, place: slice | Tensor) -> BatchLabels:
        """Return the labels of some samples."""
        return BatchLabels(
            fusion=self.fusion[place],
            text=None if self.text is None else self.text[place],
            audio=None if self.audio is None else self.audio[place],
            vision=None if self.vision is None else self.vision[place],
        )


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


def _cut(padded: Tensor, lengths: Tensor, rows: Tensor) -> Tensor:
    """Return some samples of `padded` (B, T, ..), cut to the longest of them, but to one step."""
    return padded[rows, : max(int(lengths[rows].max()), 1)]


def padding_mask(lengths: Tensor, steps: int, device: torch.device) -> Tensor:
    """Return (B, steps) bool, True where padded, for lengths (B,) int64."""
    positions = torch.arange(steps, device=device)
    return positions[None, :] >= lengths.to(device)[:, None]


class BatchSequences(Protocol):
    """Gives the sequences of a split, padded."""

    def padded(self, index: Integers) -> tuple[Tensor, Tensor]:
        """Return (B, T, ...) on the device, 1 <= T, zero where padded; lengths (B,) on the CPU."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BatchSource:
    """Makes batches of one split; a sample's numbers do not depend on its batch."""

    facts: DataFacts
    data: SplitData
    """The split itself: labels, transcripts, mapped frames."""
    token_facts: TokenFacts
    """How its transcripts became word pieces."""
    device: torch.device
    """Where the batches are."""
    is_kept: bool
    """What was made once stays on the device."""
    lengths: Integers
    """(N,) int64. Steps a sample brings into a batch, all modalities together."""
    sequences: Mapping[Modality, BatchSequences]
    labels: BatchLabels
    """Of the whole split, (N,) each, on the device."""

    @property
    def ids(self) -> tuple[str, ...]:
        """Ids of the samples, by row."""
        return self.data.ids

    @property
    def size(self) -> int:
        """Number of samples."""
        return self.data.size

    def batch(self, index: Array) -> tuple[Batch, BatchLabels]:
        """Return the samples of the rows `index` (B,), in that order."""
        rows = np.array(index, np.int64)
        tokens, text_lengths = self.sequences[Modality.TEXT].padded(rows)
        audio, audio_lengths = self.sequences[Modality.AUDIO].padded(rows)
        vision, vision_lengths = self.sequences[Modality.VISION].padded(rows)
        place = send(rows, self.device)
        batch = Batch(
            index=place,
            tokens=tokens,
            segments=torch.zeros_like(tokens),
            text_lengths=text_lengths,
            audio=audio,
            audio_lengths=audio_lengths,
            vision=vision,
            vision_lengths=vision_lengths,
        )
        return batch, self.labels.part(place)


def open_batches(
    store: FeatureStore,
    split: Split,
    config: DataConfig,
    *,
    tokenizer_folder: Path | None,
    normaliser: Normaliser | None = None,
    device: torch.device = CPU,
) -> BatchSource:
    """Open one split for batches; no frame is read yet.

    Args:
        store: what is opened.
        split: part of it.
        config: modalities, features, lengths, memory.
        tokenizer_folder: folder of the encoder's tokenizer; None where it has none (`tokenise`).
        normaliser: fitted on train (`fit_normaliser`); None leaves features as they are.
        device: where the batches are to be.

    Raises:
        ConfigError: a selected feature is not in the store.
        DataError: the store is damaged.
        EncoderError: the folder has no tokenizer.
    """
    data = store.split(split)
    tokens = tokenise(
        data,
        tokenizer_folder,
        max_tokens=config.max_tokens,
        vocabulary=store.manifest.vocabulary,
        cache=token_folder(store),
    )
    return make_batches(
        data,
        config,
        tokens=tokens,
        facts=read_facts(store, config),
        columns={part: selected_columns(store.manifest, config, part) for part in FRAMED},
        normaliser=normaliser,
        device=device,
    )


def make_batches(
    data: SplitData,
    config: DataConfig,
    *,
    tokens: Tokens,
    facts: DataFacts,
    columns: Mapping[Modality, Integers | None],
    normaliser: Normaliser | None = None,
    device: torch.device = CPU,
) -> BatchSource:
    """Return batches of samples wherever they are from; no frame is read yet.

    Args:
        data: the samples.
        config: modalities, lengths, memory.
        tokens: their word pieces.
        facts: what a network knows of the data.
        columns: features of audio and vision that are selected; None stands for all.
        normaliser: of the selected features; None leaves them as they are.
        device: where the batches are to be.
    """
    makers = {
        Modality.TEXT: _make_text(tokens.ids),
        **{
            modality: _make_frames(
                ragged_of(data, modality),
                config,
                columns=columns[modality],
                scaling=None if normaliser is None else normaliser.of(modality),
                most=tokens.ids.lengths if config.align_to_text else None,
            )
            for modality in FRAMED
        },
    }
    makers = {
        modality: maker if modality in config.modalities else _leave_out(maker)
        for modality, maker in makers.items()
    }
    is_kept = fits(sum(maker.size for maker in makers.values()), config.keep_mib, device)
    return BatchSource(
        facts=facts,
        data=data,
        token_facts=tokens.facts,
        device=device,
        is_kept=is_kept,
        lengths=np.sum([maker.lengths for maker in makers.values()], axis=0),
        sequences={
            modality: PaddedSequences(maker, device, keep=is_kept)
            for modality, maker in makers.items()
        },
        labels=_all_labels(data, device),
    )


def read_facts(store: FeatureStore, config: DataConfig) -> DataFacts:
    """Return what a network must know of the store, and of what it sees of it.

    Raises:
        ConfigError: a selected feature is not in the store.
    """
    manifest = store.manifest
    widths: dict[Modality, int] = {}
    for modality in FRAMED:
        columns = selected_columns(manifest, config, modality)
        widths[modality] = width_of(manifest, modality) if columns is None else len(columns)
    return DataFacts(
        dataset=manifest.dataset,
        audio_width=widths[Modality.AUDIO],
        vision_width=widths[Modality.VISION],
        label_limit=manifest.dataset.label_limit,
        num_train=manifest.sizes[Split.TRAIN],
        language=manifest.language,
    )


def token_folder(store: FeatureStore) -> Path:
    """Return the folder that keeps what was tokenised, in the home of the store."""
    return Home(store.path.parent.parent).cache / "tokens"


def _make_text(tokens: Ragged) -> SequenceMaker:
    return SequenceMaker(
        lengths=tokens.lengths, row_shape=(), dtype=torch.int64, make=tokens.gather
    )


def _make_frames(
    frames: Ragged,
    config: DataConfig,
    *,
    columns: Integers | None,
    scaling: Scaling | None,
    most: Integers | None,
) -> SequenceMaker:
    def make(rows: Integers) -> Array:
        return prepare(
            frames,
            rows,
            max_frames=config.max_frames,
            scaling=scaling,
            columns=columns,
            most=most,
        )

    return SequenceMaker(
        lengths=prepared_lengths(frames.lengths, config.max_frames, most),
        row_shape=(frames.width if columns is None else len(columns),),
        dtype=torch.float32,
        make=make,
    )


def _leave_out(maker: SequenceMaker) -> SequenceMaker:
    """Return the sequences of a modality the model does not see: all of length 0."""
    kind = np.int64 if maker.dtype == torch.int64 else np.float32
    nothing: Array = np.zeros((0, *maker.row_shape), kind)

    def make(_rows: Integers) -> Array:
        return nothing

    return replace(maker, lengths=np.zeros_like(maker.lengths), make=make)


def _all_labels(data: SplitData, device: torch.device) -> BatchLabels:
    unimodal = data.unimodal_labels or {}
    return BatchLabels(
        fusion=send(np.array(data.labels, np.float32), device),
        **{part: send(np.array(unimodal[part], np.float32), device) for part in unimodal},
    )
