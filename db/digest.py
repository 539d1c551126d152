"""The arithmetic of summaries and of the zoom pyramid: exact minimum, maximum, sum and counts.

A bucket of level L holds the points with `step >> L == bucket`, so buckets of one level tile those
of the next, and any zoom that is a multiple of 128 steps is read without touching points.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

LEVELS = (7, 11, 15)
"""128, 2,048 and 32,768 steps a bucket."""


@dataclass(slots=True)
class Digest:
    """What is known of some points of a series; without finite values the ends are None."""

    minimum: float | None = None
    minimum_step: int | None = None
    maximum: float | None = None
    maximum_step: int | None = None
    total: float = 0.0
    """Sum of the finite values."""
    count: int = 0
    """Points, the non-finite ones included."""
    non_finite: int = 0

    def add(self, step: int, value: float) -> None:
        """Take in one point; infinities count as non-finite and move neither end."""
        self.count += 1
        if not math.isfinite(value):
            self.non_finite += 1
            return
        self.total += value
        if self.minimum is None or value < self.minimum:
            self.minimum, self.minimum_step = value, step
        if self.maximum is None or value > self.maximum:
            self.maximum, self.maximum_step = value, step

    def merge(self, other: Digest) -> None:
        """Take in the points of another digest."""
        self.count += other.count
        self.non_finite += other.non_finite
        self.total += other.total
        if other.minimum is not None and (self.minimum is None or other.minimum < self.minimum):
            self.minimum, self.minimum_step = other.minimum, other.minimum_step
        if other.maximum is not None and (self.maximum is None or other.maximum > self.maximum):
            self.maximum, self.maximum_step = other.maximum, other.maximum_step


def digest(points: Iterable[tuple[int, float]]) -> dict[tuple[int, int], Digest]:
    """Return the digests of (step, value) points by (level, bucket), for every level."""
    fine = LEVELS[0]
    parts: dict[int, list[tuple[int, float]]] = {}
    for point in points:
        bucket = point[0] >> fine
        part = parts.get(bucket)
        if part is None:
            part = parts[bucket] = []
        part.append(point)
    buckets = {bucket: _digest_of(part) for bucket, part in parts.items()}
    result = {(fine, bucket): found for bucket, found in buckets.items()}
    for level in LEVELS[1:]:
        for bucket, found in buckets.items():
            result.setdefault((level, bucket >> (level - fine)), Digest()).merge(found)
    return result


def _digest_of(points: Sequence[tuple[int, float]]) -> Digest:
    """Return what adding the points one by one gives, by few calls where all are finite."""
    steps, values = zip(*points, strict=True)
    total = sum(values)
    if math.isfinite(total):
        low, high = min(values), max(values)
        return Digest(
            minimum=low,
            minimum_step=steps[values.index(low)],
            maximum=high,
            maximum_step=steps[values.index(high)],
            total=total,
            count=len(values),
        )
    found = Digest()
    for step, value in points:
        found.add(step, value)
    return found
