"""Bringing a database to this schema version once, however many processes start together."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, Engine

from db import backup, migrations, postgres, sqlite, views
from db.errors import DatabaseError, SchemaTooNewError, SchemaTooOldError
from db.migrations import SCHEMA_VERSION


@dataclass(frozen=True, slots=True)
class Upgrade:
    """What opening a database did to its schema."""

    from_version: int
    """0 for a database made anew."""
    backup: Path | None
    """The copy of the database as it was; None on PostgreSQL, which takes back what fails."""


def prepare(
    engine: Engine, path: Path | None, where: str, *, read_only: bool, begin: str
) -> Upgrade | None:
    """Check the schema's version, and migrate an older one after a copy of it was made.

    Args:
        engine: of the database.
        path: its file; None for PostgreSQL.
        where: the file or URL, for messages.
        read_only: refuse instead of migrating.
        begin: execution option with the statement that starts a transaction.

    Returns:
        What was done; None when the schema was current.
    """
    found = _found_version(engine, path, where)
    if found == SCHEMA_VERSION:
        return None
    _refuse_newer(found, where)
    if read_only:
        raise SchemaTooOldError(
            f"The run database `{where}` has schema version {found}, but this setgf reads version "
            f"{SCHEMA_VERSION} and was told not to write. Open it once for writing with "
            "`setgf db info` to upgrade it."
        )
    if path is not None:
        _use_wal(engine, where)
    immediate = {begin: "BEGIN IMMEDIATE"}
    copies: list[Path] = []
    try:
        with engine.connect().execution_options(**immediate) as connection, connection.begin():
            return _migrate(connection, path, where, copies)
    except BaseException:
        for copy in copies:  # the database is as it was; every further try would leave one more
            copy.unlink(missing_ok=True)
        raise


def version(connection: Connection) -> int:
    """Return the version of the schema; 0 when there is none."""
    if connection.dialect.name == "sqlite":
        return int(connection.exec_driver_sql("PRAGMA user_version").scalar_one())
    found = postgres.schema_version(connection)
    if found is None:
        raise DatabaseError(
            f"`{connection.engine.url}` is a database, but not one of setgf. Name another one with "
            "--db or $SETGF_DATABASE_URL."
        )
    return found


def tables() -> tuple[str, ...]:
    """Return the names of the tables, the ones that others name first."""
    from db.tables import metadata

    return tuple(table.name for table in metadata.sorted_tables)


def _found_version(engine: Engine, path: Path | None, where: str) -> int:
    if path is None:
        with engine.connect() as connection:
            return version(connection)
    raw = engine.raw_connection()
    try:
        connection = raw.driver_connection
        assert isinstance(connection, sqlite3.Connection)
        found = sqlite.header_version(connection)
        if found == 0 and sqlite.has_tables(connection) and not _is_ours(connection):
            raise DatabaseError(
                f"`{where}` is a database, but not one of setgf. Name another file with --db or "
                "$SETGF_DATABASE_URL."
            )
        return found
    finally:
        raw.close()


def _is_ours(connection: sqlite3.Connection) -> bool:
    """Return True for a file another process has just migrated, after our look at its header."""
    query = "SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'"
    return connection.execute(query).fetchone() is not None


def _refuse_newer(found: int, where: str) -> None:
    if found > SCHEMA_VERSION:
        raise SchemaTooNewError(
            f"The run database `{where}` has schema version {found}, but this setgf knows versions "
            f"up to {SCHEMA_VERSION}. Install a later setgf, or name another database with --db."
        )


def _use_wal(engine: Engine, where: str) -> None:
    raw = engine.raw_connection()
    try:
        connection = raw.driver_connection
        assert isinstance(connection, sqlite3.Connection)
        sqlite.turn_on_wal(connection, where)
    finally:
        raw.close()


def _migrate(
    connection: Connection, path: Path | None, where: str, copies: list[Path]
) -> Upgrade | None:
    """Migrate, unless another process did while this one waited for the lock.

    The copy that is made first is appended to `copies`: it has to go when the commit fails.
    """
    if path is None:
        postgres.begin_migration(connection)
    found = version(connection)
    _refuse_newer(found, where)
    if found == SCHEMA_VERSION:
        return None
    copy = backup.copy_before_migration(path, found) if path is not None and found else None
    copies += [] if copy is None else [copy]
    views.drop(connection)
    migrations.upgrade(connection)
    views.create(connection)
    if path is not None:
        connection.exec_driver_sql(f"PRAGMA user_version={SCHEMA_VERSION}")
    return Upgrade(from_version=found, backup=copy)
