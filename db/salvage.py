"""What only the old file knows, saved when the database is made anew from the run folders.

The folders hold every run. The queue, tags, notes and the history stand in the database alone; they
are read from the old file row by row, as far as it can be read.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Table, func, update
from sqlalchemy.exc import IntegrityError

from db import sqlite
from db.engine import Database
from db.tables import (
    actions,
    attempts,
    commands,
    device_leases,
    devices,
    events,
    groups,
    job_dependencies,
    jobs,
    memory_peaks,
    runs,
    samples,
    settings,
    tags,
    workers,
)

KEPT = (
    groups,
    jobs,
    job_dependencies,
    attempts,
    workers,
    devices,
    device_leases,
    samples,
    tags,
    settings,
    commands,
    events,
    actions,
    memory_peaks,
)
"""Queue, marks and history: no folder has them."""
FROM_FOLDERS = frozenset(
    {
        *("runs", "final_metrics", "series", "points", "pyramid"),
        *("predictions", "checkpoints", "artifacts"),
    }
)
"""Tables made from the run folders."""
_FROM_THE_START = {"points_offset": 0, "events_offset": 0, "resume_step": None}
"""Columns of an attempt that begin anew: its folder is read again from the start."""
_COMPANIONS = ("-wal", "-shm")


def salvage(old: Path, database: Database) -> tuple[str, ...]:
    """Copy queue, tags and history from the file at `old`; call before the folders are read.

    Returns:
        One sentence for every table that could not be read to its end.
    """
    problems: list[str] = []
    with database.write() as connection:
        for table in KEPT:
            lost = 0
            try:
                for values in _rows(old, table):
                    lost += not _insert(connection, table, values)
            except sqlite3.Error as error:
                problems.append(f"`{table.name}` could be read only in part ({error}).")
            if lost:
                problems.append(f"{lost} rows of `{table.name}` belong to nothing and were left.")
    return tuple(problems)


def restore_marks(old: Path, database: Database) -> None:
    """Copy what users and time wrote on runs: names, notes, times; call after the folders."""
    with database.write() as connection, suppress(sqlite3.Error):
        for values in _rows(old, runs):
            connection.execute(
                update(runs)
                .where(runs.c.id == values["id"])
                .values(
                    name=values["name"],
                    note=values["note"],
                    trashed_at=values.get("trashed_at"),
                    archived=bool(values["archived"]),
                    started_at=func.coalesce(runs.c.started_at, values["started_at"]),
                    finished_at=func.coalesce(runs.c.finished_at, values["finished_at"]),
                )
            )


def put_in_place(new: Path, target: Path, aside: Path) -> None:
    """Put the finished file `new` in the place of `target`; the old one is kept as `aside`.

    Open processes go over to the new file by themselves (`Database`). The old file's log must not
    stay: SQLite would replay it into the new one.
    """
    if target.exists():
        _quieten(target)
        os.link(target, aside)
        for suffix in _COMPANIONS:
            with suppress(FileNotFoundError):
                os.replace(f"{target}{suffix}", f"{aside}{suffix}")  # noqa: PTH105 (suffix)
    new.replace(target)


def _quieten(path: Path) -> None:
    """Empty the log into the file, where the file is sound enough for that."""
    with suppress(sqlite3.Error), closing(sqlite3.connect(path, timeout=1.0)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _rows(old: Path, table: Table) -> Iterator[dict[str, Any]]:
    """Yield the rows of a table as stored, in the columns that it has today."""
    known = set(table.c.keys())
    with closing(sqlite.connector(old, read_only=True)()) as connection:
        cursor = connection.execute(f"SELECT * FROM {table.name}")
        names = [column[0] for column in cursor.description]
        for row in cursor:
            yield {name: value for name, value in zip(names, row, strict=True) if name in known}


def _insert(connection: Connection, table: Table, values: dict[str, Any]) -> bool:
    """Insert a row as it was stored; False when what it belongs to is not there."""
    if table is attempts:
        values |= _FROM_THE_START
    names = ", ".join(values)
    marks = ", ".join("?" for _ in values)
    statement = f"INSERT OR IGNORE INTO {table.name} ({names}) VALUES ({marks})"
    try:
        with connection.begin_nested():
            connection.exec_driver_sql(statement, tuple(values.values()))
    except IntegrityError:
        return False
    return True
