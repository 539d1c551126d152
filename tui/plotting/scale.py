"""Axes: ranges, nice ticks and their labels."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from enum import StrEnum

STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)
TINY = 1e-9


class AxisKind(StrEnum):
    """How values of an axis are written."""

    NUMBER = "number"
    LOG = "log"
    SECONDS = "seconds"
    """A duration."""
    CLOCK = "clock"
    """Seconds since the epoch, written as local time."""


def padded_range(low: float, high: float, share: float = 0.04) -> tuple[float, float]:
    """Return a range a little wider than the values, never empty."""
    if not high > low:
        spread = abs(low) * 0.05 or 0.5
        return low - spread, high + spread
    pad = share * (high - low)
    return low - pad, high + pad


def nice_ticks(low: float, high: float, count: int) -> list[float]:
    """Return about `count` round values within the range, in order; empty for an empty range."""
    if not (math.isfinite(low) and math.isfinite(high)) or not high > low:
        return []
    raw = (high - low) / max(count, 1)
    magnitude = 10.0 ** math.floor(math.log10(raw))
    if magnitude == 0.0:
        return []
    step = next(s * magnitude for s in STEPS if s * magnitude >= raw * (1 - TINY))
    first = math.ceil(low / step - TINY)
    last = math.floor(high / step + TINY)
    return [n * step for n in range(first, last + 1)]


def whole_ticks(low: float, high: float, count: int) -> list[float]:
    """Return ticks at whole numbers only: epochs and steps have no halves."""
    return [tick for tick in nice_ticks(low, high, count) if abs(tick - round(tick)) < TINY]


def time_ticks(low: float, high: float, count: int) -> list[float]:
    """Return ticks at round seconds, minutes or hours."""
    if not high > low:
        return []
    raw = (high - low) / max(count, 1)
    steps = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400)
    step = next((s for s in steps if s >= raw), 86400 * math.ceil(raw / 86400))
    return [n * step for n in range(math.ceil(low / step), math.floor(high / step) + 1)]


def clock_ticks(low: float, high: float, count: int) -> list[float]:
    """Return ticks at round local times: a day begins at midnight where the user is."""
    shift = time.localtime(low).tm_gmtoff if high > low else 0
    return [tick - shift for tick in time_ticks(low + shift, high + shift, count)]


def round_range(low: float, high: float) -> tuple[float, float]:
    """Return a somewhat wider range with round ends: it stays when values creep beyond it."""
    if not (math.isfinite(low) and math.isfinite(high)) or not high > low:
        return low, high
    unit = 10.0 ** math.floor(math.log10(high - low)) / 5
    if unit <= abs(high) * 1e-12 or unit == 0.0:
        return low, high
    return math.floor(low / unit) * unit, math.ceil(high / unit) * unit


def log_ticks(low: float, high: float, count: int) -> list[float]:
    """Return ticks (as log10) at powers of ten, with 2 and 5 between where decades are few."""
    if not high > low:
        return []
    decades = range(math.floor(low), math.ceil(high) + 1)
    inner = (1, 2, 5) if len(decades) <= 3 else (1,)
    ticks = [d + math.log10(m) for d in decades for m in inner]
    ticks = [tick for tick in ticks if low - TINY <= tick <= high + TINY]
    if len(ticks) < 2:
        return [math.log10(v) for v in nice_ticks(10**low, 10**high, count) if v > 0]
    stride = math.ceil(len(ticks) / max(count * 2, 1))
    return ticks[::stride]


def tick_labels(ticks: Sequence[float], kind: AxisKind = AxisKind.NUMBER) -> list[str]:
    """Return one label a tick, all with the same number of decimals."""
    if kind is AxisKind.SECONDS:
        return [_seconds(tick) for tick in ticks]
    if kind is AxisKind.CLOCK:
        return _clock(ticks)
    if kind is AxisKind.LOG:
        return [_plain(10**tick) for tick in ticks]
    if not ticks:
        return []
    largest = max(abs(tick) for tick in ticks)
    if largest >= 1e6 or 0 < largest < 1e-3:
        return [_plain(tick) for tick in ticks]
    if largest >= 1e4:
        return ["0" if tick == 0 else f"{tick / 1000:g}k" for tick in ticks]
    decimals = max((_decimals(tick) for tick in ticks), default=0)
    return [f"{tick + 0.0:.{decimals}f}" for tick in ticks]


def _clock(ticks: Sequence[float]) -> list[str]:
    """Return local times of day, with seconds where ticks are close; at midnight the date."""
    is_fine = any(round(tick) % 60 for tick in ticks)
    labels: list[str] = []
    for tick in ticks:
        at = time.localtime(round(tick))
        is_midnight = (at.tm_hour, at.tm_min, at.tm_sec) == (0, 0, 0)
        form = "%m-%d" if is_midnight else "%H:%M:%S" if is_fine else "%H:%M"
        labels.append(time.strftime(form, at))
    return labels


def _decimals(value: float) -> int:
    """Return how many decimals are needed to write a round value exactly, at most 6."""
    return next((d for d in range(7) if abs(round(value, d) - value) < 1e-9), 6)


def _plain(value: float) -> str:
    if value == 0:
        return "0"
    size = abs(value)
    if size >= 1e6:
        return f"{value / 1e6:.3g}M"
    if size >= 1e4:
        return f"{value / 1e3:.3g}k"
    if size < 1e-3:
        mantissa, exponent = f"{value:.1e}".split("e")
        return f"{mantissa.removesuffix('.0')}e{int(exponent)}"
    return f"{value:.3g}"


def _seconds(value: float) -> str:
    whole = round(value)
    if whole == 0:
        return "0"
    sign, whole = ("-", -whole) if whole < 0 else ("", whole)
    hours, rest = divmod(whole, 3600)
    minutes, seconds = divmod(rest, 60)
    if hours:
        return f"{sign}{hours}h{minutes:02d}" if minutes else f"{sign}{hours}h"
    if minutes:
        return f"{sign}{minutes}m{seconds:02d}" if seconds else f"{sign}{minutes}m"
    return f"{sign}{seconds}s"
