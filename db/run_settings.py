"""Writer of `settings` and `tags`: what a run is found by, also before it has begun."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, delete, insert, select

from db import upsert
from db.rows import from_float
from db.tables import settings, tags

SettingRow = tuple[str, str, float | None]
"""Name, value as text, and as a number where it is one."""


def store_settings(connection: Connection, run_id: str, values: Mapping[str, Any]) -> None:
    """Store the settings of a run by dotted name, in place of those it had."""
    connection.execute(delete(settings).where(settings.c.run_id == run_id))
    add_settings(connection, {run_id: values})


def add_settings(connection: Connection, values: Mapping[str, Mapping[str, Any]]) -> None:
    """Store the settings of runs that have none, by run id and dotted name."""
    rows = [
        {"run_id": run_id, "name": name, "text": _as_text(value), "number": _as_number(value)}
        for run_id, of_run in values.items()
        for name, value in of_run.items()
    ]
    if rows:
        connection.execute(insert(settings), rows)


def put_settings(connection: Connection, run_id: str, rows: Iterable[SettingRow]) -> None:
    """Store settings as they were read (name, text, number), in place of those a run has."""
    connection.execute(delete(settings).where(settings.c.run_id == run_id))
    values = [
        {"run_id": run_id, "name": name, "text": text, "number": number}
        for name, text, number in rows
    ]
    if values:
        connection.execute(insert(settings), values)


def setting_rows(connection: Connection, run_id: str) -> tuple[SettingRow, ...]:
    """Return the settings of a run as they are stored, by name."""
    columns = (settings.c.name, settings.c.text, settings.c.number)
    query = select(*columns).where(settings.c.run_id == run_id).order_by(settings.c.name)
    return tuple((name, text, number) for name, text, number in connection.execute(query))


def store_tags(connection: Connection, run_id: str, words: Iterable[str]) -> None:
    """Add tags to a run; one that it has is left."""
    store_tags_of(connection, {run_id: words})


def store_tags_of(connection: Connection, words: Mapping[str, Iterable[str]]) -> None:
    """Add tags to runs; one that a run has is left."""
    rows = [
        {"run_id": run_id, "tag": word}
        for run_id, of_run in words.items()
        for word in dict.fromkeys(of_run)
    ]
    if rows:
        connection.execute(upsert.insert(connection, tags).on_conflict_do_nothing(), rows)


def _as_text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list | tuple):
        return ",".join(map(str, value))  # pyright: ignore[reportUnknownArgumentType]
    return json.dumps(value)


def _as_number(value: Any) -> float | None:
    return from_float(float(value)) if isinstance(value, int | float) else None
