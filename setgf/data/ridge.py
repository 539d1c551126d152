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
from setgf.data.ragged import Array, Integers
from setgf.data.split_data import SplitData
from setgf.terms import MODALITIES, Modality, Split

_PENALTIES = (1.0, 10.0, 100.0, 1000.0)
_WORD_PENALTIES = (0.3, 1.0, 3.0, 10.0)
_JOINT_PENALTIES = (1.0, 3.0, 10.0)
_NUM_WORDS = 1 << 15
_MOST_STEPS = 60
_WORD = re.compile(r"[㐀-鿿]|[^\W_㐀-鿿]+")
_Vector = NDArray[np.float64]


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


@dataclass(frozen=True, slots=True, eq=False)
class Ridge:
    """Ridge regression that has been fitted."""

    weights: _Vector
    """(D,)."""
    mean: float
    """Mean label of train: what a sample without features is given."""
    penalty: float
    """The one of several with the smallest mean absolute error on valid."""
    features: Callable[[SplitData], _Features]
    """What the weights are for, from any split; what it needs to know it learnt on train."""

    def predict(self, data: SplitData) -> _Vector:
        """Return the scores (N,) of a split."""
        return self.features(data).times(self.weights) + self.mean


def fit_ridge(
    train: SplitData, valid: SplitData, modality: Modality, columns: Integers | None = None
) -> Ridge:
    """Return ridge regression on one modality, the penalty the best of four on valid.

    Text: word and word-pair counts, weighted by rarity. Audio and vision: the mean frame of every
    sample, standardised by train.

    Args:
        train: what is fitted.
        valid: what chooses the penalty.
        modality: whose features.
        columns: numbers of the features of audio or vision that are seen; None: all.
    """
    if modality is Modality.TEXT:
        return _fit(_count_words(train), train, valid, _WORD_PENALTIES)
    return _fit(_mean_frames(train, modality, columns), train, valid, _PENALTIES)


def fit_ridge_together(train: SplitData, valid: SplitData, parts: Sequence[Ridge]) -> Ridge:
    """Return ridge regression on the features of several together.

    Every part keeps its own penalty; what all are multiplied with is the best of three on valid.
    """
    scales = [part.penalty**-0.5 for part in parts]

    def features(data: SplitData) -> _Features:
        return _join([part.features(data) for part in parts], scales)

    return _fit(features, train, valid, _JOINT_PENALTIES)


def describe_ridge(
    splits: Mapping[Split, SplitData], modalities: Sequence[Modality]
) -> dict[str, dict[str, float]]:
    """Return what ridge regression on one modality reaches on test: `mae` and `corr`."""
    found: dict[str, dict[str, float]] = {}
    truth = np.asarray(splits[Split.TEST].labels, np.float64)
    for modality in (part for part in MODALITIES if part in modalities):
        ridge = fit_ridge(splits[Split.TRAIN], splits[Split.VALID], modality)
        scores = ridge.predict(splits[Split.TEST])
        found[modality] = {"mae": float(np.abs(scores - truth).mean())}
        if scores.std() > 0 and truth.std() > 0:
            found[modality]["corr"] = float(np.corrcoef(scores, truth)[0, 1])
    return found


def _join(parts: Sequence[_Features], scales: Sequence[float]) -> _Features:
    """Return the features of several side by side, each multiplied with its scale."""
    ends = np.cumsum([part.num_features for part in parts])

    def times(weights: _Vector) -> _Vector:
        own = np.split(weights, ends[:-1])
        products = [p.times(w) * s for p, w, s in zip(parts, own, scales, strict=True)]
        return np.sum(products, axis=0)

    def transposed_times(values: _Vector) -> _Vector:
        return np.concatenate(
            [p.transposed_times(values) * s for p, s in zip(parts, scales, strict=True)]
        )

    return _Features(int(ends[-1]), times, transposed_times)


def _mean_frames(
    train: SplitData, modality: Modality, columns: Integers | None
) -> Callable[[SplitData], _Features]:
    """Return what makes mean frames, standardised by train, of a split."""

    def mean_frames(data: SplitData) -> _Vector:
        means = pool(ragged_of(data, modality)).astype(np.float64)
        return means if columns is None else means[:, columns]

    known = mean_frames(train)
    mean, spread = known.mean(axis=0), known.std(axis=0)
    spread = np.where(spread > 0, spread, 1.0)
    return lambda data: _dense((mean_frames(data) - mean) / spread)


def _count_words(train: SplitData) -> Callable[[SplitData], _Features]:
    """Return what makes hashed words and word pairs of a split.

    They are weighted by rarity in train, and rows have length one.
    """
    known, appears = np.unique(_find_words(train.transcripts)[1], return_counts=True)
    rarity = np.log((1 + train.size) / (1 + appears)) + 1

    def features(data: SplitData) -> _Features:
        rows, words = _find_words(data.transcripts)
        is_known = np.isin(words, known)
        rows, columns = rows[is_known], np.searchsorted(known, words[is_known])
        weights = rarity[columns]
        squares = _add(rows, weights**2, data.size)
        weights = weights / np.sqrt(squares)[rows]
        return _sparse(rows, columns, weights, (data.size, len(known)))

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


def _fit(
    features: Callable[[SplitData], _Features],
    train: SplitData,
    valid: SplitData,
    penalties: Sequence[float],
) -> Ridge:
    labels, truth = (np.asarray(data.labels, np.float64) for data in (train, valid))
    known, judged = features(train), features(valid)
    mean = float(labels.mean())
    errors: list[float] = []
    weights: list[_Vector] = []
    for penalty in penalties:
        weights.append(_solve(known, labels - mean, penalty))
        errors.append(float(np.abs(judged.times(weights[-1]) + mean - truth).mean()))
    best = int(np.argmin(errors))
    return Ridge(weights[best], mean, penalties[best], features)


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
