"""Padded frames of a feature file, cleaned and laid back to back, a chunk in memory at a time.

Shapes: N samples, T padded steps, D frame width, F_total real frames of all samples.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from setgf.data.blocks import Block
from setgf.data.ragged import Array, Floats, Integers, offsets_of

_CHUNK_BYTES = 1 << 24
Frames = Array | Block | Sequence[Array | Block]
"""(N, T, D), or N arrays (T_i, D)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameEnds:
    """Where the real frames of N samples stand, and what was not a number among them."""

    first: Integers
    """(N,) first frame that is not all zero; T where there is none."""
    last: Integers
    """(N,) one after the last frame that is not all zero; 0 where there is none."""
    steps: Integers
    """(N,) padded steps T."""
    nonfinite: dict[str, int]
    """Values by kind: `nan`, `+inf`, `-inf`; kinds that do not occur are left out."""
    nonfinite_features: dict[int, int]
    """Values that are not finite, by the number of their feature."""

    @property
    def at_limit(self) -> int:
        """Samples without any padding."""
        return int(((self.first == 0) & (self.last == self.steps) & (self.steps > 1)).sum())


def find_ends(frames: Frames, width: int) -> FrameEnds:
    """Find the real frames of every sample; values that are not finite count as 0."""
    first: list[Array] = []
    last: list[Array] = []
    steps: list[int] = []
    nonfinite = {"nan": 0, "+inf": 0, "-inf": 0}
    by_feature = np.zeros(width, np.int64)
    for chunk in _chunks(frames):
        values = _to_floats(chunk)
        _count_nonfinite(values, nonfinite, by_feature)
        real = (_finite(values) != 0).any(axis=2)  # (k, T)
        length, empty = real.shape[1], ~real.any(axis=1)
        first.append(np.where(empty, length, real.argmax(axis=1) if length else 0))
        last.append(np.where(empty, 0, length - (real[:, ::-1].argmax(axis=1) if length else 0)))
        steps += [length] * len(chunk)
    return FrameEnds(
        first=np.concatenate(first).astype(np.int64),
        last=np.concatenate(last).astype(np.int64),
        steps=np.array(steps, np.int64),
        nonfinite={kind: count for kind, count in nonfinite.items() if count},
        nonfinite_features={int(at): int(by_feature[at]) for at in np.flatnonzero(by_feature)},
    )


def find_padding_side(parts: Iterable[FrameEnds]) -> str:
    """Return the side most padded samples are padded on: `left`, `right`, or `none`."""
    left = right = 0
    for ends in parts:
        before, after = ends.first > 0, ends.last < ends.steps
        left += int((before & ~after).sum())
        right += int((after & ~before).sum())
    if left == right == 0:
        return "none"
    return "left" if left > right else "right"


@dataclass(frozen=True, eq=False)
class LaidOut:
    """The real frames of N padded samples; they are read when they are asked for (`Sequences`)."""

    frames: Frames
    start: Integers
    """(N,) first frame that is kept."""
    stop: Integers
    """(N,) one after the last frame that is kept."""
    width: int
    """D."""

    def __len__(self) -> int:
        """Return N."""
        return len(self.start)

    @property
    def lengths(self) -> Integers:
        """(N,) int64."""
        return self.stop - self.start

    @property
    def offsets(self) -> Integers:
        """(N+1,) int64."""
        return offsets_of(self.lengths)

    @property
    def values(self) -> Floats:
        """(F_total, D) float32, all in memory."""
        return np.concatenate([np.zeros((0, self.width), np.float32), *self.chunks()])

    def row(self, index: int) -> Floats:
        """Return the frames of one sample, (length, D) float32."""
        return np.concatenate([*self.chunks(np.array([index]))])

    def chunks(self, index: Integers | None = None) -> Iterator[Floats]:
        """Yield the frames of the samples `index` (all by default), back to back, in pieces."""
        if index is not None:
            for row in index:
                yield from self._slice(int(row), _one(self.frames, int(row)))
            return
        place = 0
        for chunk in _chunks(self.frames):
            yield from self._slice(place, chunk)
            place += len(chunk)

    def _slice(self, place: int, chunk: Array) -> Iterator[Floats]:
        """Yield the kept frames of (k, T, D): the samples from `place` on."""
        here = slice(place, place + len(chunk))
        position: Integers = np.arange(int(chunk.shape[1]))
        kept: Array = (position >= self.start[here, None]) & (position < self.stop[here, None])
        yield _finite(_to_floats(chunk[kept]))


def lay_out(frames: Frames, ends: FrameEnds, side: str, width: int) -> LaidOut:
    """Return the real frames back to back: zeros on the padding side are dropped, others kept."""
    if side == "left":
        return LaidOut(frames, ends.first, ends.steps, width)
    return LaidOut(frames, np.zeros_like(ends.last), ends.last, width)


def _one(frames: Frames, row: int) -> Array:
    """Return (1, T, D)."""
    if isinstance(frames, np.ndarray | Block):
        return frames[row : row + 1]
    return np.asarray(frames[row])[None]


def _chunks(frames: Frames) -> Iterator[Array]:
    """Yield (k, T, D) arrays that fit into memory beside the file."""
    if isinstance(frames, np.ndarray | Block):
        shape, itemsize = frames.shape, frames.dtype.itemsize
        size = max(_CHUNK_BYTES // max(shape[1] * shape[2] * itemsize, 1), 1)
        for place in range(0, len(frames), size):
            yield frames[place : place + size]
    else:
        for place in range(len(frames)):
            yield np.asarray(frames[place])[None]


def _to_floats(chunk: Array) -> Floats:
    """Return float32 values; those beyond its range become infinite."""
    with np.errstate(over="ignore"):
        return chunk.astype(np.float32, copy=False)


def _finite(values: Floats) -> Floats:
    """Return the values with 0 for what is not finite."""
    is_finite = np.isfinite(values)
    return values if is_finite.all() else np.where(is_finite, values, np.float32(0))


def _count_nonfinite(values: Floats, kinds: dict[str, int], by_feature: Integers) -> None:
    is_wrong = ~np.isfinite(values)
    if not is_wrong.any():
        return
    kinds["nan"] += int(np.isnan(values).sum())
    kinds["+inf"] += int(np.isposinf(values).sum())
    kinds["-inf"] += int(np.isneginf(values).sum())
    by_feature += is_wrong.sum(axis=(0, 1))
