"""Jobs in words: ids as users type them, states, durations; and opening the queue."""

from __future__ import annotations

import getpass
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from setgf.cli.opened import tell_if_new
from setgf.errors import ConfigError

if TYPE_CHECKING:
    from db.engine import Database
    from db.query import Query
    from db.records import Job

MOST_IDS = 100_000
SECONDS_A_MINUTE, SECONDS_AN_HOUR, SECONDS_A_DAY = 60, 3600, 86400


def parse_ids(texts: Iterable[str]) -> tuple[int, ...]:
    """Read job ids: `3`, `5-9`, `3,5-9`; each once, in the order given.

    Raises:
        ConfigError: not numbers, or a range that runs backwards.
    """
    found: dict[int, None] = {}
    for part in (part for text in texts for part in text.replace(",", " ").split()):
        low, dash, high = part.partition("-")
        if not (low.isascii() and low.isdecimal() and (not dash or high.isdecimal())):
            raise ConfigError(f"Job ids must be numbers or ranges like `3 5-9`, but are `{part}`.")
        first, last = int(low), int(high) if dash else int(low)
        if last < first:
            raise ConfigError(f"The id range `{part}` runs backwards; write `{last}-{first}`.")
        if last - first >= MOST_IDS:
            raise ConfigError(f"The id range `{part}` is longer than {MOST_IDS} jobs.")
        found.update(dict.fromkeys(range(first, last + 1)))
    return tuple(found)


def open_queue(*, create: bool = True) -> Database:
    """Open the run database of this home.

    Raises:
        NotFoundError: there is none, and `create` is false.
    """
    from db.engine import open_database
    from setgf.home import find_home

    database = open_database(find_home().database_url, create=create)
    tell_if_new(database)
    return database


def ask_queue() -> Query:
    """Open the run database for questions.

    Raises:
        NotFoundError: there is none.
    """
    from db.query import Query

    return Query(open_queue(create=False))


def actor() -> str:
    """Return who asks: the user's login name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "somebody"


def show_duration(seconds: float) -> str:
    """Return a duration as `42s`, `3m 05s`, `2h 07m` or `3d 04h`."""
    whole = max(0, round(seconds))
    if whole < SECONDS_A_MINUTE:
        return f"{whole}s"
    if whole < SECONDS_AN_HOUR:
        return f"{whole // 60}m {whole % 60:02}s"
    if whole < SECONDS_A_DAY:
        return f"{whole // SECONDS_AN_HOUR}h {whole % SECONDS_AN_HOUR // 60:02}m"
    return f"{whole // SECONDS_A_DAY}d {whole % SECONDS_A_DAY // SECONDS_AN_HOUR:02}h"


def show_moment(at: float | None) -> str:
    """Return a moment in local time; empty for None."""
    return "" if at is None else time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at))


def show_time(job: Job, now: float) -> str:
    """Return how long a job has run, or has waited."""
    if job.started_at is not None:
        return show_duration((job.finished_at or now) - job.started_at)
    return show_duration(now - job.created_at) if not job.state.is_finished else ""


def plain_job(job: Job, *, with_config: bool = False) -> Mapping[str, Any]:
    """Return a job as plain data for JSON."""
    plain = asdict(job)
    if not with_config:
        del plain["config"]
    return plain


def first_line(text: str | None) -> str:
    """Return the line of an error that says most: its last."""
    return text.strip().splitlines()[-1] if text and text.strip() else ""
