"""Opening the run database, and the two ways into it: `write` and `read`.

A writer takes SQLite's write lock at once (BEGIN IMMEDIATE), so it waits for its turn instead of
failing in the middle; a state change is on the disk when `write` returns. PostgreSQL goes by the
same code through a URL.
"""

from __future__ import annotations

import logging
import os
import re
import sqlite3
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.pool import QueuePool

from db import postgres, schema, sqlite
from db.errors import DatabaseError, NotFoundError
from db.failures import is_unreachable, translated
from db.filesystem import network_warning
from db.folder_news import FolderNews

_log = logging.getLogger("setgf.db")
_BEGIN = "setgf_begin"
_EXPECTED = "expected `sqlite:////folder/setgf.db` or `postgresql+psycopg://user@host/name`"
_RESTART_SECONDS = 10.0
"""How long a server that was there before may be away, for a restart."""
_RESTART_PAUSE_SECONDS = 0.2
_POOL_SIZE = 4
_MAX_CONNECTIONS = 32


class Database:
    """A run database, open. Safe to share between threads; not across a fork."""

    def __init__(self, address: Path | URL, *, read_only: bool = False) -> None:
        self.path = address if isinstance(address, Path) else None
        self.url = (
            f"sqlite:///{address}"
            if isinstance(address, Path)
            else without_password(address.render_as_string(hide_password=False))
        )
        self.read_only = read_only
        self.upgrade: schema.Upgrade | None = None
        """What opening it did to an older schema."""
        self.engine = _engine(address, read_only=read_only)
        self._identity = self._file_identity()
        self._generation = 0
        self._was_reached = False
        self._watcher: sqlite3.Connection | None = None
        self._news: FolderNews | None = None
        self._listener: postgres.Listener | None = None
        self._lock = threading.Lock()

    @property
    def where(self) -> str:
        """The file or the URL, for people."""
        return str(self.path or self.url)

    @contextmanager
    def write(self, *, durable: bool = True) -> Generator[Connection]:
        """Open a writing transaction: all of it is stored, or on an error none of it.

        Args:
            durable: the change survives a power cut once this returns; False (for points, which the
                run folder holds too) may lose the last ones to it.
        """
        self._follow_file()
        with translated(self.where), self._connect() as connection:
            self._set_durability(connection, durable)
            with connection.execution_options(**{_BEGIN: "BEGIN IMMEDIATE"}).begin():
                if self.path is None:
                    postgres.begin_write(connection, durable=durable)
                yield connection

    @contextmanager
    def read(self, *, read_only: bool = False) -> Generator[Connection]:
        """Open a reading transaction: one consistent view. Keep it short: it holds up the log.

        With `read_only` PostgreSQL itself refuses what would write.
        """
        self._follow_file()
        with translated(self.where), self._connect() as connection:
            if self.path is None:
                connection.execution_options(isolation_level="REPEATABLE READ")
                if read_only:
                    connection.execution_options(postgresql_readonly=True)
            with connection.begin():
                yield connection

    def data_version(self) -> int:
        """Return a number that changes whenever anything in the database has changed.

        It costs a few microseconds, so it can be asked many times a second.
        """
        self._follow_file()
        if self.path is None:
            with translated(self.where), self._lock:
                return self._server_version()
        try:
            return self._file_version(self.path)
        except sqlite3.Error:
            with translated(self.where):  # entered only for an error: it costs more than the look
                raise

    def _file_version(self, path: Path) -> int:
        with self._lock:
            if self._news is not None:
                self._news.clear()  # first: what comes after this look is to be told
            if self._watcher is None:
                self._watcher = sqlite.connector(path, read_only=True)()
            row = self._watcher.execute("PRAGMA data_version").fetchone()
        return (self._generation << 32) + int(row[0])

    def _server_version(self) -> int:
        if self._listener is not None:
            try:
                return self._listener.version()
            except DBAPIError as error:
                self._listener.close()
                self._listener = None
                if not is_unreachable(error.orig):
                    raise
        self._listener = postgres.Listener(self._connect())
        return self._listener.version()

    def schema_version(self) -> int:
        """Return the schema's version as it is now: another process may have upgraded it."""
        with self.read() as connection:
            return schema.version(connection)

    def news_handle(self) -> int | None:
        """Return a handle that is readable when something may have changed, until `data_version`.

        None where nobody tells: ask again and again. Ask for it again after every error.
        """
        if self.path is None:
            return None if self._listener is None else self._listener.fileno()
        with self._lock:
            if self._news is None:
                with suppress(OSError):
                    self._news = FolderNews(self.path.parent)
            return None if self._news is None else self._news.fileno()

    def check(self) -> tuple[str, ...]:
        """Return what is wrong with the file, in SQLite's words; nothing when it is sound.

        PostgreSQL looks after its files itself: there every row is read once.
        """
        if self.path is None:
            with self.read() as connection:
                for name in schema.tables():
                    connection.exec_driver_sql(f"SELECT count({name}) FROM {name}")
            return ()
        with self.read() as connection:
            rows = connection.exec_driver_sql("PRAGMA integrity_check").fetchall()
            broken = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall()
        problems = [str(row[0]) for row in rows if row[0] != "ok"]
        problems += [f"a row of `{row[0]}` names a `{row[2]}` that is not there" for row in broken]
        return tuple(problems)

    def close(self) -> None:
        """Close every connection. The object can't be used afterwards."""
        self._drop_connections()

    def _connect(self) -> Connection:
        """Return a connection; wait for a server that is being started anew, as for a lock."""
        if self.path is not None:
            return self.engine.connect()
        deadline = time.monotonic() + (_RESTART_SECONDS if self._was_reached else 0.0)
        while True:
            try:
                connection = self.engine.connect()
            except DBAPIError as error:
                if not is_unreachable(error.orig) or time.monotonic() > deadline:
                    raise
                time.sleep(_RESTART_PAUSE_SECONDS)
            else:
                self._was_reached = True
                return connection

    def _drop_connections(self) -> None:
        self.engine.dispose()
        with self._lock:
            if self._watcher is not None:
                self._watcher.close()
                self._watcher = None
            if self._news is not None:
                self._news.close()
                self._news = None
            if self._listener is not None:
                self._listener.close()
                self._listener = None

    def _file_identity(self) -> tuple[int, int] | None:
        if self.path is None:
            return None
        try:
            status = os.stat(self.path)  # noqa: PTH116 (many times a second)
        except OSError:
            return None
        return status.st_dev, status.st_ino

    def _follow_file(self) -> None:
        """Go over to the new file when `db rebuild` has put one in the old one's place.

        Without this an open process would go on writing into the file that was moved aside.
        """
        identity = self._file_identity()
        if identity == self._identity:
            return
        self._drop_connections()
        if identity is None:
            raise NotFoundError(
                f"The run database `{self.where}` is gone. Make it anew from the run folders with "
                "`setgf db rebuild`."
            )
        self._identity = identity
        self._generation += 1

    def _set_durability(self, connection: Connection, durable: bool) -> None:
        """Set how far a commit waits for the disk; outside of a transaction, on this connection."""
        if self.path is None or connection.info.get("durable", True) == durable:
            return
        raw = connection.connection.driver_connection
        assert isinstance(raw, sqlite3.Connection)
        raw.execute(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
        connection.info["durable"] = durable


def open_database(url: str, *, read_only: bool = False, create: bool = True) -> Database:
    """Open the run database at `url`, bringing an older one to this version first.

    Args:
        url: `sqlite:////absolute/file.db`, the path of a file, or `postgresql+psycopg://...`.
        read_only: never write, not even to migrate.
        create: make it when it is not there; else `NotFoundError`.

    Raises:
        SchemaTooNewError, SchemaTooOldError, DatabaseCorruptError, DatabaseBusyError,
        DatabaseReadOnlyError, DatabaseFullError, DatabaseUnreachableError, NotFoundError: each
            says what to do.
    """
    address = _parse(url)
    if isinstance(address, Path) and not address.exists():
        if read_only or not create:
            raise NotFoundError(
                f"No run database at `{address}`. Queue a first job with `setgf queue add`, or "
                "name another folder with $SETGF_HOME."
            )
        with _folder_errors(address):
            address.parent.mkdir(parents=True, exist_ok=True)
            address.touch()
    database = Database(address, read_only=read_only)
    try:
        with translated(database.where):
            database.upgrade = schema.prepare(
                database.engine, database.path, database.where, read_only=read_only, begin=_BEGIN
            )
    except BaseException:
        database.close()
        raise
    if database.upgrade is not None and isinstance(address, Path):
        warning = network_warning(address)
        if warning is not None:
            _log.warning(warning)
    return database


def file_of(url: str) -> Path | None:
    """Return the file of an SQLite database; None for one on a server."""
    address = _parse(url)
    return address if isinstance(address, Path) else None


def _parse(url: str) -> Path | URL:
    """Return the file of an SQLite database, taken as it is typed, or the URL of a server."""
    prefix, mark, rest = url.partition("://")
    if not mark or prefix.partition("+")[0] == "sqlite":
        name = rest.removeprefix("/") if mark else url
        if name in ("", ":memory:"):
            raise DatabaseError(
                f"`{url}` names no file, but the run database is shared by several processes; "
                f"{_EXPECTED}."
            )
        return Path(name).expanduser().absolute()
    refusal = f"`{without_password(url)}` is not the URL of a run database; {_EXPECTED}."
    if prefix.partition("+")[0] not in ("postgresql", "postgres"):
        raise DatabaseError(refusal)
    try:
        return make_url(url).set(drivername=postgres.DRIVER)
    except (ArgumentError, ValueError):
        raise DatabaseError(refusal) from None  # the cause would print the password


def without_password(url: str) -> str:
    """Return a URL as it may be shown.

    >>> without_password("postgresql://ada:se/c@ret@host/runs?sslpassword=secret")
    'postgresql://ada:***@host/runs?sslpassword=***'
    """
    hidden = re.sub(r"(?<=://)([^/@:]*):.*@", r"\1:***@", url)
    return re.sub(r"(password=)[^&]*", r"\1***", hidden)


def _engine(address: Path | URL, *, read_only: bool) -> Engine:
    if isinstance(address, URL):
        return postgres.make_engine(address, read_only=read_only, max_connections=_MAX_CONNECTIONS)
    engine = create_engine(
        "sqlite://",
        creator=sqlite.connector(address, read_only=read_only),
        poolclass=QueuePool,
        pool_size=_POOL_SIZE,
        max_overflow=_MAX_CONNECTIONS - _POOL_SIZE,
    )
    event.listen(engine, "begin", _begin)
    return engine


def _begin(connection: Connection) -> None:
    """Start SQLite's transaction ourselves: immediate for writers, deferred for readers."""
    connection.exec_driver_sql(connection.get_execution_options().get(_BEGIN, "BEGIN"))


@contextmanager
def _folder_errors(path: Path) -> Generator[None]:
    try:
        yield
    except OSError as error:
        raise DatabaseError(
            f"The run database `{path}` can't be made: {error.strerror}. "
            "Name a folder that can be written with $SETGF_HOME."
        ) from error
