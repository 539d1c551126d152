"""How PostgreSQL is spoken to: the connection, the one writer at a time, its clock, bulk inserts.

Everything that writes takes one advisory lock first: one writer at a time, as on SQLite. So
events get their numbers in the order in which they become visible, and no two writers lock rows
crosswise. The lock is given up with the transaction, and the server ends a transaction whose client
has stopped in its middle. Every writer notifies those who listen, too.
"""

from __future__ import annotations

import json
import math
import time
import zlib
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError

from db.errors import DatabaseError

if TYPE_CHECKING:
    import psycopg

DRIVER = "postgresql+psycopg"
POOL_SIZE = 4
CONNECT_SECONDS = 5
LOCK_SECONDS = 10
"""How long a statement waits for another's lock; the same as on SQLite."""
_STUCK_SECONDS = 60
"""A transaction whose client says nothing for so long is taken back."""
_LOCK = 7_384_635
"""Any number, the same in every process."""
_CHANNEL = "setgf"
ASK_SECONDS = 1.0
"""Time between two looks for commits that nobody has told of."""
_SKEW_SECONDS = 1.0
"""Clocks that differ by less count as one: a lease is much longer."""
_SETTINGS = {
    "lock_timeout": f"{LOCK_SECONDS}s",
    "idle_in_transaction_session_timeout": f"{_STUCK_SECONDS}s",
    "timezone": "UTC",
}
_DEFAULTS = {
    "connect_timeout": str(CONNECT_SECONDS),
    "application_name": "setgf",
    # A server that vanished without a word is noticed within half a minute.
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "30000",
}
NUL = "\x00"
_REPLACEMENT = "\ufffd"


def make_engine(address: URL, *, read_only: bool, max_connections: int) -> Engine:
    """Return the engine for a server; connects to nothing yet.

    Raises:
        DatabaseError: the driver is not installed.
    """
    options = " ".join(f"-c {name}={value}" for name, value in _SETTINGS.items())
    given = address.query.get("options", "")
    options = f"{options} {given if isinstance(given, str) else ' '.join(given)}".rstrip()
    missing = {name: value for name, value in _DEFAULTS.items() if name not in address.query}
    try:
        engine = create_engine(
            address.set(drivername=DRIVER).update_query_dict({"options": options}),
            connect_args=missing,
            pool_pre_ping=True,  # a connection that a restart of the server has cut is replaced
            pool_size=POOL_SIZE,
            max_overflow=max_connections - POOL_SIZE,
            json_serializer=_to_json,
            execution_options={"postgresql_readonly": True} if read_only else {},
        )
    except ModuleNotFoundError as error:
        raise DatabaseError(
            f"`{address}` needs the package `{error.name}`. "
            "Install it with `pip install 'setgf[postgres]'`."
        ) from error
    event.listen(engine, "connect", _adapt)
    return engine


def begin_write(connection: Connection, *, durable: bool) -> None:
    """Wait until this transaction is the only one that writes; its commit is told to listeners."""
    relaxed = "" if durable else ", set_config('synchronous_commit', 'off', true)"
    told = f"pg_notify('{_CHANNEL}', '')"
    connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK}), {told}{relaxed}"))


def begin_migration(connection: Connection) -> None:
    """Wait, longer than usual, until this transaction is the only one that writes."""
    connection.execute(text("SELECT set_config('lock_timeout', '120s', true)"))
    connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))


