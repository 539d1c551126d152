"""All rows of one run database into another, of either kind: backups of a server, and back."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import Connection, Table, delete, func, select, text

from db import postgres
from db.backup import copy_file
from db.engine import Database, open_database
from db.errors import DatabaseError
from db.metrics import POINT_TYPES
from db.tables import metadata, points

_AT_ONCE = 5000


def backup(database: Database, target: Path) -> int:
    """Copy a database, while others use it, to the new SQLite file `target`; return its bytes.

    Raises:
        DatabaseError: the file is there already, or can't be written; nothing is left of it.
    """
    if database.path is not None:
        return copy_file(database.path, target)
    if target.exists():
        raise DatabaseError(f"`{target}` is there already. Name a file that is not there yet.")
    folder = target.parent
    with _folder_errors(target), TemporaryDirectory(prefix=".setgf-", dir=folder) as temporary:
        partial = Path(temporary) / "rows.db"
        copy = open_database(str(partial))
        try:
            with database.read() as source, copy.write() as connection:
                _copy_all(source, connection)
        finally:
            copy.close()
        return copy_file(partial, target)


def replace_contents(database: Database, source: Path) -> None:
    """Put what is in the backup `source` in the place of all that is in a server's database.

    All of it or, on an error, none of it.
    """
    with TemporaryDirectory(prefix="setgf-") as temporary:
        partial = Path(temporary) / "rows.db"
        copy_file(source, partial)
        copy = open_database(str(partial))  # an older backup is brought to this version
        try:
            with copy.read() as old, database.write() as connection:
                for table in reversed(metadata.sorted_tables):
                    connection.execute(delete(table))
                _copy_all(old, connection)
                _set_sequences(connection)
        finally:
            copy.close()


def _copy_all(source: Connection, target: Connection) -> None:
    for table in metadata.sorted_tables:
        query = select(*table.c).execution_options(yield_per=_AT_ONCE)
        rows = source.execute(query)
        for part in rows.partitions():
            _insert(target, table, [tuple(row) for row in part])


def _insert(connection: Connection, table: Table, rows: list[tuple[object, ...]]) -> None:
    names = table.c.keys()
    if table is points and connection.dialect.name != "sqlite":
        postgres.copy_rows(connection, table.name, names, POINT_TYPES, rows)
        return
    connection.execute(table.insert(), [dict(zip(names, row, strict=True)) for row in rows])


def _set_sequences(connection: Connection) -> None:
    """Let the numbers of new rows go on after the copied ones."""
    for table in metadata.sorted_tables:
        if "id" in table.c and table.c.id.type.python_type is int:
            last = connection.execute(select(func.max(table.c.id))).scalar()
            if last is not None:
                sequence = text("SELECT setval(pg_get_serial_sequence(:name, 'id'), :last)")
                connection.execute(sequence, {"name": table.name, "last": last})


@contextmanager
def _folder_errors(target: Path) -> Generator[None]:
    try:
        yield
    except OSError as error:
        raise DatabaseError(f"`{target}` can't be written: {error.strerror}.") from error
