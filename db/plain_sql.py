"""Plain SQL for people, read-only by construction: the database itself refuses to write."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

from sqlalchemy import text

from db import sqlite
from db.engine import Database
from db.errors import DatabaseError
from db.failures import translated

_ALLOWED = (
    sqlite3.SQLITE_SELECT,
    sqlite3.SQLITE_READ,
    sqlite3.SQLITE_FUNCTION,
    sqlite3.SQLITE_RECURSIVE,
)
_REFUSED_FUNCTIONS = ("load_extension",)


def read_sql(database: Database, query: str) -> tuple[tuple[str, ...], tuple[Sequence[Any], ...]]:
    """Return the column names and the rows of one `SELECT`.

    Raises:
        DatabaseError: the text is not one statement that reads.
    """
    if database.path is None:
        return _from_server(database, query)
    with translated(database.where):
        connection = sqlite.connector(database.path, read_only=True)()
        connection.set_authorizer(_authorise)
        try:
            cursor = connection.execute(query)
            columns = tuple(column[0] for column in cursor.description or ())
            return columns, tuple(cursor.fetchall())
        except (sqlite3.Error, sqlite3.Warning) as error:
            raise _explain(error) from error
        finally:
            connection.close()


def _authorise(
    action: int, first: str | None, second: str | None, database: str | None, trigger: str | None
) -> int:
    """Let SQLite prepare reading statements only: no PRAGMA, no ATTACH, nothing that changes."""
    del first, database, trigger
    if action in _ALLOWED and second not in _REFUSED_FUNCTIONS:
        return sqlite3.SQLITE_OK
    return sqlite3.SQLITE_DENY


def _from_server(
    database: Database, query: str
) -> tuple[tuple[str, ...], tuple[Sequence[Any], ...]]:
    with database.read() as connection:
        connection.execute(text("SET TRANSACTION READ ONLY"))
        result = connection.exec_driver_sql(query)
        return tuple(result.keys()), tuple(tuple(row) for row in result)


def _explain(error: Exception) -> DatabaseError:
    if getattr(error, "sqlite_errorname", "") in ("SQLITE_AUTH", "SQLITE_READONLY"):
        return DatabaseError(
            "Only a SELECT is allowed here: the run database is never changed by plain SQL. "
            "Use `setgf queue` and `setgf runs` to change it."
        )
    return DatabaseError(f"SQLite can't run this query: {error}.")