class Listener:
    """A connection that hears of every commit, so that the server need not be asked for it."""

    def __init__(self, connection: Connection) -> None:
        """Listen on a connection that is given up to this.

        Raises:
            DBAPIError: the server went away.
        """
        self._connection = connection.execution_options(isolation_level="AUTOCOMMIT")
        self._driver = cast("psycopg.Connection[Any]", connection.connection.driver_connection)
        connection.detach()
        self._driver.add_notify_handler(self._hear)
        self._has_heard = False
        self._asked_at = -ASK_SECONDS
        self._version = 0
        with suppress(DBAPIError):  # a copy that only reads lets nobody listen
            connection.execute(text(f"LISTEN {_CHANNEL}"))

    def fileno(self) -> int:
        """Return a handle that is readable when the server has told something, until `version`."""
        return self._driver.fileno()

    def version(self) -> int:
        """Return a number that changes, a moment after it, with every commit.

        The server is asked once it has told of one, and once in a while for those of strangers.

        Raises:
            DBAPIError: the server went away.
        """
        self._listen()
        now = time.monotonic()
        if self._has_heard or now - self._asked_at >= ASK_SECONDS:
            self._has_heard, self._asked_at = False, now
            found = self._connection.execute(text("SELECT pg_current_snapshot()::text"))
            self._version = zlib.crc32(str(found.scalar_one()).encode())
        return self._version

    def close(self) -> None:
        """End the connection, if it has not ended by itself."""
        self._driver.close()
        with suppress(DBAPIError):  # nothing can be said to a server any more
            self._connection.close()

    def _listen(self) -> None:
        """Take in what has come, without waiting."""
        import psycopg as driver

        try:
            self._driver.pgconn.consume_input()
        except driver.Error as error:
            raise DBAPIError("LISTEN", None, error) from error
        while self._driver.pgconn.notifies() is not None:
            self._has_heard = True

    def _hear(self, notice: object) -> None:
        """Note what came with the answer to a question."""
        del notice
        self._has_heard = True


def schema_version(connection: Connection) -> int | None:
    """Return the version of the schema; 0 in an empty one, None when it is another program's."""
    tables = "SELECT to_regclass('alembic_version')::text, to_regclass('runs')::text"
    versions, runs = connection.execute(text(tables)).one()
    if versions is None:
        return 0 if runs is None else None
    found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    if found is None:
        return 0
    return int(found) if str(found).isdecimal() else None


def clock_skew(connection: Connection) -> float:
    """Return how many seconds the server's clock is before ours; 0 when about none."""
    before = time.time()
    query = text("SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) AS DOUBLE PRECISION)")
    theirs = float(connection.execute(query).scalar_one())
    skew = theirs - (before + time.time()) / 2
    return skew if abs(skew) > _SKEW_SECONDS else 0.0


def copy_rows(
    connection: Connection,
    table: str,
    columns: Sequence[str],
    types: Sequence[str],
    rows: Iterable[Sequence[Any]],
) -> None:
    """Insert many rows by COPY: several times as fast as INSERT."""
    import psycopg as driver

    raw = cast("psycopg.Connection[Any]", connection.connection.driver_connection)
    statement = f"COPY {table} ({', '.join(columns)}) FROM STDIN (FORMAT BINARY)"
    try:
        with raw.cursor() as cursor, cursor.copy(statement.encode()) as copy:
            copy.set_types(types)
            for row in rows:
                copy.write_row(row)
    except driver.Error as error:
        raise DBAPIError(statement, None, error) from error


def _adapt(connection: psycopg.Connection[Any], record: object) -> None:
    """PostgreSQL's text has no NUL: what comes with one (of a damaged log) is stored without."""
    del record
    from psycopg.types.string import StrDumper, StrDumperUnknown

    class Dumper(StrDumper):
        def dump(self, obj: str) -> Any:
            return super().dump(_clean(obj))

    class UnknownDumper(StrDumperUnknown):
        def dump(self, obj: str) -> Any:
            return super().dump(_clean(obj))

    connection.adapters.register_dumper(str, Dumper)
    connection.adapters.register_dumper(str, UnknownDumper)


def _clean(word: str) -> str:
    return word.replace(NUL, _REPLACEMENT) if NUL in word else word


def _to_json(value: Any) -> str:
    """Return JSON that PostgreSQL takes: it knows neither NaN nor infinities."""
    try:
        return json.dumps(value, allow_nan=False)
    except ValueError:
        return json.dumps(finite(value))


def finite(value: Any) -> Any:
    """Return JSON data with words in place of NaN and infinities."""
    match value:
        case float() if not math.isfinite(value):
            return str(value)
        case dict():
            items = cast("dict[str, Any]", value).items()
            return {name: finite(inner) for name, inner in items}
        case list() | tuple():
            return [finite(inner) for inner in cast("list[Any]", value)]
        case _:
            return value
