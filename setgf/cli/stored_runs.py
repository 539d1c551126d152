"""Runs for commands that read: a home without a database yet has none, and that is no error."""

from __future__ import annotations

from db import query
from db.errors import NotFoundError
from db.records import Run
from setgf.cli.opened import tell_if_new
from setgf.cli.output import note
from setgf.home import find_home


def read_runs(
    *,
    where: str | None = None,
    sort: str | None = None,
    limit: int | None = None,
    archived: bool = False,
    trashed: bool = False,
) -> tuple[Run, ...]:
    """Return stored runs; says on stderr where there is no database yet and what to do.

    Args:
        where: a filter.
        sort: names to sort by.
        limit: at most so many.
        archived: the archived ones as well.
        trashed: only those in the trash, archived or not.
    """
    try:
        database = query.open(find_home().database_url)
    except NotFoundError as error:
        note(str(error))
        return ()
    with database:
        tell_if_new(database.database)
        if not trashed:
            return database.runs(where=where, sort=sort, limit=limit, archived=archived)
        found = database.runs(where=where, sort=sort, archived=True, trashed=True)
        return tuple(run for run in found if run.trashed_at is not None)[:limit]
