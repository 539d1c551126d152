"""Frames on their way to a network: features selected, normalised, averaged over windows.

Shapes: B batch, D frame width, F_total frames of a split, F prepared frames of a batch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from setgf.data.ragged import Array, Floats, Integers, Ragged, count_up, read_rows

CLIP = 5.0
"""Normalised features lie between -CLIP and CLIP."""
_CHUNK_FRAMES = 1 << 16
_CHUNK_VALUES = 1 << 23
_SMALLEST_SPREAD = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scaling:
    """Mean and standard deviation of every feature of one modality."""

    mean: Floats
    """(D,) float32."""
    spread: Floats
    """(D,) float32, above 0; 1 for a feature that never changes."""

    def apply(self, frames: Floats) -> Floats:
        """Return z-scores clipped to +-CLIP: (F, D) -> (F, D) float32."""
        scaled = np.array(frames, np.float32)
        self.apply_in_place(scaled)
        return scaled

    def apply_in_place(self, frames: Floats) -> None:
        """Turn frames (F, D) into their z-scores, clipped to +-CLIP."""
        np.subtract(frames, self.mean, out=frames)
        np.divide(frames, self.spread, out=frames)
        np.clip(frames, -CLIP, CLIP, out=frames)

    def select(self, columns: Integers | None) -> Scaling:
        """Return the scaling of some features, by number; None keeps all."""
        if columns is None:
            return self
        return Scaling(mean=self.mean[columns], spread=self.spread[columns])

    def to_plain(self) -> dict[str, list[float]]:
        """Return plain JSON that `from_plain` turns back into the same bits."""
        return {"mean": self.mean.tolist(), "spread": self.spread.tolist()}

    @staticmethod
    def from_plain(plain: Mapping[str, Sequence[float]]) -> Scaling:
        """Return the scaling whose `to_plain` gave `plain`."""
        return Scaling(
            mean=np.array(plain["mean"], np.float32), spread=np.array(plain["spread"], np.float32)
        )


def fit_scaling(frames: Array) -> Scaling:
    """Return the scaling of frames (F_total, D), a chunk in memory at a time, in two passes."""
    count = max(len(frames), 1)
    mean = _sum_chunks(frames, None) / count
    variance = _sum_chunks(frames, mean) / count
    spread = np.sqrt(variance)
    flat = spread <= _SMALLEST_SPREAD * (1.0 + np.abs(mean))
    return Scaling(
        mean=mean.astype(np.float32), spread=np.where(flat, 1.0, spread).astype(np.float32)
    )


def _sum_chunks(frames: Array, centre: NDArray[np.float64] | None) -> NDArray[np.float64]:
    """Return the sum of frames, or of their squared distance to `centre`: (F, D) -> (D,)."""
    total = np.zeros(frames.shape[1])
    for part in read_rows(frames, min(_CHUNK_FRAMES, max(_CHUNK_VALUES // max(len(total), 1), 1))):
        chunk = part.astype(np.float64)
        total += (chunk if centre is None else (chunk - centre) ** 2).sum(axis=0)
    return total


def prepared_lengths(lengths: Integers, max_frames: int, most: Integers | None = None) -> Integers:
    """Return how many steps remain of sequences of `lengths`; 0 for `max_frames` keeps all.

    `most`, of the shape of `lengths`, limits each on its own, to 1 at the least.
    """
    kept = np.minimum(lengths, max_frames) if max_frames else lengths
    return kept if most is None else np.minimum(kept, np.maximum(most, 1))


def prepare(
    frames: Ragged,
    index: Integers,
    *,
    max_frames: int,
    scaling: Scaling | None = None,
    columns: Integers | None = None,
    most: Integers | None = None,
) -> Floats:
    """Gather, select, normalise, average over windows.

    A sequence longer than `max_frames` is cut into that many consecutive windows whose sizes differ
    by one at most, each replaced by the mean of its frames: no frame is dropped, none is padding.
    A sample's numbers do not depend on the others.

    Args:
        frames: of a split.
        index: (B,) int64 rows of the split.
        max_frames: steps a sequence has at most; 0 keeps all frames.
        scaling: of the selected features; None leaves them as they are.
        columns: (D,) int64 numbers of the features that are kept; None keeps all.
        most: int64, one a row of the split. Steps that sequence has at most, beside `max_frames`.

    Returns:
        (F, D) float32, the sequences back to back, as long as `prepared_lengths` says.
    """
    real = frames.lengths[index]
    values: Floats = frames.gather(index).astype(np.float32, copy=False)
    if columns is not None:
        values = np.take(values, columns, axis=1)
    if scaling is not None:
        scaling.apply_in_place(values)
    lengths = prepared_lengths(real, max_frames, None if most is None else most[index])
    if not (lengths < real).any():
        return values
    sample, position = np.repeat(np.arange(len(index)), lengths), count_up(lengths)
    starts = (np.cumsum(real) - real)[sample] + position * real[sample] // lengths[sample]
    sizes = np.diff(starts, append=len(values))
    sums: Floats = np.add.reduceat(values, starts, axis=0)
    return np.divide(sums, sizes[:, None].astype(np.float32), out=sums)
