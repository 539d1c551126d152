"""Writer of `attempts`: the tries at a run, one row each, never overwritten by a later one."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, and_, bindparam, insert, select, update

from db.errors import NotFoundError
from db.records import Attempt
from db.rows import attempt_columns, read_attempts
from db.tables import attempts

# Made once: putting a statement together costs more than running it.
_IS_IT = and_(attempts.c.run_id == bindparam("of_run"), attempts.c.number == bindparam("of_number"))
_INSERT = insert(attempts)
_ONE = select(*attempt_columns()).where(_IS_IT)
_CHANGE = update(attempts).where(_IS_IT)
_CLOSE = _CHANGE.where(attempts.c.ended_at.is_(None))


def add_attempt(connection: Connection, attempt: Attempt) -> None:
    """Store an attempt as it is: claimed, of a foreground run, or found in a run folder."""
    values = {column.name: getattr(attempt, column.name) for column in attempts.c}
    values["devices"] = list(attempt.devices)
    values["resume_step"] = attempt.resume_step or None
    connection.execute(_INSERT, values)


def get_attempt(connection: Connection, run_id: str, number: int) -> Attempt:
    """Return one attempt at a run.

    Raises:
        NotFoundError: no such attempt.
    """
    which = {"of_run": run_id, "of_number": number}
    found = read_attempts(connection.execute(_ONE, which).all())
    if not found:
        raise NotFoundError(f"Run `{run_id}` has no attempt {number} in the database.")
    return found[0]


def list_attempts(connection: Connection, run_id: str) -> tuple[Attempt, ...]:
    """Return the attempts at a run, in order."""
    query = select(*attempt_columns()).where(attempts.c.run_id == run_id)
    return read_attempts(connection.execute(query.order_by(attempts.c.number)).all())


def close_attempt(
    connection: Connection, run_id: str, number: int, *, outcome: str, now: float, **columns: Any
) -> None:
    """Store that an attempt is over, unless that was stored before.

    Args:
        connection: inside `Database.write()`.
        run_id: the run.
        number: the attempt.
        outcome: `succeeded`, `failed`, `cancelled`, `lost` or `paused`.
        now: seconds since the epoch.
        columns: `exit_code`, `failure_class`, `error`, the peaks of memory, `frozen_seconds`.
    """
    which = {"of_run": run_id, "of_number": number}
    connection.execute(_CLOSE, {"ended_at": now, "outcome": outcome, **columns, **which})


def change_attempt(connection: Connection, run_id: str, number: int, **columns: Any) -> None:
    """Set columns of an attempt: its process, its worker, its offsets, where it resumed.

    Raises:
        NotFoundError: no such attempt.
    """
    which = {"of_run": run_id, "of_number": number}
    if connection.execute(_CHANGE, {**columns, **which}).rowcount != 1:
        raise NotFoundError(f"Run `{run_id}` has no attempt {number} in the database.")


def set_events_offset(connection: Connection, run_id: str, number: int, offset: int) -> None:
    """Store how far an attempt's event log was read; in the transaction that stored its events."""
    change_attempt(connection, run_id, number, events_offset=offset)


def resume_limit(connection: Connection, run_id: str, number: int) -> int | None:
    """Return the last step of attempt `number` that still counts; None when all do.

    A later attempt that went on from step S has taken the place of everything after S.
    """
    steps = select(attempts.c.resume_step).where(
        attempts.c.run_id == run_id, attempts.c.number > number
    )
    known = [step for step in connection.execute(steps).scalars() if step is not None]
    return min(known, default=None)
