"""Writer of `actions`: what users did to the queue, with the values before it and after it."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select

from db.jobs.listing import chunks
from db.records import Action
from db.run_settings import setting_rows
from db.tables import actions, job_dependencies, jobs

KEPT = 1_000
"""Actions that can be undone; older ones are forgotten."""
STATE_COLUMNS = (
    "state",
    "reason",
    "error",
    "not_before",
    "finished_at",
    "cleared_at",
    "max_attempts",
    "allowance",
    "priority",
    "position",
)
"""What cancelling, holding, moving and the like change."""
EDIT_COLUMNS = (
    *STATE_COLUMNS,
    "name",
    "time_limit",
    "memory_mib",
    "gpus",
    "is_alone",
    "config",
    "fingerprint",
    "variant",
    "dataset",
    "data_name",
    "model",
    "seed",
    "max_epochs",
)
"""What an edit changes besides what a job waits for and its settings by name."""
AFTER = "after"
SETTINGS = "settings"


@contextmanager
def recorded(
    connection: Connection,
    job_ids: Sequence[int],
    *,
    what: str,
    actor: str,
    now: float,
    whole: bool = False,
) -> Generator[None]:
    """Store what the block changes of jobs, so that it can be undone.

    Args:
        connection: inside `Database.write()`.
        job_ids: the jobs it may change.
        what: the action in words.
        actor: who does it.
        now: seconds since the epoch.
        whole: all that an edit can change, not the state alone.
    """
    before = snapshot(connection, job_ids, whole=whole)
    yield
    after = snapshot(connection, job_ids, whole=whole)
    changes = [
        {
            "job_id": job_id,
            "attempt": then["attempt"],
            "before": {name: old[name] for name in old if old[name] != then[name]},
            "after": {name: then[name] for name in old if old[name] != then[name]},
        }
        for job_id, old in before.items()
        if old != (then := after[job_id])
    ]
    _store(connection, what, changes, actor=actor, now=now)


def record_group(
    connection: Connection,
    group_id: int,
    before: Mapping[str, float | None],
    after: Mapping[str, float | None],
    *,
    what: str,
    actor: str,
    now: float,
) -> None:
    """Store a change of a group."""
    change = {"group_id": group_id, "before": dict(before), "after": dict(after)}
    _store(connection, what, [change], actor=actor, now=now)


def list_actions(connection: Connection, limit: int = 20) -> tuple[Action, ...]:
    """Return what users did last, the newest first."""
    query = select(*actions.c).order_by(actions.c.id.desc()).limit(limit)
    return tuple(read_action(row) for row in connection.execute(query))


def read_action(row: Row[Any]) -> Action:
    """Return the action in a row of the table `actions`."""
    return Action(
        id=row.id,
        at=row.at,
        actor=row.actor,
        what=row.what,
        job_ids=tuple(change["job_id"] for change in row.changes if "job_id" in change),
        undone_at=row.undone_at,
    )


def snapshot(
    connection: Connection, job_ids: Sequence[int], *, whole: bool
) -> dict[int, dict[str, Any]]:
    """Return what can be undone of jobs, by id, as JSON data."""
    names = ("attempt", *(EDIT_COLUMNS if whole else STATE_COLUMNS))
    columns = [jobs.c[name] for name in names]
    found: dict[int, dict[str, Any]] = {}
    for part in chunks(tuple(dict.fromkeys(job_ids))):
        query = select(jobs.c.id, jobs.c.run_id, *columns).where(jobs.c.id.in_(part))
        for row in connection.execute(query.order_by(jobs.c.id)):
            values: dict[str, Any] = dict(zip(names, row[2:], strict=True))
            found[row.id] = values
            if whole:
                values[AFTER] = _after(connection, row.id)
                values[SETTINGS] = [list(row) for row in setting_rows(connection, row.run_id)]
    return found


def _after(connection: Connection, job_id: int) -> list[list[Any]]:
    columns = (job_dependencies.c.depends_on, job_dependencies.c.kind)
    query = select(*columns).where(job_dependencies.c.job_id == job_id).order_by(columns[0])
    return [list(row) for row in connection.execute(query)]


def _store(
    connection: Connection,
    what: str,
    changes: Sequence[Mapping[str, Any]],
    *,
    actor: str,
    now: float,
) -> None:
    if not changes:
        return
    made = insert(actions).values(at=now, actor=actor, what=what, changes=list(changes))
    number = connection.execute(made.returning(actions.c.id)).scalar_one()
    connection.execute(delete(actions).where(actions.c.id <= number - KEPT))
