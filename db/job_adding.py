"""Adding jobs to the queue, as plain SQL: `setgf queue add` has no time to load SQLAlchemy.

`db.jobs.add_jobs` runs the same statements inside a transaction of `Database.write()`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from typing import Any

from db.errors import NotFoundError
from db.records import NewJob
from db.statements import Statements

_COLUMNS = (
    "run_id",
    "group_id",
    "name",
    "state",
    "reason",
    "priority",
    "position",
    "not_before",
    "attempt",
    "max_attempts",
    "allowance",
    "config",
    "fingerprint",
    "variant",
    "dataset",
    "data_name",
    "model",
    "seed",
    "gpus",
    "memory_mib",
    "time_limit",
    "owner",
    "max_epochs",
    "command",
    "created_at",
)
_ADD_JOB = (
    f"INSERT INTO jobs ({', '.join(_COLUMNS)}) "
    f"VALUES ({', '.join(f':{name}' for name in _COLUMNS)}) RETURNING id"
)
_ADD_DEPENDENCY = "INSERT INTO job_dependencies VALUES (:job_id, :depends_on, :kind)"
_ADD_SETTING = "INSERT INTO settings (run_id, name, text, number) VALUES (:run, :name, :text, :num)"
_ADD_TAG = "INSERT INTO tags (run_id, tag) VALUES (:run, :tag) ON CONFLICT DO NOTHING"
_ADD_EVENT = (
    "INSERT INTO events (at, kind, job_id, run_id, to_state, why, actor) "
    "VALUES (:at, 'job', :job_id, :run_id, :state, 'added', :actor)"
)
_ADD_ACTION = "INSERT INTO actions (at, actor, what, changes) VALUES (:at, :actor, :what, :changes)"
_IDS_A_QUERY = 500
ADDED = "add"
"""What the action is called that added jobs; undoing it cancels those that still wait."""


def insert_jobs(
    statements: Statements,
    new_jobs: Sequence[NewJob],
    *,
    actor: str,
    now: float,
    group_name: str | None = None,
    group_kind: str = "jobs",
) -> tuple[int, ...]:
    """Add jobs at the end of the queue, in their order, and return their ids.

    Args:
        statements: in a writing transaction.
        new_jobs: the jobs.
        actor: who adds them.
        now: seconds since the epoch.
        group_name: group to put them in; made when it is not there.
        group_kind: `seeds`, `grid` or `jobs`, of a group made here.

    Raises:
        NotFoundError: a job in `after` or `after_any` does not exist; nothing was written.
    """
    check_jobs_exist(
        statements, {needed for new in new_jobs for needed in (*new.after, *new.after_any)}
    )
    group_id = None
    if group_name is not None:
        group_id = insert_group(statements, group_name, group_kind, now=now)
    last = _last_position(statements, {new.priority for new in new_jobs})
    ids: list[int] = []
    for offset, new in enumerate(new_jobs, start=1):
        row = _job_row(new, group_id=group_id, position=last + offset, now=now)
        ((job_id,),) = statements.rows(_ADD_JOB, row)
        ids.append(int(job_id))
    _insert_belongings(statements, list(zip(ids, new_jobs, strict=True)), actor=actor, now=now)
    return tuple(ids)


def insert_group(statements: Statements, name: str, kind: str, *, now: float) -> int:
    """Return the id of the group of this name, made when it is not there."""
    for (group_id,) in statements.rows("SELECT id FROM groups WHERE name = :name", {"name": name}):
        return int(group_id)
    ((made,),) = statements.rows(
        "INSERT INTO groups (name, kind, created_at) VALUES (:name, :kind, :now) RETURNING id",
        {"name": name, "kind": kind, "now": now},
    )
    return int(made)


def check_jobs_exist(statements: Statements, ids: Iterable[int]) -> None:
    """Refuse job ids that are not there.

    Raises:
        NotFoundError: names the first.
    """
    for job_id in sorted(ids):
        if not statements.rows("SELECT 1 FROM jobs WHERE id = :id", {"id": job_id}):
            raise NotFoundError(
                f"There is no job {job_id}. `setgf queue list --all` shows all jobs."
            )


def same_experiments(
    statements: Statements, fingerprints: Iterable[str], states: Sequence[str]
) -> dict[str, tuple[int, str]]:
    """Return the newest job, with its state, of every fingerprint that has one in these states."""
    wanted = tuple(dict.fromkeys(fingerprints))
    listed = ", ".join(f"'{state}'" for state in states)
    found: dict[str, tuple[int, str]] = {}
    for begin in range(0, len(wanted), _IDS_A_QUERY):
        part = {f"f{place}": one for place, one in enumerate(wanted[begin : begin + _IDS_A_QUERY])}
        query = (
            f"SELECT fingerprint, id, state FROM jobs WHERE state IN ({listed}) "
            f"AND fingerprint IN ({', '.join(f':{name}' for name in part)}) ORDER BY id"
        )
        for fingerprint, job_id, state in statements.rows(query, part):
            found[fingerprint] = (int(job_id), str(state))
    return found


def _last_position(statements: Statements, priorities: Iterable[int]) -> float:
    """Return a position that no waiting job of these priorities is behind.

    Two looks into an index: a job's position begins as about its id, and one that was moved to the
    end of the queue is behind those of its priority.
    """
    found = list(statements.rows("SELECT max(id) FROM jobs", {}))
    for priority in priorities:
        query = (
            "SELECT position FROM jobs WHERE state = 'queued' AND priority = :priority "
            "ORDER BY position DESC LIMIT 1"
        )
        found += statements.rows(query, {"priority": priority})
    return max(float(row[0] or 0) for row in found)


def _job_row(new: NewJob, *, group_id: int | None, position: float, now: float) -> dict[str, Any]:
    made = {
        "group_id": group_id,
        "state": _state(new),
        "reason": "",
        "position": position,
        "attempt": 0,
        "allowance": new.max_attempts,
        "config": json.dumps(new.config),
        "command": json.dumps(list(new.command)),
        "created_at": now,
    }
    return {name: made[name] if name in made else getattr(new, name) for name in _COLUMNS}


def _insert_belongings(
    statements: Statements, added: Sequence[tuple[int, NewJob]], *, actor: str, now: float
) -> None:
    """Store what the jobs wait for, their settings, tags and events, and the action."""
    statements.many(
        _ADD_DEPENDENCY,
        [
            {"job_id": job_id, "depends_on": needed, "kind": kind}
            for job_id, new in added
            # Of a job named both ways the success is waited for.
            for needed, kind in (
                dict.fromkeys(new.after_any, "any") | dict.fromkeys(new.after, "ok")
            ).items()
        ],
    )
    statements.many(
        _ADD_SETTING,
        [
            {"run": new.run_id, "name": name, "text": setting_text(value), "num": _number(value)}
            for _, new in added
            for name, value in new.settings.items()
        ],
    )
    statements.many(
        _ADD_TAG,
        [{"run": new.run_id, "tag": tag} for _, new in added for tag in dict.fromkeys(new.tags)],
    )
    statements.many(
        _ADD_EVENT,
        [
            {"at": now, "job_id": i, "run_id": new.run_id, "state": _state(new), "actor": actor}
            for i, new in added
        ],
    )
    changes: list[dict[str, Any]] = [
        {"job_id": job_id, "attempt": 0, "before": None, "after": {}} for job_id, _ in added
    ]
    statements.rows(
        _ADD_ACTION,
        {"at": now, "actor": actor, "what": ADDED, "changes": json.dumps(changes)},
    )


def setting_text(value: Any) -> str:
    """Return a setting's value as it is stored and filtered by: lists joined by commas."""
    if isinstance(value, str):
        return value
    if isinstance(value, list | tuple):
        return ",".join(map(str, value))  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    return json.dumps(value)


def _number(value: Any) -> float | None:
    if not isinstance(value, int | float):
        return None
    return None if math.isnan(value) else float(value)


def _state(new: NewJob) -> str:
    return "held" if new.held else "queued"
