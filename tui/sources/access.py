"""The open run database, shared by all reading and doing of the gateway.

Loads the database layer at the first read, in the reading thread, so that the first frame does not
wait for it. After an error the database is opened anew at the next read: whatever was wrong with it
may have been mended meanwhile.
"""

from __future__ import annotations

import getpass
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from db.errors import DatabaseError, JobStateError, NotFoundError
from setgf.errors import SetgfError
from setgf.home import Home
from tui.gateway import GatewayError, MissingError

if TYPE_CHECKING:
    from sqlalchemy import Connection

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
        self._query: Query | None = None
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
        self._close()

    def _open(self) -> Query:
        from db.engine import open_database
        from db.query import Query

        with self._lock:
            if self._query is None:
                database = open_database(self.url, read_only=self._is_read_only, create=False)
                self._query = Query(database)
            return self._query

    def _close(self) -> None:
        with self._lock:
            if self._query is not None:
                self._query.close()
                self._query = None
