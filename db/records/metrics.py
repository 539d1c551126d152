"""Points, what is known of a series, and predictions."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One value to store."""

    series: str
    step: int
    epoch: int
    value: float
    time: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Points:
    """One series of one run, in order of step; later attempts replace earlier ones."""

    run_id: str
    series: str
    steps: tuple[int, ...]
    epochs: tuple[int, ...]
    values: tuple[float, ...]
    """NaN and infinities are kept."""
    times: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesSummary:
    """What the run list knows of a series without touching its points."""

    last: float
    last_step: int
    minimum: float
    maximum: float
    count: int
    non_finite: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """Scores of every branch for one sample."""

    sample_id: str
    label: float
    fusion: float
    text: float | None = None
    audio: float | None = None
    vision: float | None = None
