"""`setgf runs list`: chosen columns of runs, as a table, CSV or JSON."""

from __future__ import annotations

import math
import sqlite3
import time
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar, cast

from db.filter_names import MOMENTS, Execute
from db.run_list import Choice, executor, list_rows, list_runs
from db.run_list import connect as connect_file
from db.series_names import METRICS
from setgf.cli.opened import tell_if_new
from setgf.runs.csv_lines import CsvLines

DEFAULT_COLUMNS = (
    "id",
    "state",
    "name",
    "data",
    "model",
    "seed",
    "epoch",
    "max_epochs",
    "best_valid",
    "test.mae",
    "note",
)
_T = TypeVar("_T")
_JOINED = {"epoch": "max_epochs"}
"""Shown as one column by default: 2/30."""


def read_columns(text: str) -> tuple[str, ...]:
    """Return the names in `name,optim.lr,test.acc7`.

    Raises:
        ConfigError: there is none.
    """
    from setgf.errors import ConfigError

    names = tuple(name.strip() for name in text.split(",") if name.strip())
    if not names:
        raise ConfigError(
            "`--columns` must name columns, settings or metrics, as `name,optim.lr,test.acc7`, "
            "but is empty."
        )
    return names


def read_rows(url: str, columns: Sequence[str], choice: Choice) -> list[tuple[Any, ...]]:
    """Return the values of `columns` of the runs that match.

    Raises:
        NotFoundError: there is no database.
        FilterError: a column, the filter or the order can't be read.
    """
    return _read(url, choice, lambda execute, chosen: list_rows(execute, columns, chosen))


def read_plain_runs(url: str, choice: Choice) -> list[dict[str, Any]]:
    """Return everything of the runs that match, as plain data.

    Raises:
        NotFoundError: there is no database.
        FilterError: the filter or the order can't be read.
    """
    return _read(url, choice, list_runs)


def as_csv(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Return rows as CSV, unrounded; tags separated by commas."""
    csv = CsvLines()
    lines = [csv.line(columns), *(csv.line(map(_plain, row)) for row in rows)]
    return "".join(lines).removesuffix("\n")


def as_table(
    columns: Sequence[str], rows: Sequence[Sequence[Any]]
) -> tuple[list[str], list[list[str]], list[str]]:
    """Return headings, cells for people, and the headings of columns of numbers."""
    headings = list(columns)
    cells = [
        [show_cell(name, value) for name, value in zip(columns, row, strict=True)] for row in rows
    ]
    numbers = [
        name
        for place, name in enumerate(columns)
        if any(_is_number(row[place]) for row in rows)
        and all(_is_number(row[place]) or row[place] is None for row in rows)
    ]
    return headings, cells, numbers


def join_progress(
    columns: Sequence[str], rows: Sequence[Sequence[Any]]
) -> tuple[list[str], list[list[Any]]]:
    """Return the default columns with `epoch` and `max_epochs` as one: 2/30."""
    place = columns.index("epoch")
    names = [name for name in columns if name != _JOINED["epoch"]]
    joined = [[*row[:place], f"{row[place]}/{row[place + 1]}", *row[place + 2 :]] for row in rows]
    return names, joined


def show_cell(name: str, value: Any) -> str:
    """Return a value for people: metrics as in every table, moments in local time."""
    from setgf.analysis.display import show_setting, show_value
    from setgf.cli.job_words import show_duration

    if value is None:
        return "-" if name != "note" else ""
    if isinstance(value, tuple):
        return ", ".join(cast(tuple[str, ...], value))
    if isinstance(value, str):
        return value
    if name.removesuffix("_at") in MOMENTS:
        return time.strftime("%Y-%m-%d %H:%M", time.localtime(value))
    if name == "duration":
        return show_duration(value)
    if name == "best_valid":
        return show_value("mae", value)
    if name.rpartition(".")[2] in (*METRICS, "loss"):
        return show_value(name, float(value))
    return show_setting(value)


def _open_file(url: str) -> sqlite3.Connection | None:
    """Open a database file that can be read as it is; None: the engine must look at it."""
    from db.migrations import SCHEMA_VERSION

    prefix, mark, rest = url.partition("://")
    if mark and prefix != "sqlite":
        return None
    path = Path(rest.removeprefix("/") if mark else url).expanduser()
    try:
        connection = connect_file(path)
        try:
            (version,) = connection.execute("PRAGMA user_version").fetchone()
        except sqlite3.Error:
            connection.close()
            return None
    except sqlite3.Error:
        return None
    if version != SCHEMA_VERSION:
        connection.close()
        return None
    return connection


def _read(url: str, choice: Choice, read: Callable[[Execute, Choice], _T]) -> _T:
    """Read from the file itself, where it can be read as it is; else through the engine."""
    connection = _open_file(url)
    if connection is not None:
        with closing(connection), suppress(sqlite3.Error):
            return read(executor(connection), choice)
    return _read_through_engine(url, choice, read)


def _read_through_engine(url: str, choice: Choice, read: Callable[[Execute, Choice], _T]) -> _T:
    """Let the engine wait, migrate, or say what is wrong."""
    from db.engine import open_database
    from db.filter_clauses import executor as engine_executor

    with closing(open_database(url, create=False)) as database, database.read() as connection:
        tell_if_new(database)
        dialect = connection.dialect.name
        return read(engine_executor(connection), replace(choice, dialect=dialect))


def _plain(value: Any) -> Any:
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(cast(tuple[str, ...], value)) if isinstance(value, tuple) else value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and not math.isnan(value)
