"""Ridge regression on pooled features and on words: floors any model should pass.

Shapes: N samples, D features.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from setgf.data.frame_facts import pool, ragged_of
from setgf.data.ragged import Array
from setgf.data.split_data import SplitData
from setgf.terms import MODALITIES, Modality, Split

_PENALTIES = (1.0, 10.0, 100.0, 1000.0)
_WORD_PENALTIES = (0.3, 1.0, 3.0, 10.0)
_NUM_WORDS = 1 << 15
_MOST_STEPS = 60
_WORD = re.compile(r"[㐀-鿿]|[^\W_㐀-鿿]+")
_Vector = NDArray[np.float64]


def describe_ridge(
    splits: Mapping[Split, SplitData], modalities: Sequence[Modality]
) -> dict[str, dict[str, float]]:
    """Return what ridge regression on one modality reaches on test: `mae` and `corr`.

    The penalty is the best of four on valid. Text: word and word-pair counts, weighted by rarity.
    Audio and vision: the mean frame of every sample, standardised by train.
    """
    found: dict[str, dict[str, float]] = {}
    labels = {split: np.asarray(data.labels, np.float64) for split, data in splits.items()}
    for modality in (part for part in MODALITIES if part in modalities):
        features, penalties = _features(splits, modality), _PENALTIES
        if modality is Modality.TEXT:
            penalties = _WORD_PENALTIES
        found[modality] = _fit_and_score(features, labels, penalties)
    return found


@dataclass(frozen=True, slots=True, eq=False)
class _Features:
    """(N, D) features as what ridge regression asks of them: two products.

    The products avoid BLAS, whose threads take longer to wake than these small sums last.
    """

    num_features: int
    """D."""
    times: Callable[[_Vector], _Vector]
    """(D,) -> (N,)."""
    transposed_times: Callable[[_Vector], _Vector]
    """(N,) -> (D,)."""


def _dense(values: _Vector) -> _Features:
    return _Features(
        int(values.shape[1]),
        lambda w: np.einsum("nd,d->n", values, w),
        lambda y: np.einsum("nd,n->d", values, y),
    )


def _sparse(rows: Array, columns: Array, weights: Array, shape: tuple[int, int]) -> _Features:
    """Return features that are `weights` at `rows` and `columns`, and zero elsewhere."""
    return _Features(
        shape[1],
        lambda w: _add(rows, weights * w[columns], shape[0]),
        lambda y: _add(columns, weights * y[rows], shape[1]),
    )


def _add(places: Array, values: Array, size: int) -> _Vector:
    """Return (size,): the sum of the values of every place."""
    return np.bincount(places, values, minlength=size).astype(np.float64, copy=False)


def _features(splits: Mapping[Split, SplitData], modality: Modality) -> dict[Split, _Features]:
    if modality is Modality.TEXT:
        return _count_words(splits)
    pooled = {s: pool(ragged_of(data, modality)).astype(np.float64) for s, data in splits.items()}
    mean, spread = pooled[Split.TRAIN].mean(axis=0), pooled[Split.TRAIN].std(axis=0)
    spread = np.where(spread > 0, spread, 1.0)
    return {split: _dense((values - mean) / spread) for split, values in pooled.items()}


def _count_words(splits: Mapping[Split, SplitData]) -> dict[Split, _Features]:
    """Return hashed words and word pairs, weighted by rarity in train, rows of length one."""
    pairs = {split: _find_words(data.transcripts) for split, data in splits.items()}
    known, appears = np.unique(pairs[Split.TRAIN][1], return_counts=True)
    rarity = np.log((1 + splits[Split.TRAIN].size) / (1 + appears)) + 1
    features: dict[Split, _Features] = {}
    for split, (rows, words) in pairs.items():
        is_known = np.isin(words, known)
        rows, columns = rows[is_known], np.searchsorted(known, words[is_known])
        weights = rarity[columns]
        squares = _add(rows, weights**2, splits[split].size)
        weights = weights / np.sqrt(squares)[rows]
        features[split] = _sparse(rows, columns, weights, (splits[split].size, len(known)))
    return features


def _find_words(transcripts: Sequence[str]) -> tuple[Array, Array]:
    rows: list[int] = []
    columns: list[int] = []
    for row, transcript in enumerate(transcripts):
        words = _WORD.findall(transcript.lower())
        names = {*words, *(f"{a} {b}" for a, b in pairwise(words))}
        rows += [row] * len(names)
        columns += sorted(crc32(name.encode("utf-8", "replace")) % _NUM_WORDS for name in names)
    return np.array(rows, np.int64), np.array(columns, np.int64)


def _fit_and_score(
    features: Mapping[Split, _Features],
    labels: Mapping[Split, _Vector],
    penalties: Sequence[float],
) -> dict[str, float]:
    mean = float(labels[Split.TRAIN].mean())
    best_mae, best = np.inf, np.zeros(features[Split.TRAIN].num_features)
    for penalty in penalties:
        weights = _solve(features[Split.TRAIN], labels[Split.TRAIN] - mean, penalty)
        error = features[Split.VALID].times(weights) + mean - labels[Split.VALID]
        if (mae := float(np.abs(error).mean())) < best_mae:
            best_mae, best = mae, weights
    scores, truth = features[Split.TEST].times(best) + mean, labels[Split.TEST]
    found = {"mae": float(np.abs(scores - truth).mean())}
    if scores.std() > 0 and truth.std() > 0:
        found["corr"] = float(np.corrcoef(scores, truth)[0, 1])
    return found


def _solve(features: _Features, labels: _Vector, penalty: float) -> _Vector:
    """Return the weights (D,) that minimise the penalised squares, by conjugate gradients."""
    weights = np.zeros(features.num_features)
    residual = features.transposed_times(labels)
    direction, size = residual, _dot(residual, residual)
    first = size
    for _ in range(_MOST_STEPS):
        if size <= 1e-10 * first:
            break
        bent = features.transposed_times(features.times(direction)) + penalty * direction
        step = size / _dot(direction, bent)
        weights = weights + step * direction
        residual = residual - step * bent
        before, size = size, _dot(residual, residual)
        direction = residual + (size / before) * direction
    return weights


def _dot(a: _Vector, b: _Vector) -> float:
    return float((a * b).sum())
