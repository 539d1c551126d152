"""How SQLite is spoken to: opening, pragmas, and the schema's version as a number in its header."""

from __future__ import annotations

import math
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

from db.errors import DatabaseBusyError

BUSY_SECONDS = 10.0
"""How long a statement waits for another process's lock."""
_WAL_PAUSE_SECONDS = 0.02


def connector(path: Path, *, read_only: bool) -> Callable[[], sqlite3.Connection]:
    """Return the function that opens one connection to the file at `path`."""
    mode = "ro" if read_only else "rwc"
    address = f"file:{quote(str(path))}?mode={mode}"

    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(
            address,
            uri=True,
            timeout=BUSY_SECONDS,
            isolation_level=None,  # our own BEGIN: the driver's would start deferred transactions
            check_same_thread=False,  # the pool lends a connection to one thread at a time
        )
        connection.execute("PRAGMA foreign_keys=ON")
        connection.execute("PRAGMA synchronous=FULL")
        connection.create_function("sqrt", 1, _square_root, deterministic=True)
        return connection

    return connect


def header_version(connection: sqlite3.Connection) -> int:
    """Return the schema version in the file's header; 0 in an empty file or one not of ours."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def has_tables(connection: sqlite3.Connection) -> bool:
    """Return True when the file holds any table."""
    return connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone() is not None


def turn_on_wal(connection: sqlite3.Connection, where: str) -> None:
    """Switch the file to write-ahead logging: readers and the writer don't wait for each other.

    SQLite answers `busy` at once when two processes switch together, whatever the timeout.
    """
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF != sqlite3.SQLITE_BUSY:
                raise
            if time.monotonic() > deadline:
                raise DatabaseBusyError(
                    f"The run database `{where}` stayed locked by another process for "
                    f"{BUSY_SECONDS:.0f} seconds. Try again."
                ) from error
        time.sleep(_WAL_PAUSE_SECONDS)


def _square_root(value: float | None) -> float | None:
    return None if value is None or value < 0 else math.sqrt(value)
