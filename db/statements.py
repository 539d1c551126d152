"""Plain SQL with named parameters (`:name`), run by the standard library or by SQLAlchemy.

A command line starts often, and loading SQLAlchemy costs more than everything else it does. What is
written as plain statements is therefore written once, and runs on a file without SQLAlchemy, and on
a server, or inside a larger transaction, with it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from db.migrations import SCHEMA_VERSION
from db.sqlite import connector, header_version

if TYPE_CHECKING:
    from sqlalchemy import Connection


class Statements(Protocol):
    """What runs statements inside one transaction."""

    def rows(self, query: str, values: Mapping[str, Any]) -> Sequence[Sequence[Any]]:
        """Run one statement and return all its rows; none for a statement without."""
        ...

    def many(self, query: str, values: Sequence[Mapping[str, Any]]) -> None:
        """Run one statement for every set of values."""
        ...


class FileStatements:
    """Statements on an open SQLite file; whoever opened it begins and ends the transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def rows(self, query: str, values: Mapping[str, Any]) -> Sequence[Sequence[Any]]:
        """Run one statement and return all its rows; none for a statement without."""
        return self._connection.execute(query, values).fetchall()

    def many(self, query: str, values: Sequence[Mapping[str, Any]]) -> None:
        """Run one statement for every set of values."""
        self._connection.executemany(query, values)


class EngineStatements:
    """Statements on a connection of SQLAlchemy."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def rows(self, query: str, values: Mapping[str, Any]) -> Sequence[Sequence[Any]]:
        """Run one statement and return all its rows; none for a statement without."""
        from sqlalchemy import text

        result = self._connection.execute(text(query), dict(values))
        return result.all() if result.returns_rows else ()

    def many(self, query: str, values: Sequence[Mapping[str, Any]]) -> None:
        """Run one statement for every set of values."""
        from sqlalchemy import text

        if values:
            self._connection.execute(text(query), [dict(one) for one in values])


def file_connection(url: str, *, read_only: bool) -> sqlite3.Connection | None:
    """Open the file of a run database that is as this version wants it.

    Returns:
        None when it is on a server, not there, of another version or can't be opened: then
        `db.engine.open_database` must look at it, which makes, upgrades or explains.
    """
    path = file_path(url)
    if path is None or not path.is_file():
        return None
    try:
        connection = connector(path, read_only=read_only)()
    except sqlite3.Error:
        return None
    try:
        if header_version(connection) == SCHEMA_VERSION:
            return connection
    except sqlite3.Error:
        pass
    connection.close()
    return None


def file_path(url: str) -> Path | None:
    """Return the file that a database URL names; None for one on a server, or none at all."""
    prefix, mark, rest = url.partition("://")
    if mark and prefix.partition("+")[0] != "sqlite":
        return None
    name = rest.removeprefix("/") if mark else url
    return None if name in ("", ":memory:") else Path(name).expanduser().absolute()
