"""Taking back what a user did to the queue, where the jobs have not moved on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from db.errors import JobStateError, NotFoundError
from db.events import add_event
from db.jobs.actions import AFTER, SETTINGS, STATE_COLUMNS, read_action, snapshot
from db.jobs.listing import get_job
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
    restored: list[int] = []
    refused: list[str] = []
    for change in row.changes:
        sentence = _restore(connection, change, what=row.what, actor=actor, now=now)
        if sentence is not None:
            refused.append(sentence)
        elif "job_id" in change:
            restored.append(change["job_id"])
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


def _restore(
    connection: Connection, change: Mapping[str, Any], *, what: str, actor: str, now: float
) -> str | None:
    """Take back one change; return a sentence when that is not possible."""
    if "group_id" in change:
        return _restore_group(connection, change, what=what, actor=actor, now=now)
    try:
        job = get_job(connection, change["job_id"], lock=True)
    except NotFoundError:
        return f"Job {change['job_id']} was deleted."
    why = f"undone: {what}"
    if change["before"] is None:
        return _take_off(connection, job, why=why, actor=actor, now=now)
    whole = not set(change["after"]) <= set(STATE_COLUMNS)
    current = snapshot(connection, [job.id], whole=whole)[job.id]
    differing = [name for name, value in change["after"].items() if current[name] != value]
    if job.state.is_live or differing or job.attempt != change["attempt"]:
        return f"Job {job.id} has moved on: it is {job.state} now{_told(differing)}."
    _put_back(connection, job, change["before"], why=why, actor=actor, now=now)
    return None


def _put_back(
    connection: Connection,
    job: Job,
    before: Mapping[str, Any],
    *,
    why: str,
    actor: str,
    now: float,
) -> None:
    """Give a job the values it had, by its state's own transition."""
    state = before.get("state")
    columns = {name: before[name] for name in before if name not in ("state", AFTER, SETTINGS)}
    if state is not None:
        told: dict[str, Any] = {"error": before["error"]} if "error" in before else {}
        change_waiting(connection, [job], JobState(state), why=why, actor=actor, now=now, **told)
    if columns:
        connection.execute(update(jobs).where(jobs.c.id == job.id).values(columns))
    if "name" in before:
        follow_name(connection, job.run_id, job.name, before["name"])
    if AFTER in before:
        put_dependencies(connection, job.id, dict(before[AFTER]))
    if SETTINGS in before:
        put_settings(connection, job.run_id, before[SETTINGS])
    if state is None:
        add_event(
            connection,
            "job",
            now=now,
            why=why,
            actor=actor,
            job_id=job.id,
            run_id=job.run_id,
            attempt=job.attempt or None,
            from_state=job.state.value,
            to_state=job.state.value,
        )


def put_dependencies(connection: Connection, job_id: int, kinds: Mapping[int, str]) -> None:
    """Store what a job waits for, in place of what it waited for."""
    connection.execute(delete(job_dependencies).where(job_dependencies.c.job_id == job_id))
    rows = [
        {"job_id": job_id, "depends_on": needed, "kind": kind} for needed, kind in kinds.items()
    ]
    if rows:
        connection.execute(insert(job_dependencies), rows)


def _take_off(connection: Connection, job: Job, *, why: str, actor: str, now: float) -> str | None:
    """Cancel and clear a job that was added, unless it has begun."""
    if job.attempt > 0 or job.state not in _WAITING:
        return f"Job {job.id} has moved on: it is {job.state} now."
    change_waiting(connection, [job], JobState.CANCELLED, why=why, actor=actor, now=now)
    connection.execute(update(jobs).where(jobs.c.id == job.id).values(cleared_at=now))
    return None


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
