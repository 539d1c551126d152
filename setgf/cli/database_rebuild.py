"""`setgf db rebuild`: the database anew from the run folders, on a file or on a server."""

from __future__ import annotations

import time
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from setgf.cli.database_care import refuse_while_live
from setgf.cli.output import note, say

if TYPE_CHECKING:
    from setgf.home import Home


def rebuild_database() -> None:
    """Make the database anew from the run folders; what was there is kept beside it.

    Queue, tags, notes and history stand in no folder: they are taken over from the old database as
    far as it can be read. No worker may be up. A server's contents change in one transaction; they
    are kept as a file in the home folder first.

    Example: setgf db rebuild
    """
    from db.engine import file_of
    from setgf.home import find_home

    home = find_home()
    refuse_while_live(home.database_url, or_newer=True)
    target = file_of(home.database_url)
    if target is None:
        where, num_runs, problems, kept = _rebuild_server(home)
    else:
        where = str(target)
        num_runs, problems, kept = _rebuild_file(home, target)
    for problem in problems:
        note(f"setgf: warning: {problem}")
    say(f"Made {where} anew from {num_runs} runs.{kept}")


def _rebuild_file(home: Home, target: Path) -> tuple[int, tuple[str, ...], str]:
    """Build beside the old file, then change places: a failure leaves the old one as it is."""
    from db.backup import unused
    from db.salvage import put_in_place

    had_one = target.exists()
    new, aside = unused(target, "new"), unused(target, "old")
    try:
        num_runs, problems = _build(home, target, new)
        put_in_place(new, target, aside)
    finally:
        for suffix in ("", "-wal", "-shm"):
            Path(f"{new}{suffix}").unlink(missing_ok=True)
    return num_runs, problems, f" The old file is kept as {aside}." if had_one else ""


def _rebuild_server(home: Home) -> tuple[str, int, tuple[str, ...], str]:
    """Keep what is there as a file, build another from that, and put it on the server at once."""
    from db import transfer
    from db.backup import unused
    from db.engine import open_database

    home.root.mkdir(parents=True, exist_ok=True)
    moment = time.strftime("%Y%m%dT%H%M%S")
    aside = unused(home.root / "setgf.db", f"before-rebuild-{moment}")
    with (
        closing(open_database(home.database_url)) as database,
        TemporaryDirectory(prefix=".setgf-", dir=home.root) as folder,
    ):
        transfer.backup(database, aside)
        new = Path(folder) / "setgf.db"
        num_runs, problems = _build(home, aside, new)
        transfer.replace_contents(database, new)
        return database.where, num_runs, problems, f" What was there is kept as {aside}."


def _build(home: Home, old: Path, new: Path) -> tuple[int, tuple[str, ...]]:
    """Make the file `new` from the run folders and what only the file `old` knows."""
    from db.engine import open_database
    from db.salvage import restore_marks, salvage
    from setgf.worker.rebuild import rebuild

    with closing(open_database(str(new))) as database:
        problems = salvage(old, database) if old.exists() else ()
        num_runs, left_out = rebuild(home, database)
        if old.exists():
            restore_marks(old, database)
    return num_runs, (*problems, *left_out)
