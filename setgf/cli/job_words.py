"""Jobs in words: ids as users type them, states, durations; and opening the queue."""

from __future__ import annotations

import getpass
import time
from collections.abc import Generator, Mapping
from contextlib import closing, contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from setgf.cli.opened import tell_if_new
from setgf.worker.quantities import parse_ids

if TYPE_CHECKING:
    from db.engine import Database
    from db.query import Query
    from db.records import Job
    from db.statements import Statements

SECONDS_A_MINUTE, SECONDS_AN_HOUR, SECONDS_A_DAY = 60, 3600, 86400


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


@contextmanager
def reading() -> Generator[Statements]:
    """Open the run database for plain statements that read, where it can be without SQLAlchemy.

    Raises:
        NotFoundError: there is none.
    """
    from db.statements import EngineStatements, FileStatements, file_connection
    from setgf.home import find_home

    connection = file_connection(find_home().database_url, read_only=True)
    if connection is None:
        with closing(open_queue(create=False)) as database, database.read() as inner:
            yield EngineStatements(inner)
        return
    with closing(connection), _told_by_file():
        connection.execute("BEGIN")
        yield FileStatements(connection)


@contextmanager
def writing() -> Generator[Statements]:
    """Open the run database for plain statements that write: all are stored, or none.

    The database is made where there is none.
    """
    from db.statements import EngineStatements, FileStatements, file_connection
    from setgf.home import find_home

    connection = file_connection(find_home().database_url, read_only=False)
    if connection is None:
        with closing(open_queue()) as database, database.write() as inner:
            yield EngineStatements(inner)
        return
    with closing(connection), _told_by_file():
        connection.execute("BEGIN IMMEDIATE")
        yield FileStatements(connection)
        connection.execute("COMMIT")


@contextmanager
def _told_by_file() -> Generator[None]:
    """Raise what SQLite refuses as one of `db.errors`; only then is SQLAlchemy loaded."""
    import sqlite3

    try:
        yield
    except sqlite3.Error as error:
        from db.failures import describe
        from db.statements import file_path
        from setgf.home import find_home

        url = find_home().database_url
        raise describe(error, str(file_path(url) or url)) from error


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


__all__ = [
    "actor",
    "ask_queue",
    "first_line",
    "open_queue",
    "parse_ids",
    "plain_job",
    "reading",
    "show_duration",
    "show_moment",
    "show_time",
    "writing",
]
