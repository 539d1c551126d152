"""The border: what SQLite and SQLAlchemy raise becomes one of `db.errors`, with what to do."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy.exc import DBAPIError

from db.errors import (
    DatabaseBusyError,
    DatabaseCorruptError,
    DatabaseError,
    DatabaseFullError,
    DatabaseReadOnlyError,
    DatabaseUnreachableError,
    FilterError,
)
from db.lock_holder import find_writer, name_of

_LOG_INDEX_BYTES = 1 << 20
"""SQLite lets the index of a long log grow to about this."""

_SENTENCES: dict[str, tuple[type[DatabaseError], str]] = {
    "SQLITE_BUSY": (
        DatabaseBusyError,
        "The run database {where} stayed locked by another process for 10 seconds{holder}. "
        "{advice}, or try again.",
    ),
    "SQLITE_LOCKED": (
        DatabaseBusyError,
        "The run database {where} is locked by another connection of this process. Try again.",
    ),
    "SQLITE_FULL": (
        DatabaseFullError,
        "The disk of the run database {where} is full; nothing of this change was stored. "
        "Make space and try again.",
    ),
    "SQLITE_CORRUPT": (
        DatabaseCorruptError,
        "The run database {where} is damaged ({detail}). Make it anew from the run folders with "
        "`setgf db rebuild`; the damaged file is kept beside it.",
    ),
    "SQLITE_NOTADB": (
        DatabaseCorruptError,
        "{where} is not a run database, or is damaged ({detail}). Make it anew from the run "
        "folders with `setgf db rebuild`; the damaged file is kept beside it.",
    ),
    "SQLITE_READONLY": (
        DatabaseReadOnlyError,
        "The run database {where} can't be written ({detail}). "
        "Check the permissions of the file and its folder.",
    ),
    "SQLITE_CANTOPEN": (
        DatabaseReadOnlyError,
        "The run database {where} can't be opened ({detail}). "
        "Check that its folder exists and can be written.",
    ),
    "SQLITE_IOERR": (
        DatabaseError,
        "The disk of the run database {where} failed ({detail}). Check the disk and try again.",
    ),
}


_STATES: dict[str, tuple[type[DatabaseError], str]] = {
    "55P03": (
        DatabaseBusyError,
        "The run database {where} stayed locked by another process for 10 seconds. Try again.",
    ),
    "40": (
        DatabaseBusyError,
        "The run database {where} took this change back, because another one was in its way. "
        "Try again.",
    ),
    "53100": (
        DatabaseFullError,
        "The disk of the server of the run database {where} is full; nothing of this change was "
        "stored. Make space and try again.",
    ),
    "25006": (
        DatabaseReadOnlyError,
        "The run database {where} can't be written: it was opened for reading, or the server is a "
        "copy that only reads.",
    ),
    "42501": (
        DatabaseReadOnlyError,
        "The run database {where} may not be used so by this user ({detail}). "
        "Give the user the right, or name another one in $SETGF_DATABASE_URL.",
    ),
    "XX001": (
        DatabaseCorruptError,
        "The run database {where} is damaged ({detail}). Restore a backup with "
        "`setgf db restore FILE`, then run `setgf db rebuild`.",
    ),
    "2201B": (FilterError, "PostgreSQL can't read this regular expression: {detail}."),
}
"""By the beginning of PostgreSQL's error code."""
_UNREACHABLE = (
    "The server of the run database {where} can't be reached ({detail}). Check that it runs and "
    "that $SETGF_DATABASE_URL names it. Nothing is lost: training goes on without it."
)
_AWAY_STATES = ("08", "57P", "53300", "28", "3D000", "25P03")
"""Connection lost, server going down or coming up, no connection left, not let in."""


def is_unreachable(error: BaseException | None) -> bool:
    """Return True when PostgreSQL did not answer, or cut the connection."""
    if error is None or not type(error).__module__.startswith("psycopg"):
        return False
    state = getattr(error, "sqlstate", None)
    if state is None:
        return type(error).__name__ in ("OperationalError", "InterfaceError", "ConnectionTimeout")
    return state.startswith(_AWAY_STATES)


def describe(error: BaseException, where: str) -> DatabaseError:
    """Return the error of ours that says what `error` means for the database at `where`."""
    if type(error).__module__.startswith("psycopg"):
        return _describe_state(error, where)
    name = str(getattr(error, "sqlite_errorname", ""))
    if name.startswith("SQLITE_IOERR") and _is_disk_full(where):
        name = "SQLITE_FULL"
    for prefix, (kind, sentence) in _SENTENCES.items():
        if name.startswith(prefix):
            words = {"where": f"`{where}`", "detail": error}
            return kind(sentence.format(**words, **_holder(name, where)))
    return DatabaseError(f"The run database `{where}` refused: {error}")


def _holder(name: str, where: str) -> dict[str, str]:
    """Return what a sentence says of the process that is in the way."""
    pid = find_writer(Path(where)) if name.startswith("SQLITE_BUSY") else None
    if pid is None:
        return {"holder": "", "advice": "Find it with `lsof`"}
    command = name_of(pid)
    return {
        "holder": f": process {pid}" + (f" (`{command}`)" if command else ""),
        "advice": f"Stop it with `kill {pid}`",
    }


def _describe_state(error: BaseException, where: str) -> DatabaseError:
    """Return the error of ours for one of PostgreSQL."""
    words = {"where": f"`{where}`", "detail": first_line(error)}
    if is_unreachable(error):
        return DatabaseUnreachableError(_UNREACHABLE.format(**words))
    state = getattr(error, "sqlstate", None) or ""
    for prefix, (kind, sentence) in _STATES.items():
        if state.startswith(prefix):
            return kind(sentence.format(**words))
    return DatabaseError("The run database {where} refused: {detail}".format(**words))


def first_line(error: BaseException) -> str:
    """Return what an error says, without the lines that show where."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__


def _is_disk_full(where: str) -> bool:
    """Return True without room for the index of SQLite's log: it calls that an I/O error."""
    try:
        return shutil.disk_usage(Path(where).parent).free < _LOG_INDEX_BYTES
    except OSError:
        return False


@contextmanager
def translated(where: str) -> Generator[None]:
    """Raise what goes wrong in the database inside as one of `db.errors`."""
    try:
        yield
    except DBAPIError as error:
        raise describe(error.orig or error, where) from error
    except sqlite3.Error as error:
        raise describe(error, where) from error
