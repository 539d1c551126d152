"""Chosen columns of the run list, fast: plain SQL on the file, without loading SQLAlchemy.

A command line that lists runs starts often; loading SQLAlchemy takes longer than everything else it
does. The names are those of filters (`db.filter_names`), and the tests hold both to one meaning.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from db.filters import Token, nearest, refused
from db.series_names import METRICS, is_higher_better, join_name, split_name

Execute = Callable[[str, Mapping[str, Any]], Sequence[Sequence[Any]]]
"""Runs one SELECT with named parameters (`:name`) and returns all rows."""

_GROUP = "(SELECT name FROM groups WHERE groups.id = runs.group_id)"
_PLAIN = {
    name: f"runs.{name}"
    for name in [
        "id",
        "name",
        "state",
        "dataset",
        "data_name",
        "model",
        "variant",
        "fingerprint",
        "note",
        "monitor",
        "host",
        "device",
        "error",
        "seed",
        "job_id",
        "attempt",
        "epoch",
        "max_epochs",
        "step",
        "best_epoch",
        "best_valid",
        "parameters",
        "code_commit",
        "created_at",
        "started_at",
        "finished_at",
        "updated_at",
        "trashed_at",
        "archived",
        "folder",
    ]
}
COLUMNS: Mapping[str, str] = {
    **_PLAIN,
    "data": "runs.data_name",
    "job": "runs.job_id",
    "group": _GROUP,
    "group_name": _GROUP,
    "commit": "runs.code_commit",
    "dirty": "runs.code_dirty",
    "created": "runs.created_at",
    "started": "runs.started_at",
    "finished": "runs.finished_at",
    "updated": "runs.updated_at",
    "trashed": "runs.trashed_at",
    "duration": "coalesce(runs.finished_at, runs.updated_at) - runs.started_at",
}
"""Names that every run has, as SQL."""
TAGS = ("tag", "tags")
MOMENTS = ("created", "started", "finished", "updated", "trashed")
"""Columns that hold seconds since the epoch; also with `_at`."""
_NO_TAGS: Mapping[str, tuple[str, ...]] = {}
_BOOLEANS = ("archived", "dirty")
_ROLES = ("best", "last")
_SPLITS = ("train", "valid", "test")


@dataclass(frozen=True, slots=True)
class _Column:
    """A name as SQL; a setting has its number, where it is one, beside its text."""

    name: str
    sql: str
    number: str | None = None
    shown: str | None = None
    """What is selected, where it is not what is sorted by."""


def connect(path: Path) -> sqlite3.Connection:
    """Open a database file for reading only.

    Raises:
        sqlite3.Error: it is not there, or no database.
    """
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=10.0)


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
    sort: str | None = None,
    archived: bool = False,
    trashed: bool = False,
    only: Collection[str] | None = None,
) -> list[tuple[Any, ...]]:
    """Return the values of `columns` of every run, the newest first.

    Args:
        execute: runs a SELECT.
        columns: names as in a filter: `name`, `optim.lr`, `test.acc7`, `best.valid.mae`, `tags`.
        sort: `-test.acc7, seed`; missing values last.
        archived: archived runs as well.
        trashed: only those in the trash, archived or not.
        only: ids of the runs that count; None: all.

    Raises:
        FilterError: nothing is called like that; says where and what is near.
    """
    names = _Names(execute)
    asked = ", ".join(columns)
    found = [names.find(asked, _token(asked, name)) for name in columns]
    order = [*_order(names, sort), "runs.created_at DESC", "runs.id"]
    listed = "runs.trashed_at IS NOT NULL" if trashed else "runs.trashed_at IS NULL"
    listed += "" if archived or trashed else " AND NOT runs.archived"
    chosen = ", ".join(["runs.id", *(column.shown or column.sql for column in found)])
    rows = execute(
        f"SELECT {chosen} FROM runs WHERE {listed} ORDER BY {', '.join(order)}",
        names.parameters,
    )
    tags = _tags(execute) if set(TAGS) & set(columns) else _NO_TAGS
    return [
        tuple(
            _value(column, value, tags.get(row[0], ()))
            for column, value in zip(found, row[1:], strict=True)
        )
        for row in rows
        if only is None or row[0] in only
    ]


class _Names:
    """The names of one database, as SQL; what users name is bound as a parameter."""

    def __init__(self, execute: Execute) -> None:
        self.parameters: dict[str, Any] = {}
        self._execute = execute
        self._settings: frozenset[str] | None = None
        self._metrics: frozenset[str] = frozenset()

    def find(self, text: str, token: Token) -> _Column:
        """Return what a name means."""
        name = token.text
        if name in TAGS:
            return _Column(name, "NULL")
        if name in COLUMNS:
            return _Column(name, COLUMNS[name])
        settings = self._load()
        if name in settings:
            return self._setting(name, name)
        role, _, rest = name.partition(".")
        metric = rest if role in _ROLES else name
        if metric in self._metrics or (not settings and "." in name):
            return self._metric(name)
        alone = [setting for setting in settings if setting.endswith(f".{name}")]
        if len(alone) == 1:
            return self._setting(name, alone[0])
        prefix = name[: len(name) - len(metric)]
        near = {*COLUMNS, *TAGS, *settings, *(prefix + one for one in self._metrics)}
        raise refused(text, token, f"There is nothing called `{name}`.{nearest(name, near)}")

    def _load(self) -> frozenset[str]:
        if self._settings is None:
            run = self._execute
            # Most runs have the same names: a step through the index a name, not a scan.
            self._settings = frozenset(_distinct(run, "settings"))
            logged = run("SELECT DISTINCT split, branch, name FROM series", {})
            self._metrics = frozenset(
                {
                    *_distinct(run, "final_metrics"),
                    *(join_name(*row) for row in logged),
                    *(f"{split}.{name}" for split in _SPLITS for name in (*METRICS, "loss")),
                }
            )
        return self._settings

    def _setting(self, shown: str, name: str) -> _Column:
        where = f"FROM settings WHERE run_id = runs.id AND name = {self._bind(name)}"
        marked = "CASE WHEN number IS NULL THEN 't' ELSE 'n' END || text"
        return _Column(
            shown,
            f"(SELECT text {where})",
            number=f"(SELECT number {where})",
            shown=f"(SELECT {marked} {where})",
        )

    def _metric(self, name: str) -> _Column:
        role, _, rest = name.partition(".")
        if role == "last":
            return _Column(name, self._of_series(rest, "last"))
        if role == "best":
            best = "maximum" if is_higher_better(rest) else "minimum"
            return _Column(name, self._of_series(rest, best))
        where = f"run_id = runs.id AND name = {self._bind(name)}"
        final = f"SELECT value FROM final_metrics WHERE {where}"
        return _Column(name, f"coalesce(({final}), {self._of_series(name, 'last')})")

    def _of_series(self, name: str, column: str) -> str:
        split, branch, inner = map(self._bind, split_name(name))
        return (
            f"(SELECT {column} FROM series WHERE run_id = runs.id AND split = {split} "
            f"AND branch = {branch} AND name = {inner})"
        )

    def _bind(self, value: str) -> str:
        key = f"p{len(self.parameters)}"
        self.parameters[key] = value
        return f":{key}"


def _order(names: _Names, text: str | None) -> list[str]:
    """Return the terms of ORDER BY; missing values last, numbers before texts."""
    terms: list[str] = []
    place = 0
    for part in (text or "").split(","):
        word = part.strip()
        start = place + part.find(word)
        place += len(part) + 1
        if not word:
            continue
        lowered = word.lower()
        is_descending = word.startswith("-") or lowered.endswith(" desc")
        start += word.startswith("-")
        name = word.removeprefix("-")
        for direction in (" asc", " desc"):
            name = name[: -len(direction)].rstrip() if name.lower().endswith(direction) else name
        token = Token("word", name, start, start + len(name))
        if name in TAGS:
            raise refused(text or "", token, "A run has many tags; they give no order.")
        column = names.find(text or "", token)
        direction = "DESC" if is_descending else "ASC"
        terms += [
            f"{sql} {direction} NULLS LAST"
            for sql in (column.number, column.sql)
            if sql is not None
        ]
    return terms


def _distinct(execute: Execute, table: str) -> list[str]:
    """Return the different names in a table whose `name` is indexed."""
    query = (
        f"WITH RECURSIVE found(name) AS (SELECT min(name) FROM {table} UNION ALL "
        f"SELECT (SELECT min(name) FROM {table} WHERE {table}.name > found.name) FROM found "
        "WHERE found.name IS NOT NULL) SELECT name FROM found WHERE name IS NOT NULL"
    )
    return [row[0] for row in execute(query, {})]


def _tags(execute: Execute) -> Mapping[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    for run_id, tag in execute("SELECT run_id, tag FROM tags ORDER BY run_id, tag", {}):
        found.setdefault(run_id, []).append(tag)
    return {run_id: tuple(words) for run_id, words in found.items()}


def _token(text: str, name: str) -> Token:
    start = max(text.find(name), 0)
    return Token("word", name, start, start + len(name))


def _value(column: _Column, value: Any, tags: tuple[str, ...]) -> Any:
    """Return a stored value as the user set it: settings are stored as text."""
    if column.name in TAGS:
        return tags
    if column.name in _BOOLEANS:
        return bool(value)
    return _setting_value(value) if column.number is not None else value


def _setting_value(marked: str | None) -> Any:
    """Return a setting from its text with the mark whether it is a number: as the user set it."""
    if marked is None or marked == "tnull":
        return None
    text = marked[1:]
    return json.loads(text) if marked[0] == "n" else text
