"""The open run database, shared by all reading and doing of the gateway.

Loads the database layer at the first read, in the reading thread, so that the first frame does not
wait for it. After an error the database is opened anew at the next read: whatever was wrong with it
may have been mended meanwhile.
"""

from __future__ import annotations

import getpass
import sqlite3
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from db.errors import DatabaseError, JobStateError, NotFoundError
from db.run_list import executor
from setgf.errors import SetgfError
from setgf.home import Home
from tui.gateway import GatewayError, MissingError
from tui.sources.file_pool import FilePool

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from db.filter_names import Execute
    from db.query import Query
    from db.statements import Statements

Found = TypeVar("Found")
READ_ONLY = "This dashboard is read-only. Start it without `--read-only`."


class DatabaseAccess:
    """A run database and a home; safe to be used from several threads."""

    def __init__(
        self,
        url: str,
        home: Home,
        *,
        read_only: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.url, self.home, self.clock = url, home, clock
        self._is_read_only = read_only
        self._files = FilePool(url)
        self._query: Query | None = None
        self._num_openings = 0
        self._version_of_schema_seen: int | None = None
        """Version of the data at which the schema was found to be ours."""
        self._lock = threading.Lock()

    @property
    def place(self) -> str:
        """Where the run database is; without the password of a server."""
        if "://" not in self.url or self.url.startswith("sqlite"):
            return self.url.partition(":///")[2] or self.url
        scheme, _, rest = self.url.partition("://")
        return f"{scheme}://{rest.rpartition('@')[2]}"

    @property
    def read_only(self) -> bool:
        """True where every action is refused."""
        return self._is_read_only

    @property
    def actor(self) -> str:
        """Who acts: the user's login name."""
        try:
            return getpass.getuser()
        except (OSError, KeyError):
            return "dashboard"

    @contextmanager
    def reading(self) -> Generator[Query]:
        """Give the open database; say in sentences of ours what goes wrong with it.

        Raises:
            GatewayError: it can't be read or done.
            MissingError: there is no run database.
        """
        query: Query | None = None
        try:
            query = self._open()
            yield query
        except JobStateError as error:
            raise GatewayError(str(error)) from error
        except DatabaseError as error:
            is_missing = isinstance(error, NotFoundError) and query is None
            if query is None or not isinstance(error, NotFoundError):
                self._close()
            raise (MissingError if is_missing else GatewayError)(str(error)) from error

    def lend(self, read: Callable[[Connection | sqlite3.Connection], Found]) -> Found:
        """Read from the file itself, where it can be read as it is; else through the engine.

        Raises:
            GatewayError: it can't be read.
        """
        try:
            with self._files.reading() as connection:
                if connection is not None:
                    return read(connection)
        except sqlite3.Error:
            pass  # the engine says what is wrong
        with self.reading() as query, query.database.read() as engine_connection:
            return read(engine_connection)

    def ask(self, read: Callable[[Execute, str], Found]) -> Found:
        """Read with plain statements; `read` gets what runs them and the name of their dialect.

        Raises:
            GatewayError: it can't be read.
        """

        def asked(connection: Connection | sqlite3.Connection) -> Found:
            if isinstance(connection, sqlite3.Connection):
                return read(executor(connection), "sqlite")
            from db.filter_clauses import executor as engine_executor

            return read(engine_executor(connection), connection.dialect.name)

        return self.lend(asked)

    @contextmanager
    def statements(self) -> Generator[Statements]:
        """Give plain statements inside one read."""
        from db.statements import EngineStatements

        with self.reading() as query, query.database.read() as connection:
            yield EngineStatements(connection)

    def change(self, change: Callable[[Connection, float], Found]) -> Found:
        """Change the database in one transaction.

        Args:
            change: gets the connection and the time.

        Raises:
            GatewayError: the dashboard is read-only, or the change was refused.
        """
        if self._is_read_only:
            raise GatewayError(READ_ONLY)
        with self.reading() as query, query.database.write() as connection:
            try:
                return change(connection, self.clock())
            except SetgfError as error:
                raise GatewayError(str(error)) from error

    def close(self) -> None:
        """Close the database; the next read opens it again."""
        self._files.close()
        self._close()

    def _open(self) -> Query:
        from db.engine import open_database
        from db.query import Query

        if self._query is not None and not self._is_ours(self._query):
            self._close()  # opening it says what is wrong, or upgrades it
        with self._lock:
            if self._query is None:
                database = open_database(self.url, read_only=self._is_read_only, create=False)
                self._query = Query(database)
                self._num_openings += 1
            return self._query

    def _is_ours(self, query: Query) -> bool:
        """Return False when another version of setgf has changed the schema meanwhile."""
        from db.migrations import SCHEMA_VERSION

        version = query.database.data_version()
        if version == self._version_of_schema_seen:
            return True
        is_ours = query.database.schema_version() == SCHEMA_VERSION
        self._version_of_schema_seen = version if is_ours else None
        return is_ours

    def _close(self) -> None:
        with self._lock:
            if self._query is not None:
                self._query.close()
                self._query = None
