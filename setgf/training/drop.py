"""What a trained model is worth when modalities are missing: a missing one has length zero.

Shapes: N samples of a split, B batch, T steps of the longest sequence in the batch.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from setgf.data.batch import BatchSequences, BatchSource
from setgf.data.ragged import Integers
from setgf.terms import MODALITIES, Modality, Split
from setgf.training.evaluate import Scorer, evaluate

Truths = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class MissingPattern:
    """Which modalities are missing at random, and how often."""

    modalities: tuple[Modality, ...]
    """Those that may go missing."""
    seed: int
    keep_one: bool = False
    """A sample that would lose everything keeps the modality that was drawn to go last."""

    def draw(self, size: int, rate: float) -> Mapping[Modality, Truths]:
        """Return whether each modality of N samples is missing: (N,) by modality.

        Every modality of every sample goes with probability `rate`, whatever the others do. The
        draws of one seed are the same for every rate: what is missing at 0.3 is so at 0.4, too.
        """
        random = np.random.Generator(np.random.PCG64(np.random.SeedSequence([self.seed])))
        drawn = random.random((size, len(MODALITIES)))
        places = [MODALITIES.index(modality) for modality in self.modalities]
        chosen = drawn[:, places]
        missing: Truths = chosen < rate
        if self.keep_one:
            lost = np.flatnonzero(missing.all(axis=1))
            missing[lost, chosen[lost].argmax(axis=1)] = False
        return {modality: missing[:, place] for place, modality in enumerate(self.modalities)}


@dataclass(frozen=True, slots=True, kw_only=True)
class RatePoint:
    """What a model is worth at one rate of missing modalities."""

    rate: float
    missing_share: float
    """Share of modalities that were missing, over samples and seeds."""
    metrics: Mapping[str, tuple[float, ...]]
    """One value a seed, by series name (`test.mae`)."""

    def mean(self, name: str) -> float:
        """Return the mean over seeds; NaN where a seed has no value."""
        return float(np.mean(self.metrics[name]))

    def sd(self, name: str) -> float:
        """Return the sample standard deviation over seeds; NaN with fewer than two."""
        values = self.metrics[name]
        return float(np.std(values, ddof=1)) if len(values) > 1 else math.nan


def drop(source: BatchSource, missing: Mapping[Modality, Truths]) -> BatchSource:
    """Return the same samples without some modalities of some of them.

    Args:
        source: N samples.
        missing: (N,) by modality, true where it is missing.
    """
    sequences = {
        modality: _Missing(inner, missing[modality])
        if modality in missing and missing[modality].any()
        else inner
        for modality, inner in source.sequences.items()
    }
    return replace(source, sequences=sequences)


def drop_always(source: BatchSource, modalities: Collection[Modality]) -> BatchSource:
    """Return the same samples, all without these modalities."""
    return drop(source, {modality: np.ones(source.size, np.bool_) for modality in modalities})


def sweep_missing(
    scorer: Scorer,
    source: BatchSource,
    split: Split,
    *,
    rates: Sequence[float],
    patterns: Sequence[MissingPattern],
) -> Iterator[RatePoint]:
    """Yield what the model is worth at every rate, each pattern's seed scored for itself.

    Raises:
        DivergedError: a score is not finite; names the samples.
    """
    for rate in rates:
        found: list[Mapping[str, float]] = []
        shares: list[float] = []
        for pattern in patterns:
            missing = pattern.draw(source.size, rate)
            shares.append(float(np.mean([part.mean() for part in missing.values()])))
            # Nothing or everything is missing: the same for every seed.
            if found and (rate == 0.0 or (rate == 1.0 and not pattern.keep_one)):
                found.append(found[0])
                continue
            evaluation = evaluate(scorer, drop(source, missing), split)
            found.append(evaluation.named_metrics(split))
        yield RatePoint(
            rate=rate,
            missing_share=float(np.mean(shares)),
            metrics={name: tuple(values[name] for values in found) for name in found[0]},
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Missing:
    """Sequences of which some are missing."""

    inner: BatchSequences
    is_missing: Truths
    """(N,)."""

    def padded(self, index: Integers) -> tuple[Tensor, Tensor]:
        """Return (B, T, ...) and lengths (B,); a missing sequence is zero, of length 0."""
        values, lengths = self.inner.padded(index)
        missing = torch.from_numpy(self.is_missing[index])  # pyright: ignore[reportUnknownMemberType]
        lengths = lengths.masked_fill(missing, 0)
        steps = max(int(lengths.max()), 1)
        shape = (-1, *[1] * (values.ndim - 1))
        return values[:, :steps].masked_fill(missing.view(shape).to(values.device), 0), lengths
