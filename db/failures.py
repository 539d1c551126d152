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
)

_LOG_INDEX_BYTES = 1 << 20
"""SQLite lets the index of a long log grow to about this."""

_SENTENCES: dict[str, tuple[type[DatabaseError], str]] = {
    "SQLITE_BUSY": (
        DatabaseBusyError,
        "The run database {where} stayed locked by another process for 10 seconds. "
        "Find it with `lsof`, or try again.",
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


def describe(error: BaseException, where: str) -> DatabaseError:
    """Return the error of ours that says what `error` means for the database at `where`."""
    name = str(getattr(error, "sqlite_errorname", ""))
    if name.startswith("SQLITE_IOERR") and _is_disk_full(where):
        name = "SQLITE_FULL"
    for prefix, (kind, sentence) in _SENTENCES.items():
        if name.startswith(prefix):
            return kind(sentence.format(where=f"`{where}`", detail=error))
    return DatabaseError(f"The run database `{where}` refused: {error}")


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
