"""Chosen columns of the run list, fast: plain SQL on the file, without loading SQLAlchemy."""

from __future__ import annotations

import json
import re
import sqlite3
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from db.filter_names import Execute, Field, Kind, Names
from db.filter_sql import order_sql, where_sql
from db.filters import Token

TAGS = ("tag", "tags")
_NO_TAGS: Mapping[str, tuple[str, ...]] = {}


def connect(path: Path) -> sqlite3.Connection:
    """Open a database file for reading only.

    Raises:
        sqlite3.Error: it is not there, or no database.
    """
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=10.0)
    connection.create_function("regexp", 2, _is_match, deterministic=True)
    return connection


def executor(connection: sqlite3.Connection) -> Execute:
    """Return what runs the SELECTs of this module on a connection of the standard library."""

    def execute(query: str, parameters: Mapping[str, Any]) -> Sequence[Sequence[Any]]:
        with closing(connection.execute(query, parameters)) as cursor:
            return cursor.fetchall()

    return execute


def list_rows(
    execute: Execute,
    columns: Sequence[str],
    *,
    where: str | None = None,
    sort: str | None = None,
    archived: bool = False,
    trashed: bool = False,
    limit: int | None = None,
    dialect: str = "sqlite",
) -> list[tuple[Any, ...]]:
    """Return the values of `columns` of every run, the newest first.

    Args:
        execute: runs a SELECT.
        columns: names as in a filter: `name`, `optim.lr`, `test.acc7`, `best.valid.mae`, `tags`.
        where: a filter (`db.filters`).
        sort: `-test.acc7, seed`; missing values last.
        archived: archived runs as well.
        trashed: only those in the trash, archived or not.
        limit: at most so many.
        dialect: of the database: `sqlite` or `postgresql`.

    Raises:
        FilterError: nothing is called like that, or the filter can't be read; says where.
    """
    names = Names(execute)
    asked = ", ".join(columns)
    found = [names.find(asked, _token(asked, name)) for name in columns]
    order = [*order_sql(names, sort), "runs.created_at DESC", "runs.id"]
    conditions = ["runs.trashed_at IS NOT NULL" if trashed else "runs.trashed_at IS NULL"]
    if not archived and not trashed:
        conditions.append("NOT runs.archived")
    if where and where.strip():
        conditions.append(where_sql(names, where, now=time.time(), dialect=dialect))
    chosen = ", ".join(["runs.id", *(field.shown or field.sql for field in found)])
    query = (
        f"SELECT {chosen} FROM runs WHERE {' AND '.join(conditions)} ORDER BY {', '.join(order)}"
    )
    if limit is not None:
        query += f" LIMIT {names.bind(limit)}"
    rows = execute(query, names.parameters)
    tags = _tags(execute) if set(TAGS) & set(columns) else _NO_TAGS
    return [
        tuple(
            _value(field, value, tags.get(row[0], ()))
            for field, value in zip(found, row[1:], strict=True)
        )
        for row in rows
    ]


def _tags(execute: Execute) -> Mapping[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    for run_id, tag in execute("SELECT run_id, tag FROM tags ORDER BY run_id, tag", {}):
        found.setdefault(run_id, []).append(tag)
    return {run_id: tuple(words) for run_id, words in found.items()}


def _token(text: str, name: str) -> Token:
    start = max(text.find(name), 0)
    return Token("word", name, start, start + len(name))


def _value(field: Field, value: Any, tags: tuple[str, ...]) -> Any:
    """Return a stored value as the user set it: settings are stored as text."""
    if field.kind is Kind.TAG:
        return tags
    if field.kind is Kind.BOOLEAN:
        return bool(value)
    return _setting_value(value) if field.kind is Kind.SETTING else value


def _setting_value(marked: str | None) -> Any:
    """Return a setting from its text with the mark whether it is a number: as the user set it."""
    if marked is None or marked == "tnull":
        return None
    text = marked[1:]
    return json.loads(text) if marked[0] == "n" else text


def _is_match(pattern: str, text: str | None) -> bool | None:
    """Answer SQLite's `text REGEXP pattern`, as SQLAlchemy's connections do."""
    return None if text is None else re.search(pattern, text) is not None
