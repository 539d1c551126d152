"""How large a run database is, by table, and giving back the room of what was deleted."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import func, select, text

from db import sqlite
from db.engine import Database
from db.failures import translated
from db.tables import metadata


@dataclass(frozen=True, slots=True)
class TableSize:
    """How much one table holds."""

    name: str
    rows: int
    bytes: int | None
    """With its indexes; None where the database can't tell."""


@dataclass(frozen=True, slots=True)
class Size:
    """How large a run database is."""

    bytes: int
    """Of the whole, with what is free in it."""
    free: int
    """Bytes that `setgf db vacuum` gives back; 0 on PostgreSQL, which uses them again by itself."""
    log: int
    """Bytes of SQLite's log beside the file."""
    tables: tuple[TableSize, ...]
    """The largest first."""


def measure(database: Database) -> Size:
    """Return how large a database is. Reads every page of the file once."""
    with database.read() as connection:
        rows = {
            name: connection.execute(select(func.count()).select_from(table)).scalar_one()
            for name, table in metadata.tables.items()
        }
        sizes: Mapping[str, int] = {}
        if database.path is None:
            query = text("SELECT relname, pg_total_relation_size(oid) FROM pg_class")
            sizes = {row[0]: row[1] for row in connection.execute(query)}
    free = log = 0
    if database.path is not None:
        sizes, free = _file_sizes(database.path)
        log = _bytes_of(Path(f"{database.path}-wal"))
    tables = [TableSize(name, count, sizes.get(name)) for name, count in rows.items()]
    tables.sort(key=lambda table: (-(table.bytes or 0), -table.rows, table.name))
    return Size(bytes=total_bytes(database), free=free, log=log, tables=tuple(tables))


def vacuum(database: Database) -> tuple[int, int]:
    """Give back the room of what was deleted; return the bytes before and after.

    Raises:
        DatabaseBusyError: somebody writes without a pause; try again.
        DatabaseFullError: no room on the disk for the copy that SQLite makes meanwhile.
    """
    before = total_bytes(database)
    with translated(database.where):
        if database.path is not None:
            with closing(sqlite.connector(database.path, read_only=False)()) as connection:
                connection.execute("VACUUM")
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        else:
            with database.engine.connect() as connection:
                connection.execution_options(isolation_level="AUTOCOMMIT")
                connection.exec_driver_sql("VACUUM (ANALYZE)")
    return before, total_bytes(database)


def total_bytes(database: Database) -> int:
    """Return the bytes of a database on its disk, with SQLite's log."""
    if database.path is not None:
        return _bytes_of(database.path) + _bytes_of(Path(f"{database.path}-wal"))
    with database.read() as connection:
        query = text("SELECT pg_database_size(current_database())")
        return int(connection.execute(query).scalar_one())


def _file_sizes(path: Path) -> tuple[Mapping[str, int], int]:
    """Return the bytes by table, as far as this SQLite can tell, and those that are free."""
    query = (
        "SELECT m.tbl_name, sum(s.pgsize) FROM dbstat s JOIN sqlite_master m ON m.name = s.name "
        "GROUP BY m.tbl_name"
    )
    with translated(str(path)), closing(sqlite.connector(path, read_only=True)()) as connection:
        page = connection.execute("PRAGMA page_size").fetchone()[0]
        free = connection.execute("PRAGMA freelist_count").fetchone()[0] * page
        try:
            return dict(connection.execute(query).fetchall()), free
        except sqlite3.OperationalError:
            return {}, free  # built without dbstat


def _bytes_of(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
