"""Open connections to a run database's file: opening one takes longer than most reads by it."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Generator
from contextlib import contextmanager

from db.migrations import SCHEMA_VERSION
from db.run_list import connect
from db.sqlite import header_version
from db.statements import file_path

MOST_IDLE = 3
Identity = tuple[int, int]


class FilePool:
    """Lends connections for reading, as long as the file is one that this version can read."""

    def __init__(self, url: str) -> None:
        self._path = file_path(url)
        self._idle: list[tuple[Identity, sqlite3.Connection]] = []
        self._lock = threading.Lock()

    @contextmanager
    def reading(self) -> Generator[sqlite3.Connection | None]:
        """Give a connection inside a read; None where the engine must look at the database.

        What SQLite finds wrong is left to the engine to say: an error closes the connection.
        """
        found = self._open()
        if found is None:
            yield None
            return
        identity, connection = found
        try:
            yield connection
            connection.rollback()
        except BaseException:
            connection.close()
            raise
        with self._lock:
            if len(self._idle) < MOST_IDLE:
                self._idle.append((identity, connection))
                return
        connection.close()

    def close(self) -> None:
        """Close the connections that are not lent."""
        with self._lock:
            idle, self._idle = self._idle, []
        for _, connection in idle:
            connection.close()

    def _open(self) -> tuple[Identity, sqlite3.Connection] | None:
        """Return an idle connection to the file that is there now, or a new one, in a read."""
        if self._path is None:
            return None
        try:
            status = self._path.stat()
        except OSError:
            self.close()
            return None
        identity = (status.st_dev, status.st_ino)
        connection = self._taken(identity)
        try:
            if connection is None:
                connection = connect(self._path)
            if header_version(connection) == SCHEMA_VERSION:
                connection.execute("BEGIN")
                return identity, connection
        except sqlite3.Error:
            pass
        if connection is not None:
            connection.close()
        return None

    def _taken(self, identity: Identity) -> sqlite3.Connection | None:
        """Take an idle connection to this very file; close those to another in its place."""
        with self._lock:
            while self._idle:
                of, connection = self._idle.pop()
                if of == identity:
                    return connection
                connection.close()
        return None
