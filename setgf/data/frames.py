"""Frames on their way to a network: normalised, averaged over windows, padded.

Shapes: B batch, T longest prepared sequence of the batch, D frame width, F_total frames.
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
        return np.clip((frames - self.mean) / self.spread, -CLIP, CLIP)

    def to_plain(self) -> dict[str, list[float]]:
        """Return plain JSON that `from_plain` turns back into the same bits."""
        return {"mean": self.mean.tolist(), "spread": self.spread.tolist()}

    @staticmethod
    def from_plain(plain: Mapping[str, Sequence[float]]) -> Scaling:
        """Return the scaling whose `to_plain` gave `plain`."""
        return Scaling(
            mean=np.array(plain["mean"], np.float32), spread=np.array(plain["spread"], np.float32)
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Normaliser:
    """Scaling of audio and vision, fitted on the train split's real frames."""

    audio: Scaling
    vision: Scaling

    def to_arrays(self) -> dict[str, Floats]:
        """Return plain arrays by name, for a checkpoint."""
        return {
            "audio_mean": self.audio.mean,
            "audio_spread": self.audio.spread,
            "vision_mean": self.vision.mean,
            "vision_spread": self.vision.spread,
        }

    @staticmethod
    def from_arrays(arrays: dict[str, Floats]) -> Normaliser:
        """Return the normaliser whose `to_arrays` gave `arrays`."""
        return Normaliser(
            audio=Scaling(mean=arrays["audio_mean"], spread=arrays["audio_spread"]),
            vision=Scaling(mean=arrays["vision_mean"], spread=arrays["vision_spread"]),
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


def prepared_lengths(lengths: Integers, max_frames: int) -> Integers:
    """Return how many steps remain of sequences of `lengths`; 0 for `max_frames` keeps all."""
    return np.minimum(lengths, max_frames) if max_frames else lengths


def prepare(
    frames: Ragged, index: Integers, *, max_frames: int, scaling: Scaling | None
) -> tuple[Floats, Integers]:
    """Gather, normalise, average over windows, pad.

    A sequence longer than `max_frames` is cut into that many consecutive windows whose sizes differ
    by one at most, each replaced by the mean of its frames: no frame is dropped, none is padding.

    Args:
        index: (B,) int64 rows of the split.
        max_frames: steps a sequence has at most; 0 keeps all frames.
        scaling: None leaves the features as they are.

    Returns:
        (B, T, D) float32 with zeros after the end, T at least 1, and lengths (B,) int64.
    """
    real = frames.lengths[index]
    values: Floats = frames.gather(index).astype(np.float32, copy=False)
    if scaling is not None:
        values = scaling.apply(values)
    lengths = prepared_lengths(real, max_frames)
    sample = np.repeat(np.arange(len(index)), lengths)
    position = count_up(lengths)
    if (lengths < real).any():
        starts = (np.cumsum(real) - real)[sample] + position * real[sample] // lengths[sample]
        sizes = np.diff(starts, append=len(values))
        sums: Floats = np.add.reduceat(values, starts, axis=0)
        values = sums / sizes[:, None].astype(np.float32)
    padded = np.zeros((len(index), max(int(lengths.max(initial=0)), 1), frames.width), np.float32)
    padded[sample, position] = values
    return padded, lengths
