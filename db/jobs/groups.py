"""Writer of `groups`: jobs queued together, how many of them may run at once, and whether any."""

from __future__ import annotations

from sqlalchemy import Connection, func, select, update

from db.errors import NotFoundError
from db.events import add_event
from db.filters import nearest
from db.jobs.actions import record_group
from db.records import Group
from db.tables import groups, jobs


def list_groups(connection: Connection) -> tuple[Group, ...]:
    """Return the groups with how many jobs of each state they have, newest first."""
    counts: dict[int, dict[str, int]] = {}
    tally = select(jobs.c.group_id, jobs.c.state, func.count()).group_by(
        jobs.c.group_id, jobs.c.state
    )
    for group_id, state, number in connection.execute(tally):
        counts.setdefault(group_id, {})[state] = number
    rows = connection.execute(select(*groups.c).order_by(groups.c.id.desc()))
    return tuple(
        Group(
            id=row.id,
            name=row.name,
            kind=row.kind,
            created_at=row.created_at,
            parallelism=row.parallelism,
            paused_at=row.paused_at,
            counts=counts.get(row.id, {}),
        )
        for row in rows
    )


def get_group(connection: Connection, name: str) -> Group:
    """Return a group by its name.

    Raises:
        NotFoundError: no such group; names the nearest.
    """
    found = {group.name: group for group in list_groups(connection)}
    if name not in found:
        hint = nearest(name, found) or " `setgf queue groups` lists them."
        raise NotFoundError(f"There is no group `{name}`.{hint}")
    return found[name]


def set_parallelism(
    connection: Connection, name: str, parallelism: int | None, actor: str, now: float
) -> Group:
    """Set how many jobs of a group may be live at once; None for no limit.

    Those that run already go on.

    Raises:
        NotFoundError: no such group.
        ValueError: the number is not 1 or more.
    """
    if parallelism is not None and parallelism < 1:
        raise ValueError(f"The parallelism of a group must be 1 or more, but is {parallelism}.")
    words = "no limit" if parallelism is None else f"at most {parallelism} at once"
    return _change(connection, name, words, actor, now, parallelism=parallelism)


def pause_group(connection: Connection, name: str, actor: str, now: float) -> Group:
    """Start no more jobs of a group until it is resumed; those that run go on.

    Raises:
        NotFoundError: no such group.
    """
    before = get_group(connection, name)
    if before.paused_at is not None:
        return before
    return _change(connection, name, "paused", actor, now, paused_at=now)


def resume_group(connection: Connection, name: str, actor: str, now: float) -> Group:
    """Let the jobs of a group start again.

    Raises:
        NotFoundError: no such group.
    """
    return _change(connection, name, "resumed", actor, now, paused_at=None)


def _change(
    connection: Connection, name: str, words: str, actor: str, now: float, **columns: float | None
) -> Group:
    before = get_group(connection, name)
    old = {column: getattr(before, column) for column in columns}
    if old == columns:
        return before
    connection.execute(update(groups).where(groups.c.id == before.id).values(columns))
    what = f"group `{name}`: {words}"
    add_event(connection, "command", now=now, why=what, actor=actor)
    record_group(connection, before.id, old, columns, what=what, actor=actor, now=now)
    return get_group(connection, name)
