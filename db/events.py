"""Writer of `events`: everything that happened, in the transaction that made it happen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, select

from db.records import Event
from db.rows import read_events
from db.tables import events

_INSERT = events.insert()
_EMPTY = dict.fromkeys(column.name for column in events.c if column.name != "id")


def add_event(
    connection: Connection,
    kind: str,
    *,
    now: float,
    why: str,
    actor: str,
    job_id: int | None = None,
    run_id: str | None = None,
    attempt: int | None = None,
    from_state: str | None = None,
    to_state: str | None = None,
) -> None:
    """Store that something happened; `kind` is `job`, `run`, `worker` or `command`."""
    row = {
        "at": now,
        "kind": kind,
        "job_id": job_id,
        "run_id": run_id,
        "attempt": attempt,
        "from_state": from_state,
        "to_state": to_state,
        "why": why,
        "actor": actor,
    }
    connection.execute(_INSERT, row)


def add_events(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Store many happenings in one statement; each row names the columns of `add_event`."""
    if rows:
        connection.execute(_INSERT, [{**_EMPTY, **row} for row in rows])


def list_events(
    connection: Connection,
    *,
    since_id: int = 0,
    job_id: int | None = None,
    run_id: str | None = None,
    limit: int | None = None,
) -> tuple[Event, ...]:
    """Return the events after `since_id`, oldest first; with a limit, the newest of them."""
    query = select(events).where(events.c.id > since_id)
    if job_id is not None:
        query = query.where(events.c.job_id == job_id)
    if run_id is not None:
        query = query.where(events.c.run_id == run_id)
    rows = connection.execute(query.order_by(events.c.id.desc()).limit(limit)).all()
    return read_events(reversed(rows))
