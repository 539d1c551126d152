"""Chosen columns of the run list, fast: plain SQL on the file, without loading SQLAlchemy."""

from __future__ import annotations

import json
import math
import re
import sqlite3
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from db.filter_names import Execute, Field, Kind, Names
from db.filter_sql import order_sql, where_sql
from db.filters import Token

TAGS = ("tag", "tags")
_AS_STORED = frozenset({Kind.TEXT, Kind.NUMBER, Kind.MOMENT, Kind.DURATION})
"""Kinds whose values are returned as they are stored."""
RUN_FIELDS = (
    "id",
    "job_id",
    "group_id",
    "group_name",
    "name",
    "state",
    "attempt",
    "dataset",
    "data_name",
    "model",
    "seed",
    "fingerprint",
    "variant",
    "config",
    "tags",
    "note",
    "archived",
    "epoch",
    "max_epochs",
    "step",
    "best_epoch",
    "best_valid",
    "monitor",
    "metrics",
    "code_commit",
    "code_dirty",
    "data_fingerprint",
    "parameters",
    "host",
    "device",
    "folder",
    "created_at",
    "started_at",
    "finished_at",
    "updated_at",
    "error",
    "trashed_at",
)
"""The fields of `db.records.Run`, in order; loading that takes longer than a list."""
RUN_COLUMNS = tuple(n for n in RUN_FIELDS if n not in ("group_name", "tags", "metrics"))
_GROUP_NAME = "(SELECT name FROM groups WHERE groups.id = runs.group_id)"
_NO_TAGS: Mapping[str, tuple[str, ...]] = {}


def connect(path: Path) -> sqlite3.Connection:
    """Open a database file for reading only, by any thread, one at a time.

    Raises:
        sqlite3.Error: it is not there, or no database.
    """
    address = f"{path.absolute().as_uri()}?mode=ro"
    connection = sqlite3.connect(address, uri=True, timeout=10.0, check_same_thread=False)
    connection.create_function("regexp", 2, _is_match, deterministic=True)
    return connection


def executor(connection: sqlite3.Connection) -> Execute:
    """Return what runs the SELECTs of this module on a connection of the standard library."""

    def execute(query: str, parameters: Mapping[str, Any]) -> Sequence[Sequence[Any]]:
        with closing(connection.execute(query, parameters)) as cursor:
            return cursor.fetchall()

    return execute


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Which runs, in what order."""

    where: str | None = None
    """A filter (`db.filters`)."""
    sort: str | None = None
    """`-test.acc7, seed`; missing values last."""
    archived: bool = False
    """Archived runs as well."""
    trashed: bool = False
    """Only those in the trash, archived or not."""
    limit: int | None = None
    """At most so many."""
    ids: Sequence[str] | None = None
    """Only these runs; None for all."""
    dialect: str = "sqlite"
    """Of the database: `sqlite` or `postgresql`."""


def list_rows(
    execute: Execute,
    columns: Sequence[str],
    choice: Choice,
) -> list[tuple[Any, ...]]:
    """Return the values of `columns` of every run, the newest first.

    Args:
        execute: runs a SELECT.
        columns: names as in a filter: `name`, `optim.lr`, `test.acc7`, `best.valid.mae`, `tags`.
        choice: which runs, in what order.

    Raises:
        FilterError: nothing is called like that, or the filter can't be read; says where.
    """
    names = Names(execute)
    asked = ", ".join(columns)
    found = [names.find(asked, _token(asked, name)) for name in columns]
    chosen = ", ".join(["runs.id", *(field.shown or field.sql for field in found)])
    rows = execute(f"SELECT {chosen} FROM runs {_choice(names, choice)}", names.parameters)
    if _AS_STORED.issuperset(field.kind for field in found):
        return [tuple(row[1:]) for row in rows]
    tags = _tags(execute, choice.ids) if set(TAGS) & set(columns) else _NO_TAGS
    return [
        tuple(
            _value(field, value, tags.get(row[0], ()))
            for field, value in zip(found, row[1:], strict=True)
        )
        for row in rows
    ]


def list_runs(execute: Execute, choice: Choice) -> list[dict[str, Any]]:
    """Return runs as plain data: the fields of `db.records.Run`, the newest first.

    Raises:
        FilterError: the filter or the order can't be read; says where.
    """
    names = Names(execute)
    columns = {name: f"runs.{name}" for name in RUN_COLUMNS} | {"group_name": _GROUP_NAME}
    chosen = ", ".join(f"{sql} AS {name}" for name, sql in columns.items())
    rows = execute(f"SELECT {chosen} FROM runs {_choice(names, choice)}", names.parameters)
    tags = _tags(execute, choice.ids)
    metrics: dict[str, dict[str, float]] = {}
    where, values = _of_runs(choice.ids)
    query = f"SELECT run_id, name, value FROM final_metrics{where}"
    for run_id, name, value in execute(query, values):
        metrics.setdefault(run_id, {})[name] = math.nan if value is None else value
    return [_plain_run(dict(zip(columns, row, strict=True)), tags, metrics) for row in rows]


def _plain_run(
    run: dict[str, Any], tags: Mapping[str, tuple[str, ...]], metrics: Mapping[str, Any]
) -> dict[str, Any]:
    config = run["config"]
    found = run | {
        "config": json.loads(config) if isinstance(config, str) else config,
        "archived": bool(run["archived"]),
        "code_dirty": bool(run["code_dirty"]),
        "tags": tags.get(run["id"], ()),
        "metrics": metrics.get(run["id"], {}),
    }
    return {name: found[name] for name in RUN_FIELDS}


def _choice(names: Names, choice: Choice) -> str:
    """Return the conditions, the order and the limit."""
    order = [*order_sql(names, choice.sort), "runs.created_at DESC", "runs.id"]
    conditions = [f"runs.trashed_at IS {'NOT ' if choice.trashed else ''}NULL"]
    if not choice.archived and not choice.trashed:
        conditions.append("NOT runs.archived")
    if choice.ids is not None:
        conditions.append(f"runs.id IN ({', '.join(map(names.bind, choice.ids)) or 'NULL'})")
    if choice.where and choice.where.strip():
        now, dialect = time.time(), choice.dialect
        conditions.append(where_sql(names, choice.where, now=now, dialect=dialect))
    limit = "" if choice.limit is None else f" LIMIT {names.bind(choice.limit)}"
    return f"WHERE {' AND '.join(conditions)} ORDER BY {', '.join(order)}{limit}"


def _of_runs(ids: Sequence[str] | None) -> tuple[str, Mapping[str, Any]]:
    """Return the condition on a table with a column `run_id`, and its values."""
    if ids is None:
        return "", {}
    values = {f"run{place}": run_id for place, run_id in enumerate(ids)}
    return f" WHERE run_id IN ({', '.join(f':{name}' for name in values) or 'NULL'})", values


def _tags(execute: Execute, ids: Sequence[str] | None) -> Mapping[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    where, values = _of_runs(ids)
    for run_id, tag in execute(f"SELECT run_id, tag FROM tags{where} ORDER BY run_id, tag", values):
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
