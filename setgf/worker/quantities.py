"""Times, memory, GPUs and ids as users write them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime, timedelta

from setgf.errors import ConfigError

MOST_IDS = 100_000
_ID = re.compile(r"[0-9]{1,15}")
_UNITS = {"s": 1, "sec": 1, "m": 60, "min": 60, "h": 3600, "d": 86_400, "w": 604_800}
_DURATION = re.compile(r"(?:[0-9]+(?:\.[0-9]+)?(?:sec|s|min|m|h|d|w))+")
_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(sec|s|min|m|h|d|w)")
_MEMORY = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([KMGT])?(?:i?B)?", re.IGNORECASE)
_MIB = {"": 1.0, "K": 1 / 1024, "M": 1.0, "G": 1024.0, "T": 1024.0 * 1024}
LONGEST_SECONDS = 10 * 365 * 86_400.0


def parse_seconds(text: str) -> float:
    """Read a duration: `90s`, `30min`, `4h`, `1h30m`, `2d`, `1w`; above 0.

    Raises:
        ConfigError: it is something else.
    """
    word = text.strip().lower()
    if not _DURATION.fullmatch(word):
        raise ConfigError(
            f"A duration must be a number with its unit, such as 90s, 30min, 4h, 1h30m or 2d, "
            f"but is `{text}`."
        )
    seconds = sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(word))
    if not 0 < seconds <= LONGEST_SECONDS:
        raise ConfigError(f"A duration must be above 0 and below ten years, but is `{text}`.")
    return seconds


def parse_moment(text: str, *, now: float) -> float:
    """Read a moment to come, in local time: `2026-11-24 02:00`, `2026-11-24`, or `02:00`.

    Args:
        text: as typed; a time alone is the next such time.
        now: seconds since the epoch.

    Raises:
        ConfigError: it is something else, or past.
    """
    word = text.strip().replace("T", " ")
    here = datetime.fromtimestamp(now).astimezone()
    for pattern in ("%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d", "%H:%M", "%H:%M:%S"):
        try:
            found = datetime.strptime(word, pattern)  # noqa: DTZ007 (local time, made aware below)
        except ValueError:
            continue
        if "%Y" in pattern:
            moment = found.astimezone()
        else:
            time = found.time()
            moment = datetime.combine(here.date(), time).astimezone()
            if moment <= here:
                moment = datetime.combine(here.date() + timedelta(days=1), time).astimezone()
        if moment <= here:
            raise ConfigError(f"The moment must be to come, but `{text}` is past.")
        return moment.timestamp()
    raise ConfigError(
        f"A moment must be written as `2026-11-24 02:00`, `2026-11-24` or `02:00`, but is `{text}`."
    )


def parse_memory(text: str) -> int:
    """Read an amount of memory in MiB: `6G`, `512M`, `1.5GiB`; 1 MiB or more.

    Raises:
        ConfigError: it is something else.
    """
    found = _MEMORY.fullmatch(text.strip())
    if not found or not found[2]:
        raise ConfigError(
            f"Memory must be a number with its unit, such as 6G or 512M, but is `{text}`."
        )
    mib = float(found[1]) * _MIB[found[2].upper()]
    if not 1 <= mib <= 1024 * 1024 * 1024:
        raise ConfigError(f"Memory must be 1M or more, and less than there is, but is `{text}`.")
    return round(mib)


def parse_gpus(text: str) -> float | None:
    """Read a number of GPUs: `auto` (None), 0, a part of one such as 0.5, or a whole number.

    Raises:
        ConfigError: it is something else.
    """
    if text.strip() == "auto":
        return None
    try:
        number = float(text) if re.fullmatch(r"[0-9]+(\.[0-9]+)?|\.[0-9]+", text.strip()) else -1.0
    except ValueError:
        number = -1.0
    if number < 0 or number > 1024 or (number > 1 and number != int(number)):
        raise ConfigError(
            f"`--gpus` must be auto, 0, a part of one GPU such as 0.5, or a whole number, but is "
            f"`{text}`."
        )
    return number


def parse_ids(texts: Iterable[str]) -> tuple[int, ...]:
    """Read job ids: `3`, `5-9`, `3,5-9`; each once, in the order given.

    Raises:
        ConfigError: not numbers, or a range that runs backwards.
    """
    found: dict[int, None] = {}
    for part in (part for text in texts for part in text.replace(",", " ").split()):
        low, dash, high = part.partition("-")
        if not (_ID.fullmatch(low) and (not dash or _ID.fullmatch(high))):
            raise ConfigError(f"Job ids must be numbers or ranges like `3 5-9`, but are `{part}`.")
        first, last = int(low), int(high) if dash else int(low)
        if last < first:
            raise ConfigError(f"The id range `{part}` runs backwards; write `{last}-{first}`.")
        if last - first >= MOST_IDS:
            raise ConfigError(f"The id range `{part}` is longer than {MOST_IDS} jobs.")
        found.update(dict.fromkeys(range(first, last + 1)))
    return tuple(found)


def parse_needed(texts: Iterable[str]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Read what a job waits for: `3`, `5-9:ok` (their success) or `3:any` (their end).

    Returns:
        Ids whose success is waited for, and ids whose end is.

    Raises:
        ConfigError: not ids, or another word after the colon.
    """
    success: dict[int, None] = {}
    end: dict[int, None] = {}
    for word in (word for text in texts for word in text.replace(",", " ").split()):
        ids, colon, kind = word.partition(":")
        if colon and kind not in ("ok", "any"):
            raise ConfigError(
                f"After a job's id may stand `:ok` (it succeeded) or `:any` (it is over), but "
                f"`{word}` ends in `:{kind}`."
            )
        if not ids:
            raise ConfigError(f"`{word}` must begin with the id of a job, as `3:{kind}`.")
        (end if kind == "any" else success).update(dict.fromkeys(parse_ids([ids])))
    return tuple(success), tuple(end)
