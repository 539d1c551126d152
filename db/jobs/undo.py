"""Taking back what a user did to the queue, where the jobs have not moved on."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from db.errors import JobStateError, NotFoundError
from db.events import add_event, add_events
from db.jobs.actions import AFTER, SETTINGS, STATE_COLUMNS, read_action, snapshot
from db.jobs.history import job_event
from db.jobs.listing import chunks, get_jobs
from db.jobs.transitions import change_waiting
from db.records import Action, Job, JobState
from db.run_settings import put_settings
from db.runs import follow_name
from db.tables import actions, groups, job_dependencies, jobs

_WAITING = (JobState.QUEUED, JobState.HELD)


def undo(connection: Connection, actor: str, now: float, action_id: int | None = None) -> Action:
    """Take back the last thing `actor` did to the queue, or one action by its id.

    Every job gets back exactly the values that the action changed, where it still has those that
    the action gave it; a job that was added is cancelled and cleared off the list.

    Returns:
        The action, with the jobs that were restored and a sentence for each that has moved on.

    Raises:
        NotFoundError: there is no such action, or nothing that can be undone.
        JobStateError: it is undone already, or nothing of it can be taken back.
    """
    row = _find(connection, actor, action_id)
    action = read_action(row)
    own = [change for change in row.changes if "job_id" in change]
    restored, refused = _restore_jobs(connection, own, what=row.what, actor=actor, now=now)
    for change in row.changes:
        if "group_id" in change:
            sentence = _restore_group(connection, change, what=row.what, actor=actor, now=now)
            refused += [] if sentence is None else [sentence]
    if len(refused) == len(row.changes):
        raise JobStateError(f"`{row.what}` can't be undone: {refused[0]}")
    connection.execute(update(actions).where(actions.c.id == row.id).values(undone_at=now))
    return replace(action, undone_at=now, restored=tuple(restored), refused=tuple(refused))


def _find(connection: Connection, actor: str, action_id: int | None) -> Any:
    query = select(*actions.c)
    if action_id is None:
        query = query.where(actions.c.actor == actor, actions.c.undone_at.is_(None))
        row = connection.execute(query.order_by(actions.c.id.desc()).limit(1)).first()
        if row is None:
            raise NotFoundError(f"`{actor}` has done nothing to the queue that can be undone.")
        return row
    row = connection.execute(query.where(actions.c.id == action_id)).first()
    if row is None:
        raise NotFoundError(f"There is no action {action_id} that can be undone.")
    if row.undone_at is not None:
        raise JobStateError(f"Action {action_id} (`{row.what}`) is undone already.")
    return row


def _restore_jobs(
    connection: Connection,
    changes: Sequence[Mapping[str, Any]],
    *,
    what: str,
    actor: str,
    now: float,
) -> tuple[list[int], list[str]]:
    """Put back what can be; return the jobs that have their values again, and why others do not."""
    wanted = [change["job_id"] for change in changes]
    whole = any(not set(change["after"]) <= set(STATE_COLUMNS) for change in changes)
    current = snapshot(connection, wanted, whole=whole)
    found = {job.id: job for job in get_jobs(connection, current, lock=True)}
    refused: list[str] = []
    alike: dict[str, tuple[Mapping[str, Any] | None, list[Job]]] = {}
    for change in changes:
        job = found.get(change["job_id"])
        sentence = _why_not(change, job, current.get(change["job_id"], {}))
        if job is None or sentence is not None:
            refused.append(sentence or "")
            continue
        key = json.dumps(change["before"], sort_keys=True)
        alike.setdefault(key, (change["before"], []))[1].append(job)
    for before, members in alike.values():
        told: Mapping[str, Any] = {"why": f"undone: {what}", "actor": actor, "now": now}
        if before is None:
            _take_off(connection, members, **told)
        else:
            _put_back(connection, members, before, **told)
    return [job.id for _, members in alike.values() for job in members], refused


def _why_not(change: Mapping[str, Any], job: Job | None, current: Mapping[str, Any]) -> str | None:
    """Return why a change can't be taken back; None when it can."""
    if job is None:
        return f"Job {change['job_id']} was deleted."
    differing = [name for name, value in change["after"].items() if current[name] != value]
    is_new = change["before"] is not None or job.state in _WAITING
    if job.state.is_live or differing or job.attempt != change["attempt"] or not is_new:
        return f"Job {job.id} has moved on: it is {job.state} now{_told(differing)}."
    return None


def _put_back(
    connection: Connection,
    members: Sequence[Job],
    before: Mapping[str, Any],
    *,
    why: str,
    actor: str,
    now: float,
) -> None:
    """Give jobs the values they had, a state by its own transition."""
    columns = {name: before[name] for name in before if name not in ("state", AFTER, SETTINGS)}
    if "state" in before:
        told: dict[str, Any] = {"error": before["error"]} if "error" in before else {}
        to = JobState(before["state"])
        change_waiting(connection, members, to, why=why, actor=actor, now=now, **told)
    else:
        add_events(connection, [job_event(job, why=why, actor=actor, now=now) for job in members])
    for part in chunks([job.id for job in members]):
        if columns:
            connection.execute(update(jobs).where(jobs.c.id.in_(part)).values(columns))
    for job in members:
        if "name" in before:
            follow_name(connection, job.run_id, job.name, before["name"])
        if AFTER in before:
            put_dependencies(connection, job.id, dict(before[AFTER]))
        if SETTINGS in before:
            put_settings(connection, job.run_id, before[SETTINGS])


def put_dependencies(connection: Connection, job_id: int, kinds: Mapping[int, str]) -> None:
    """Store what a job waits for, in place of what it waited for."""
    connection.execute(delete(job_dependencies).where(job_dependencies.c.job_id == job_id))
    rows = [
        {"job_id": job_id, "depends_on": needed, "kind": kind} for needed, kind in kinds.items()
    ]
    if rows:
        connection.execute(insert(job_dependencies), rows)


def _take_off(
    connection: Connection, members: Sequence[Job], *, why: str, actor: str, now: float
) -> None:
    """Cancel and clear jobs that were added and have not begun."""
    change_waiting(connection, members, JobState.CANCELLED, why=why, actor=actor, now=now)
    for part in chunks([job.id for job in members]):
        connection.execute(update(jobs).where(jobs.c.id.in_(part)).values(cleared_at=now))


def _restore_group(
    connection: Connection, change: Mapping[str, Any], *, what: str, actor: str, now: float
) -> str | None:
    group_id = change["group_id"]
    row = connection.execute(select(*groups.c).where(groups.c.id == group_id)).first()
    if row is None:
        return "The group is gone."
    values = {"parallelism": row.parallelism, "paused_at": row.paused_at}
    if any(values[name] != value for name, value in change["after"].items()):
        return f"The group `{row.name}` was changed again since."
    connection.execute(update(groups).where(groups.c.id == group_id).values(change["before"]))
    add_event(connection, "command", now=now, why=f"undone: {what}", actor=actor)
    return None


def _told(differing: list[str]) -> str:
    names = [f"`{name}`" for name in differing if name not in ("state", "reason")]
    return f", and {', '.join(names)} changed again" if names else ""
