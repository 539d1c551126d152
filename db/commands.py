"""Writer of `commands`: requests to workers as rows, which wait when no worker is up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, insert, or_, select, update

from db.errors import NotFoundError
from db.events import add_event
from db.records import Command, Verb
from db.rows import read_commands
from db.tables import commands, jobs


def add_command(
    connection: Connection,
    verb: Verb,
    *,
    actor: str,
    now: float,
    job_id: int | None = None,
    worker_id: str | None = None,
    arguments: Mapping[str, Any] | None = None,
) -> Command:
    """Ask whoever holds a job, or one worker, to do something."""
    row = connection.execute(
        insert(commands)
        .values(
            job_id=job_id,
            worker_id=worker_id,
            verb=verb.value,
            arguments=dict(arguments or {}),
            actor=actor,
            created_at=now,
        )
        .returning(*commands.c)
    ).one()
    add_event(connection, "command", now=now, why=f"{verb} asked for", actor=actor, job_id=job_id)
    return read_commands([row])[0]


def pending_commands(
    connection: Connection,
    *,
    worker_id: str | None = None,
    job_id: int | None = None,
    verb: Verb | None = None,
) -> tuple[Command, ...]:
    """Return the commands nobody has handled, oldest first.

    Args:
        connection: in a transaction.
        worker_id: only those for this worker: addressed to it, or for a job that it holds.
        job_id: only those for this job.
        verb: only those of this kind.
    """
    query = select(*commands.c).where(commands.c.handled_at.is_(None)).order_by(commands.c.id)
    if worker_id is not None:
        held = select(jobs.c.id).where(jobs.c.worker_id == worker_id)
        query = query.where(or_(commands.c.worker_id == worker_id, commands.c.job_id.in_(held)))
    if job_id is not None:
        query = query.where(commands.c.job_id == job_id)
    if verb is not None:
        query = query.where(commands.c.verb == verb.value)
    return read_commands(connection.execute(query).all())


def settle_commands(
    connection: Connection, job_ids: Sequence[int], *, result: str, now: float
) -> None:
    """Mark as handled what was asked of jobs that have moved on since."""
    if job_ids:
        connection.execute(
            update(commands)
            .where(commands.c.job_id.in_(job_ids), commands.c.handled_at.is_(None))
            .values(handled_at=now, result=result)
        )


def withdraw_commands(
    connection: Connection, job_id: int, verb: Verb, *, actor: str, now: float
) -> bool:
    """Take back what nobody has carried out yet; True when there was such a command."""
    found = pending_commands(connection, job_id=job_id, verb=verb)
    for command in found:
        handle_command(connection, command.id, result=f"withdrawn by {actor}", now=now)
        why = f"{verb} withdrawn"
        add_event(connection, "command", now=now, why=why, actor=actor, job_id=job_id)
    return bool(found)


def handle_command(connection: Connection, command_id: int, *, result: str, now: float) -> None:
    """Store that a command was carried out, and what came of it.

    Raises:
        NotFoundError: no such command, or it was handled before.
    """
    changed = connection.execute(
        update(commands)
        .where(commands.c.id == command_id, commands.c.handled_at.is_(None))
        .values(handled_at=now, result=result)
    )
    if changed.rowcount != 1:
        raise NotFoundError(f"There is no command {command_id} that waits to be handled.")
