"""Values as short text: numbers, durations, sizes, states. The only place that rounds."""

from __future__ import annotations

import math
import time
from enum import StrEnum

from db.records import JobState

MINUTE, HOUR, DAY = 60, 3600, 86400
MISSING = "-"


class Role(StrEnum):
    """What a piece of text means; a theme decides how that looks."""

    PLAIN = "plain"
    DIM = "dim"
    STRONG = "strong"
    ACCENT = "accent"
    LIVE = "live"
    GOOD = "good"
    WARN = "warn"
    BAD = "bad"


STATE_GLYPHS = {
    JobState.HELD: "◌",
    JobState.QUEUED: "○",
    JobState.STARTING: "◐",
    JobState.RUNNING: "●",
    JobState.STOPPING: "◑",
    JobState.PAUSED: "‖",
    JobState.SUCCEEDED: "✓",
    JobState.FAILED: "✗",
    JobState.CANCELLED: "⊘",
    JobState.LOST: "?",
}
STATE_ROLES = {
    JobState.HELD: Role.DIM,
    JobState.QUEUED: Role.PLAIN,
    JobState.STARTING: Role.LIVE,
    JobState.RUNNING: Role.LIVE,
    JobState.STOPPING: Role.WARN,
    JobState.PAUSED: Role.WARN,
    JobState.SUCCEEDED: Role.GOOD,
    JobState.FAILED: Role.BAD,
    JobState.CANCELLED: Role.DIM,
    JobState.LOST: Role.BAD,
}
STATE_ORDER = {
    state: place
    for place, state in enumerate(
        (
            JobState.STOPPING,
            JobState.RUNNING,
            JobState.STARTING,
            JobState.LOST,
            JobState.PAUSED,
            JobState.QUEUED,
            JobState.HELD,
            JobState.FAILED,
            JobState.SUCCEEDED,
            JobState.CANCELLED,
        )
    )
}


def number(value: float | None, digits: int = 4) -> str:
    """Return a value with `digits` significant digits; NaN and infinities by name."""
    if value is None:
        return MISSING
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Inf" if value > 0 else "-Inf"
    size = abs(value)
    if size >= 1e5 or 0 < size < 1e-3:
        mantissa, exponent = f"{value:.{max(digits - 3, 1)}e}".split("e")
        return f"{mantissa.rstrip('0').rstrip('.')}e{int(exponent)}"
    before = len(str(int(size))) if size >= 1 else 0
    return f"{value:.{max(digits - before, 0)}f}"


def count(value: int) -> str:
    """Return a count in at most five characters: `950`, `12.3k`, `1.2M`."""
    for limit, unit in ((1_000_000, "M"), (10_000, "k")):
        if value >= limit:
            scaled = value / (1_000_000 if unit == "M" else 1000)
            return f"{scaled:.1f}".removesuffix(".0") + unit
    return str(value)


def percent(value: float | None) -> str:
    """Return a share as percent with two decimals: 0.84512 is `84.51`."""
    return MISSING if value is None or math.isnan(value) else f"{100 * value:.2f}"


def duration(seconds: float | None) -> str:
    """Return a duration in its two largest units: `8s`, `3m05`, `1h20`, `2d04`."""
    if seconds is None:
        return MISSING
    whole = max(int(seconds), 0)
    if whole < MINUTE:
        return f"{whole}s"
    if whole < HOUR:
        return f"{whole // MINUTE}m{whole % MINUTE:02d}"
    if whole < DAY:
        return f"{whole // HOUR}h{whole % HOUR // MINUTE:02d}"
    return f"{whole // DAY}d{whole % DAY // HOUR:02d}"


def size(value: int) -> str:
    """Return a number of bytes: `812 B`, `1.4 MB`."""
    scaled = float(value)
    for unit in ("B", "kB", "MB", "GB"):
        if scaled < 1000:
            return f"{scaled:.0f} {unit}" if unit == "B" else f"{scaled:.1f} {unit}"
        scaled /= 1000
    return f"{scaled:.1f} TB"


def clock(at: float) -> str:
    """Return the local time of day: `14:03:22`."""
    return time.strftime("%H:%M:%S", time.localtime(at))


def day_begin(at: float) -> float:
    """Return when the local day of an instant began."""
    there = time.localtime(at)
    return time.mktime((*there[:3], 0, 0, 0, 0, 0, -1))


def moment(at: float, now: float) -> str:
    """Return the time of day for today, else the date: `14:03` or `11-23`."""
    there, here = time.localtime(at), time.localtime(now)
    return time.strftime("%H:%M" if there[:3] == here[:3] else "%m-%d", there)


def cut(text: str, width: int) -> str:
    """Return `text` in at most `width` characters, its end replaced by an ellipsis."""
    if len(text) <= width:
        return text
    return text[: max(width - 1, 0)] + "…" if width > 0 else ""


def cut_middle(text: str, width: int) -> str:
    """Return `text` in at most `width` characters, its middle replaced: names differ at the end."""
    if len(text) <= width or width < 3:
        return cut(text, width)
    tail = (width - 1) * 2 // 3
    return f"{text[: width - 1 - tail]}…{text[-tail:]}"


def plural(amount: int, noun: str) -> str:
    """Return a count with its noun: `1 run`, `3 runs`."""
    return f"{amount:,} {noun}{'' if amount == 1 else 's'}"
