"""What a user should know of the run database that was just opened, said on stderr."""

from __future__ import annotations

from typing import TYPE_CHECKING

from setgf.cli.output import note

if TYPE_CHECKING:
    from db.engine import Database


def tell_if_new(database: Database) -> None:
    """Say that a database is a new one although runs are there: it was deleted or emptied."""
    if database.upgrade is None or database.upgrade.from_version != 0:
        return
    from setgf.home import find_home
    from setgf.runs.folder import list_runs

    home = find_home()
    number = len(list_runs(home))
    if number:
        note(
            f"setgf: warning: The run database `{database.where}` was missing or empty, so a new "
            f"one was made. It lacks what is in `{home.runs}` (run folders: {number}); "
            "`setgf db rebuild` brings it back."
        )


def tell_if_shared(database: Database) -> None:
    """Say that a database is on a network disk; making it has said so already."""
    from db.filesystem import network_warning

    if database.path is None or database.upgrade is not None:
        return
    warning = network_warning(database.path)
    if warning is not None:
        note(f"setgf: warning: {warning}")
