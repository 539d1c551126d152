"""Plain SQL for people, read-only by construction: the database itself refuses to write."""

from __future__ import annotations

import datetime
import json
import re
import sqlite3
from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any, cast

from sqlalchemy import text

from db import sqlite
from db.engine import Database
from db.errors import DatabaseError
from db.failures import describe, first_line, is_unreachable, translated

if TYPE_CHECKING:
    import psycopg

_ALLOWED = (
    sqlite3.SQLITE_SELECT,
    sqlite3.SQLITE_READ,
    sqlite3.SQLITE_FUNCTION,
    sqlite3.SQLITE_RECURSIVE,
)
_ONLY_READING = (
    "Only a SELECT is allowed here: the run database is never changed by plain SQL. "
    "Use `setgf queue` and `setgf runs` to change it."
)
_WRITING_STATES = ("25006", "0A000")
"""PostgreSQL: the transaction only reads; a cursor can't be made of what writes."""
_SYNTAX_STATE = "42601"
_READING = ("SELECT", "WITH", "VALUES", "TABLE", "")
_CHANGING = ("DELETE", "INSERT", "UPDATE", "MERGE", "INTO")
_REFUSED_FUNCTIONS = ("load_extension",)


def read_sql(database: Database, query: str) -> tuple[tuple[str, ...], tuple[Sequence[Any], ...]]:
    """Return the column names and the rows of one `SELECT`.

    Raises:
        DatabaseError: the text is not one statement that reads.
    """
    if not query.strip().rstrip(";"):
        raise DatabaseError('There is no query. Give one SELECT, as "SELECT * FROM run_summary".')
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
    """Run the query as the text of a cursor, which can only be one SELECT, in a read-only
    transaction that has begun, so that nothing in the query can make it a writing one."""
    import psycopg

    with database.read(read_only=True) as connection:
        connection.execute(text("SELECT 1"))
        raw = cast("psycopg.Connection[Any]", connection.connection.driver_connection)
        try:
            with raw.cursor("setgf") as cursor:
                cursor.execute(query.strip().rstrip(";").encode())
                names = tuple(column.name for column in cursor.description or ())
                return names, tuple(tuple(map(_plain, row)) for row in cursor)
        except psycopg.Error as error:
            if is_unreachable(error):
                raise describe(error, database.where) from error
            raise _explain_state(error, query) from error


def _plain(value: Any) -> Any:
    """Return a value as SQLite would: a number, text or bytes."""
    match value:
        case Decimal():
            return int(value) if value == value.to_integral_value() else float(value)
        case dict() | list():
            return json.dumps(value)
        case datetime.date() | datetime.time():
            return value.isoformat()
        case None | bool() | int() | float() | str() | bytes():
            return value
        case _:
            return str(value)


def _explain(error: Exception) -> DatabaseError:
    if getattr(error, "sqlite_errorname", "") in ("SQLITE_AUTH", "SQLITE_READONLY"):
        return DatabaseError(_ONLY_READING)
    return DatabaseError(f"SQLite can't run this query: {str(error).rstrip('.')}.")


def _explain_state(error: psycopg.Error, query: str) -> DatabaseError:
    said = first_line(error)
    near = re.search(r'near "(\w+)"', said)
    begins = re.match(r"[\s(]*(\w*)", query)
    is_reading = begins is not None and begins.group(1).upper() in _READING
    is_changing = near is not None and near.group(1).upper() in _CHANGING
    if error.sqlstate in _WRITING_STATES or (
        error.sqlstate == _SYNTAX_STATE and (is_changing or not is_reading)
    ):
        return DatabaseError(_ONLY_READING)
    return DatabaseError(f"PostgreSQL can't run this query: {said}.")
