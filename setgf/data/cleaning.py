"""Padded frames of a feature file, cleaned and laid back to back.

Shapes: N samples, T padded steps, D frame width.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from setgf.data.ragged import Array, Floats, Integers, Ragged, offsets_of

_CHUNK_SAMPLES = 128
Frames = Array | Sequence[Array]
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

    @property
    def at_limit(self) -> int:
        """Samples without any padding."""
        return int(((self.first == 0) & (self.last == self.steps) & (self.steps > 1)).sum())


def find_ends(frames: Frames) -> FrameEnds:
    """Find the real frames of every sample; values that are not finite count as 0."""
    first: list[Array] = []
    last: list[Array] = []
    steps: list[int] = []
    nonfinite = {"nan": 0, "+inf": 0, "-inf": 0}
    for chunk in _chunks(frames):
        for kind, count in _count_nonfinite(chunk).items():
            nonfinite[kind] += count
        real = (_finite(chunk) != 0).any(axis=2)  # (k, T)
        length, empty = real.shape[1], ~real.any(axis=1)
        first.append(np.where(empty, length, real.argmax(axis=1) if length else 0))
        last.append(np.where(empty, 0, length - (real[:, ::-1].argmax(axis=1) if length else 0)))
        steps += [length] * len(chunk)
    return FrameEnds(
        first=np.concatenate(first).astype(np.int64),
        last=np.concatenate(last).astype(np.int64),
        steps=np.array(steps, np.int64),
        nonfinite={kind: count for kind, count in nonfinite.items() if count},
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


def lay_out(frames: Frames, ends: FrameEnds, side: str, width: int) -> Ragged:
    """Return the real frames back to back: zeros on the padding side are dropped, others kept."""
    if side == "left":
        start, stop = ends.first, ends.steps
    else:
        start, stop = np.zeros_like(ends.last), ends.last
    rows: list[Floats] = [np.zeros((0, width), np.float32)]
    place = 0
    for chunk in _chunks(frames):
        here = slice(place, place + len(chunk))
        position: Integers = np.arange(int(chunk.shape[1]))
        kept: Array = (position >= start[here, None]) & (position < stop[here, None])
        rows.append(_finite(chunk)[kept])
        place += len(chunk)
    return Ragged(np.concatenate(rows), offsets_of(stop - start))


def _chunks(frames: Frames) -> Iterator[Array]:
    """Yield (k, T, D) arrays that fit into memory beside the file."""
    if isinstance(frames, np.ndarray):
        for place in range(0, len(frames), _CHUNK_SAMPLES):
            yield frames[place : place + _CHUNK_SAMPLES]
    else:
        for sample in frames:
            yield sample[None]


def _finite(chunk: Array) -> Floats:
    """Return float32 values with 0 for what is not finite."""
    with np.errstate(over="ignore"):
        values = chunk.astype(np.float32)
    if not np.isfinite(values).all():
        values[~np.isfinite(values)] = 0.0
    return values


def _count_nonfinite(chunk: Array) -> dict[str, int]:
    with np.errstate(over="ignore"):
        values = chunk.astype(np.float32, copy=False)
    if np.isfinite(values).all():
        return {}
    return {
        "nan": int(np.isnan(values).sum()),
        "+inf": int(np.isposinf(values).sum()),
        "-inf": int(np.isneginf(values).sum()),
    }
