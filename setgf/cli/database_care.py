"""`setgf db upgrade|backup|restore|vacuum|stats`: looking after the run database."""

from __future__ import annotations

import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from setgf.cli.opened import tell_if_new, tell_if_shared
from setgf.cli.output import say, say_json, say_table

if TYPE_CHECKING:
    from db.engine import Database
    from db.records import Worker

_UNITS = ("B", "KiB", "MiB", "GiB")


def upgrade() -> None:
    """Bring the database to the schema of this setgf; a copy of the file as it was is kept.

    Every command does that when it opens an older database; this one does nothing else.

    Example: setgf db upgrade
    """
    from db.migrations import SCHEMA_VERSION

    database = open_existing()
    database.close()
    done = database.upgrade
    if done is None:
        say(f"{database.where} has schema version {SCHEMA_VERSION}, the newest.")
        return
    kept = "" if done.backup is None else f" The file as it was is kept as {done.backup}."
    say(
        f"{database.where} was upgraded from schema version {done.from_version} to "
        f"{SCHEMA_VERSION}.{kept}"
    )


def backup(
    file: Annotated[Path, typer.Argument(help="New file; must not be there yet.")],
) -> None:
    """Copy the database to a new file, also while a worker writes. Works for PostgreSQL as well.

    The copy is an SQLite file: `setgf --db FILE runs list` reads it.

    Example: setgf db backup /backups/setgf-monday.db
    """
    from db import transfer

    database = open_existing()
    try:
        size = transfer.backup(database, file.expanduser().absolute())
    finally:
        database.close()
    say(f"Copied {database.where} to {file} ({size_in_words(size)}).")


def restore(
    file: Annotated[Path, typer.Argument(help="A file that `setgf db backup` made.")],
) -> None:
    """Put a backup in the place of the database; what was there is kept beside it.

    No worker may be up. Runs that are newer than the backup are found again in their folders by
    `setgf db rebuild`.

    Example: setgf db restore /backups/setgf-monday.db
    """
    from db.backup import check_backup, unused
    from db.engine import file_of
    from setgf.home import find_home

    source = file.expanduser().absolute()
    check_backup(source)
    home = find_home()
    refuse_while_live(home.database_url, or_newer=False)
    target = file_of(home.database_url)
    if target is None:
        moment = time.strftime("%Y%m%dT%H%M%S")
        aside = unused(home.root / "setgf.db", f"before-restore-{moment}")
        aside.parent.mkdir(parents=True, exist_ok=True)
        _restore_server(source, aside)
        kept = f" What was there is kept as {aside}."
    else:
        kept = _restore_file(source, target)
    say(f"Restored the run database from {file}.{kept}")
    say("Runs newer than the backup come back with `setgf db rebuild`.")


def vacuum() -> None:
    """Give the room of deleted runs back to the disk.

    Example: setgf db vacuum
    """
    from db import upkeep

    database = open_existing()
    try:
        before, after = upkeep.vacuum(database)
    finally:
        database.close()
    say(f"{database.where}: {size_in_words(before)} before, {size_in_words(after)} now.")


def stats(
    as_json: Annotated[bool, typer.Option("--json", help="Data instead of a table.")] = False,
) -> None:
    """Print how many rows and bytes every table has.

    Example: setgf db stats --json
    """
    from dataclasses import asdict

    from db import upkeep

    database = open_existing()
    try:
        size = upkeep.measure(database)
    finally:
        database.close()
    if as_json:
        say_json({"database": database.where, **asdict(size)})
        return
    rows = [
        [one.name, f"{one.rows:,}", "" if one.bytes is None else size_in_words(one.bytes)]
        for one in size.tables
    ]
    say_table(["table", "rows", "size"], rows, right=["rows", "size"])
    free = f", {size_in_words(size.free)} of it free (`setgf db vacuum`)" if size.free else ""
    log = f", {size_in_words(size.log)} of it log" if size.log else ""
    say(f"{database.where}: {size_in_words(size.bytes)} in all{log}{free}.")


def open_existing() -> Database:
    """Return the run database, which must be there; warns when it is on a network disk."""
    from db.engine import open_database
    from setgf.home import find_home

    database = open_database(find_home().database_url, create=False)
    tell_if_shared(database)
    tell_if_new(database)
    return database


def size_in_words(size: float) -> str:
    """Return bytes with a unit: `1.5 MiB`."""
    for unit in _UNITS[:-1]:
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} {_UNITS[-1]}"


def _restore_file(source: Path, target: Path) -> str:
    """Build beside the old file, then change places: a failure leaves the old one as it is."""
    from db.backup import copy_file, unused
    from db.engine import open_database
    from db.salvage import put_in_place

    target.parent.mkdir(parents=True, exist_ok=True)
    new, aside = unused(target, "new"), unused(target, "old")
    try:
        copy_file(source, new)
        database = open_database(str(new))  # an older backup is brought to this version
        database.close()
        if database.upgrade is not None and database.upgrade.backup is not None:
            database.upgrade.backup.unlink()  # the backup itself is that copy
        had_one = target.exists()
        put_in_place(new, target, aside)
    finally:
        for suffix in ("", "-wal", "-shm"):
            Path(f"{new}{suffix}").unlink(missing_ok=True)
    return f" What was there is kept as {aside}." if had_one else ""


def _restore_server(source: Path, aside: Path) -> None:
    from db import transfer
    from db.engine import open_database
    from setgf.home import find_home

    database = open_database(find_home().database_url)
    try:
        transfer.backup(database, aside)
        transfer.replace_contents(database, source)
    finally:
        database.close()


def refuse_while_live(url: str, *, or_newer: bool) -> None:
    """Refuse what would change the database under a worker; one that is damaged has none.

    Args:
        url: of the database.
        or_newer: refuse as well to replace the database of a later setgf.

    Raises:
        JobStateError: a worker is up.
        SchemaTooNewError: a later setgf wrote the database, and `or_newer` is set.
    """
    from db.engine import open_database
    from db.errors import DatabaseCorruptError, JobStateError, NotFoundError, SchemaTooNewError
    from db.query import Query

    try:
        with closing(open_database(url, create=False)) as database:
            live = [worker for worker in Query(database).workers() if _is_live(worker)]
    except (NotFoundError, DatabaseCorruptError):
        return  # that is what one restores and rebuilds for
    except SchemaTooNewError:
        if or_newer:
            raise
        return
    if live:
        worker = live[0]
        raise JobStateError(
            f"Worker `{worker.id}` (pid {worker.pid} on {worker.host}) has the run database open. "
            "Stop it first with `setgf worker stop`."
        )


def _is_live(worker: Worker) -> bool:
    """Return True for a worker that runs: on this machine by its process, else by its word."""
    from setgf.worker.supervision import boot_id, is_running

    if worker.state == "stopped":
        return False
    if worker.boot_id == boot_id():
        return is_running(worker.pid, worker.pid_start, worker.boot_id)
    return worker.state == "alive"
