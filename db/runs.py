"""Writer of `runs`, `tags`, `settings` and `final_metrics`: the record of every experiment."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from db import upsert
from db.errors import FencedError, JobStateError, NotFoundError
from db.events import add_event
from db.records import JobState, NewRun
from db.rows import from_float
from db.run_settings import store_settings, store_tags
from db.tables import attempts, final_metrics, jobs, runs, settings, tags

_CHANGEABLE = frozenset(
    {
        "best_epoch",
        "best_valid",
        "data_fingerprint",
        "device",
        "epoch",
        "error",
        "finished_at",
        "group_id",
        "host",
        "max_epochs",
        "parameters",
        "started_at",
        "state",
        "step",
    }
)

_IDS_A_STATEMENT = 5_000
_FOLLOW = update(runs).where(runs.c.id == bindparam("of_run"))


def add_run(connection: Connection, run: NewRun, *, state: JobState = JobState.STARTING) -> None:
    """Store a run that begins, with its settings and tags. A run that is there stays as it is.

    Args:
        connection: inside `Database.write()`.
        run: the run.
        state: of the run; a queued job's run gets the job's.
    """
    values = {column.name: getattr(run, column.name, None) for column in runs.c}
    job = _job_of(connection, run.id)
    values |= {
        "config": dict(run.config),
        "command": list(run.command),
        "state": job[0] if job else state.value,
        "attempt": job[1] if job else 1,
        "note": "",
        "archived": False,
        "trashed_at": None,
        "epoch": 0,
        "step": 0,
        "code_dirty": False,
        "code_diff": "",
        "environment": {},
        "updated_at": run.created_at,
    }
    made = connection.execute(
        upsert.insert(connection, runs).values(values).on_conflict_do_nothing().returning(runs.c.id)
    )
    if made.first() is None:
        return
    store_settings(connection, run.id, run.settings)
    store_tags(connection, run.id, run.tags)
    add_event(
        connection,
        "run",
        now=run.created_at,
        why="began",
        actor="run",
        job_id=run.job_id,
        run_id=run.id,
        to_state=values["state"],
    )


def update_run(
    connection: Connection,
    run_id: str,
    *,
    attempt: int,
    now: float | None = None,
    **columns: Any,
) -> None:
    """Set columns of a run on behalf of an attempt; `now` defaults to the clock.

    Raises:
        FencedError: a later attempt has the run.
        NotFoundError: no such run.
    """
    unknown = set(columns) - _CHANGEABLE
    if unknown:
        raise TypeError(f"update_run can't set {', '.join(sorted(unknown))}")
    values = {
        name: from_float(value) if isinstance(value, float) else value
        for name, value in columns.items()
    }
    changed = connection.execute(
        update(runs)
        .where(runs.c.id == run_id, runs.c.attempt <= attempt)
        .values({**values, "attempt": attempt, "updated_at": time.time() if now is None else now})
    )
    if changed.rowcount != 1:
        _refuse(connection, run_id, attempt)


def follow_job(
    connection: Connection,
    run_id: str,
    state: JobState,
    *,
    attempt: int,
    now: float,
    error: str | None = None,
) -> None:
    """Give a run the state of its job; nothing to do while the run has not begun.

    `error` is the job's, kept where the state is one of failing.
    """
    values: dict[str, Any] = {"state": state.value, "attempt": attempt, "updated_at": now}
    values["finished_at"] = now if state.is_finished else None
    if state in (JobState.FAILED, JobState.LOST, JobState.CANCELLED):
        values["error"] = error
    elif state is JobState.RUNNING:
        values["error"] = None
    connection.execute(_FOLLOW, {"of_run": run_id, **values})


def follow_jobs(
    connection: Connection, run_ids: Sequence[str], state: JobState, *, now: float
) -> None:
    """Give the runs of many jobs that nobody works on the state of their jobs."""
    values: dict[str, Any] = {
        "state": state.value,
        "updated_at": now,
        "finished_at": now if state.is_finished else None,
    }
    if state in (JobState.FAILED, JobState.LOST, JobState.CANCELLED):
        own = select(jobs.c.error).where(jobs.c.run_id == runs.c.id)
        values["error"] = own.correlate(runs).scalar_subquery()
    for begin in range(0, len(run_ids), _IDS_A_STATEMENT):
        part = run_ids[begin : begin + _IDS_A_STATEMENT]
        connection.execute(update(runs).where(runs.c.id.in_(part)).values(values))


def set_environment(
    connection: Connection, run_id: str, environment: Mapping[str, Any], *, attempt: int
) -> None:
    """Store where a run was made: the content of its `environment.json`.

    Code (`commit`, `dirty`, `diff`), `host` and `data_fingerprint` get columns of their own.

    Raises:
        FencedError: a later attempt has the run.
        NotFoundError: no such run.
    """
    rest = dict(environment)
    code: Mapping[str, Any] = rest.pop("code", None) or {}
    values: dict[str, Any] = {
        "environment": rest,
        "code_commit": code.get("commit"),
        "code_dirty": bool(code.get("dirty", False)),
        "code_diff": code.get("diff") or "",
    }
    for name in ("host", "data_fingerprint"):
        if isinstance(rest.get(name), str):
            values[name] = rest[name]
    changed = connection.execute(
        update(runs).where(runs.c.id == run_id, runs.c.attempt <= attempt).values(values)
    )
    if changed.rowcount != 1:
        _refuse(connection, run_id, attempt)


def set_final_metrics(
    connection: Connection, run_id: str, metrics: Mapping[str, float], *, attempt: int
) -> None:
    """Store a run's final values by name (`test.acc7`), in place of those it had.

    Raises:
        FencedError: a later attempt has the run.
        NotFoundError: no such run.
    """
    update_run(connection, run_id, attempt=attempt)
    connection.execute(delete(final_metrics).where(final_metrics.c.run_id == run_id))
    rows = [
        {"run_id": run_id, "name": name, "value": from_float(float(value))}
        for name, value in metrics.items()
    ]
    if rows:
        connection.execute(insert(final_metrics), rows)


def add_tag(connection: Connection, run_id: str, tag: str, *, actor: str, now: float) -> None:
    """Put a tag on a run.

    Raises:
        NotFoundError: no such run.
    """
    _touch(connection, run_id, {}, why=f"tagged {tag}", actor=actor, now=now)
    store_tags(connection, run_id, (tag,))


def remove_tag(connection: Connection, run_id: str, tag: str, *, actor: str, now: float) -> None:
    """Take a tag off a run.

    Raises:
        NotFoundError: no such run, or it does not have the tag.
    """
    _touch(connection, run_id, {}, why=f"tag {tag} removed", actor=actor, now=now)
    gone = connection.execute(delete(tags).where(tags.c.run_id == run_id, tags.c.tag == tag))
    if gone.rowcount != 1:
        raise NotFoundError(f"Run `{run_id}` has no tag `{tag}`.")


def set_note(connection: Connection, run_id: str, note: str, *, actor: str, now: float) -> None:
    """Set the note of a run; an empty one removes it.

    Raises:
        NotFoundError: no such run.
    """
    _touch(connection, run_id, {"note": note}, why="note changed", actor=actor, now=now)


def rename(connection: Connection, run_id: str, name: str, *, actor: str, now: float) -> None:
    """Give a run another name.

    Raises:
        NotFoundError: no such run.
    """
    _touch(connection, run_id, {"name": name}, why="renamed", actor=actor, now=now)


def follow_name(connection: Connection, run_id: str, old: str, new: str) -> None:
    """Give a run the new name of its job, unless it got one of its own."""
    connection.execute(update(runs).where(runs.c.id == run_id, runs.c.name == old).values(name=new))


def archive(
    connection: Connection, run_id: str, *, actor: str, now: float, archived: bool = True
) -> None:
    """Take a run out of lists, or with `archived=False` put it back.

    Raises:
        NotFoundError: no such run.
    """
    why = "archived" if archived else "restored"
    _touch(connection, run_id, {"archived": archived}, why=why, actor=actor, now=now)


def trash(connection: Connection, run_id: str, *, actor: str, now: float) -> None:
    """Take a run out of everything that lists runs; `recover` brings it back as it was.

    Raises:
        NotFoundError: no such run.
        JobStateError: it is live or waits to go on.
    """
    state = _state_of(connection, run_id)
    _refuse_unfinished(run_id, state)
    _touch(connection, run_id, {"trashed_at": now}, why="deleted", actor=actor, now=now)


def recover(connection: Connection, run_id: str, *, actor: str, now: float) -> None:
    """Bring a run back from the trash.

    Raises:
        NotFoundError: no such run.
    """
    _touch(connection, run_id, {"trashed_at": None}, why="brought back", actor=actor, now=now)


def is_trashed(connection: Connection, run_id: str) -> bool:
    """Return True for a run in the trash."""
    query = select(runs.c.id).where(runs.c.id == run_id, runs.c.trashed_at.is_not(None))
    return connection.execute(query).first() is not None


def trashed_runs(connection: Connection, run_ids: Sequence[str]) -> frozenset[str]:
    """Return those of the runs that are in the trash."""
    found: set[str] = set()
    for begin in range(0, len(run_ids), _IDS_A_STATEMENT):
        part = run_ids[begin : begin + _IDS_A_STATEMENT]
        query = select(runs.c.id).where(runs.c.id.in_(part), runs.c.trashed_at.is_not(None))
        found.update(connection.execute(query).scalars())
    return frozenset(found)


def delete_run(connection: Connection, run_id: str, *, actor: str, now: float) -> None:
    """Remove a run for ever, with its job, points and all else; its folder is left.

    Raises:
        NotFoundError: no such run.
        JobStateError: it is live or waits to go on.
    """
    state = _state_of(connection, run_id)
    _refuse_unfinished(run_id, state)
    for table in (attempts, tags, settings):
        connection.execute(delete(table).where(table.c.run_id == run_id))
    connection.execute(delete(runs).where(runs.c.id == run_id))
    connection.execute(delete(jobs).where(jobs.c.run_id == run_id))
    add_event(
        connection,
        "run",
        now=now,
        why="deleted for ever",
        actor=actor,
        run_id=run_id,
        from_state=state.value,
    )


def _state_of(connection: Connection, run_id: str) -> JobState:
    state = connection.execute(select(runs.c.state).where(runs.c.id == run_id)).scalar()
    if state is None:
        raise NotFoundError(f"There is no run `{run_id}`.")
    return JobState(state)


def _refuse_unfinished(run_id: str, state: JobState) -> None:
    if not (state.is_finished or state is JobState.LOST):
        raise JobStateError(f"Run `{run_id}` is {state}; only one that is over can be deleted.")


def _touch(
    connection: Connection,
    run_id: str,
    values: Mapping[str, Any],
    *,
    why: str,
    actor: str,
    now: float,
) -> None:
    """Change what a user may change of a run, with its event."""
    changed = connection.execute(
        update(runs).where(runs.c.id == run_id).values({**values, "updated_at": now})
    )
    if changed.rowcount != 1:
        raise NotFoundError(f"There is no run `{run_id}`.")
    add_event(connection, "run", now=now, why=why, actor=actor, run_id=run_id)


def _job_of(connection: Connection, run_id: str) -> tuple[str, int] | None:
    row = connection.execute(
        select(jobs.c.state, jobs.c.attempt).where(jobs.c.run_id == run_id)
    ).first()
    return None if row is None else (row[0], row[1])


def _refuse(connection: Connection, run_id: str, attempt: int) -> None:
    newest = connection.execute(select(runs.c.attempt).where(runs.c.id == run_id)).scalar()
    if newest is None:
        raise NotFoundError(f"There is no run `{run_id}`.")
    raise FencedError(
        f"Attempt {attempt} no longer owns run `{run_id}`: attempt {newest} does. "
        "Stop the child and write nothing more."
    )
