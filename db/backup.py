"""Copies of an SQLite run database while others use it, and what a copy must be to be taken back.

A copy goes through SQLite's backup API: a copy of the file alone would lack what is still in its
log. It gets its name only when it is whole and on the disk.
"""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import closing, suppress
from pathlib import Path

from db import sqlite
from db.errors import DatabaseCorruptError, DatabaseError, NotFoundError, SchemaTooNewError
from db.failures import translated
from db.migrations import SCHEMA_VERSION


def copy_file(source: Path, target: Path) -> int:
    """Copy the database at `source` to the new file `target`, and return the copy's bytes.

    Raises:
        DatabaseFullError, DatabaseError: `target` can't be written; nothing is left of it.
    """
    if target.exists():
        raise DatabaseError(f"`{target}` is there already. Name a file that is not there yet.")
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    try:
        with translated(str(target)):
            _copy(source, partial)
        _keep(partial, target)
    except OSError as error:
        raise DatabaseError(f"`{target}` can't be written: {error.strerror}.") from error
    finally:
        for name in (partial, Path(f"{partial}-journal")):
            with suppress(FileNotFoundError):
                name.unlink()
    return target.stat().st_size


def copy_before_migration(path: Path, found: int) -> Path:
    """Keep the database at `path` as it was at schema version `found`; return the copy's file.

    Raises:
        DatabaseError: there is no copy, so the database must not be migrated.
    """
    moment = time.strftime("%Y%m%dT%H%M%S")
    target = unused(path, f"v{found}-{moment}")
    try:
        copy_file(path, target)
    except DatabaseError as error:
        raise type(error)(
            f"The run database `{path}` has schema version {found} and was not upgraded, because "
            f"it can't be backed up first: {error}"
        ) from error
    return target


def check_backup(path: Path) -> int:
    """Return the schema version of a backup that can be restored.

    Raises:
        NotFoundError, DatabaseCorruptError, SchemaTooNewError: it can't; says why.
    """
    if not path.is_file():
        raise NotFoundError(f"There is no file `{path}`.")
    try:
        with closing(sqlite.connector(path, read_only=True)()) as connection:
            found = sqlite.header_version(connection)
            problem = str(connection.execute("PRAGMA integrity_check(1)").fetchone()[0])
    except sqlite3.DatabaseError as error:
        found, problem = 0, str(error)
    if problem != "ok":
        raise DatabaseCorruptError(f"`{path}` is no sound backup ({problem}). Take another one.")
    if found == 0:
        raise DatabaseError(f"`{path}` is not a backup of a setgf run database.")
    if found > SCHEMA_VERSION:
        raise SchemaTooNewError(
            f"`{path}` has schema version {found}, but this setgf knows versions up to "
            f"{SCHEMA_VERSION}. Install a later setgf, or restore an older backup."
        )
    return found


def unused(target: Path, word: str) -> Path:
    """Return a name beside `target` that is not taken: `setgf.old.db`, `setgf.old2.db`."""
    number = 1
    while True:
        tail = word if number == 1 else f"{word}{number}"
        path = target.with_name(f"{target.stem}.{tail}{target.suffix}")
        if not path.exists():
            return path
        number += 1


def _copy(source: Path, partial: Path) -> None:
    partial.unlink(missing_ok=True)
    partial.touch()  # with the mode the umask gives: SQLite's own is never the group's
    with (
        closing(sqlite.connector(source, read_only=True)()) as old,
        closing(sqlite3.connect(partial)) as new,
    ):
        old.backup(new)
        # A backup is one file: no log beside it that a copy by hand could forget.
        new.execute("PRAGMA journal_mode=DELETE")


def _keep(partial: Path, target: Path) -> None:
    """Give the finished copy its name, on the disk."""
    _sync(partial)
    partial.replace(target)
    _sync(target.parent)


def _sync(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
