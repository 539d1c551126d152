"""`setgf runs delete` and `restore`: into the trash and back; nothing is lost before `setgf gc`."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from setgf.cli.completion import complete_run
from setgf.cli.job_words import actor, ask_queue, open_queue
from setgf.cli.output import note, say
from setgf.cli.run_text import show_text

if TYPE_CHECKING:
    from db.engine import Database
    from db.records import Run
    from setgf.home import Home

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


def delete_runs(
    ids: Annotated[
        list[str],
        typer.Argument(help="Ids of runs, or their first characters.", autocompletion=complete_run),
    ],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Move runs into the trash, with their files.

    `setgf runs restore` brings them back until `setgf gc --apply` has emptied the trash. A run that
    is live, or waits to go on, is refused.

    Example: setgf runs delete 4kz2 9a0f
    """
    from setgf.home import find_home
    from setgf.runs.folder import RunFolder
    from setgf.runs.garbage import measure

    home = find_home()
    runs = _find(ids)
    for run in runs:
        _check(home, run)
    size = measure([RunFolder(home.run_path(run.id)).path for run in runs])
    if not yes and not _agrees(runs, size):
        note("Nothing was deleted.")
        return
    with closing(open_queue(create=False)) as database:
        for run in runs:
            _delete(home, database, run)
            say(f"Run {run.id} is in the trash. `setgf runs restore {run.id}` brings it back.")


def restore_runs(
    ids: Annotated[
        list[str],
        typer.Argument(help="Ids of runs, or their first characters.", autocompletion=complete_run),
    ],
) -> None:
    """Bring deleted runs back from the trash, and archived ones back into lists.

    Example: setgf runs restore 4kz2
    """
    from setgf.home import find_home

    home = find_home()
    with closing(open_queue(create=True)) as database:
        for run_id in ids:
            say(_restore(home, database, run_id))


def show_size(size: float) -> str:
    """Return a number of bytes as `12 B`, `3.4 MiB`."""
    for unit in _UNITS[:-1]:
        if size < 1024:
            return f"{size:.0f} B" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} {_UNITS[-1]}"


def _find(ids: Sequence[str]) -> list[Run]:
    """Return the runs meant, each once."""
    with ask_queue() as query:
        found = {run.id: run for run in map(query.run, ids)}
    return list(found.values())


def _check(home: Home, run: Run) -> None:
    """Refuse what can't be deleted, before anything is."""
    from db.errors import JobStateError
    from db.records import JobState
    from setgf.errors import ConfigError
    from setgf.runs.folder import RunFolder

    if run.trashed_at is not None:
        raise ConfigError(
            f"Run {run.id} is in the trash already. `setgf gc` says what emptying it would free."
        )
    folder = RunFolder(home.run_path(run.id))
    is_over = run.state.is_finished or run.state is JobState.LOST
    if not is_over or folder.is_live():
        words = run.state if not is_over else "being trained by another process"
        cancel = (
            "" if run.job_id is None else f" Cancel it first: `setgf queue cancel {run.job_id}`."
        )
        raise JobStateError(
            f"Run {run.id} is {words}; only a run that is over can be deleted.{cancel}"
        )
    if not folder.path.exists() and Path(run.folder).exists():
        raise ConfigError(
            f"The folder of run {run.id} is {run.folder}, in another home than {home.root}. "
            "Name its home with `setgf --home`."
        )


def _agrees(runs: Sequence[Run], size: int) -> bool:
    from setgf.errors import ConfigError

    if not sys.stdin.isatty():
        raise ConfigError("Deleting runs must be confirmed at a terminal, or by `--yes`.")
    for run in runs:
        note(f"  {run.id}  {run.state}  {show_text(run.name)}")
    count = "1 run" if len(runs) == 1 else f"{len(runs)} runs"
    note(f"Move {count} ({show_size(size)}) into the trash? [y/N] ")
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _delete(home: Home, database: Database, run: Run) -> None:
    """Mark the row, then move the folder: if the second fails, the first is taken back."""
    from db.runs import recover, trash
    from setgf.errors import SetgfError
    from setgf.runs.folder import RunFolder
    from setgf.runs.trash import move_to_trash

    folder = RunFolder(home.run_path(run.id))
    who, now = actor(), time.time()
    if not folder.path.is_dir():
        with database.write() as connection:
            trash(connection, run.id, actor=who, now=now)
        return
    with folder.hold():
        with database.write() as connection:
            trash(connection, run.id, actor=who, now=now)
        try:
            move_to_trash(home, folder, now=now)
        except SetgfError:
            with database.write() as connection:
                recover(connection, run.id, actor=who, now=time.time())
            raise


def _restore(home: Home, database: Database, run_id: str) -> str:
    """Bring one run back; return what happened, in words."""
    from db.errors import NotFoundError
    from db.query import Query
    from db.runs import archive, recover
    from setgf.runs.trash import take_back

    try:
        run = Query(database).run(run_id)
    except NotFoundError as error:
        return _restore_unknown(home, database, run_id, error)
    with database.write() as connection:
        if run.trashed_at is not None:
            recover(connection, run.id, actor=actor(), now=time.time())
        if run.archived:
            archive(connection, run.id, archived=False, actor=actor(), now=time.time())
    was_there = take_back(home, run.id)
    if run.trashed_at is None and not run.archived and not was_there:
        return f"Run {run.id} is neither deleted nor archived."
    if run.trashed_at is not None and not home.run_path(run.id).is_dir():
        note(f"setgf: warning: the files of run {run.id} are gone; its record is back.")
    return f"Run {run.id} is back in lists."


def _restore_unknown(home: Home, database: Database, run_id: str, error: Exception) -> str:
    """Bring back a folder whose row is gone: the database was made anew meanwhile."""
    from setgf.runs.folder import RunFolder
    from setgf.runs.trash import list_trash, take_back
    from setgf.worker.rebuild import index_run

    found = [entry.id for entry in list_trash(home) if entry.id.startswith(run_id)]
    if len(found) != 1:
        raise error
    take_back(home, found[0])
    index_run(database, RunFolder(home.run_path(found[0])))
    return f"Run {found[0]} is back in lists."
