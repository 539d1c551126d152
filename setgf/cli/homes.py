"""`setgf home`: where everything lives, and who may use it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

from setgf.cli.output import note, say, say_json

if TYPE_CHECKING:
    from setgf.home import Home
    from setgf.worker.permissions import Change

app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="The folder of everything: show, share."
)


@app.command()
def show(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show where everything lives, whose it is and who may use it.

    Example: setgf home show
    """
    from setgf.home import find_home, user_name
    from setgf.worker.permissions import group_name

    home = find_home()
    if not home.root.exists():
        if as_json:
            say_json({"folder": str(home.root), "exists": False})
        else:
            say(f"{home.root} is not there yet; the first command that stores something makes it.")
        return
    status = home.root.stat()
    group = group_name(status.st_gid) if home.is_shared else None
    owner, mode = user_name(status.st_uid), f"{status.st_mode & 0o7777:04o}"
    if as_json:
        say_json({"folder": str(home.root), "exists": True, "owner": owner, "group": group,
                  "mode": mode})  # fmt: skip
        return
    whose = f"shared with the Unix group {group}" if group else "private"
    say(f"{home.root}: of {owner}, {whose} (mode {mode})")


@app.command()
def share(
    group: Annotated[str, typer.Option(help="Unix group whose members may use it.")],
) -> None:
    """Share queue, runs and data with a Unix group of this machine.

    Members may look at everything, queue jobs, and cancel or edit anybody's. A job runs as the user
    whose worker claims it. `notify.toml` stays yours alone.

    Example: setgf home share --group lab
    """
    from setgf.worker import permissions

    home = _quiet_home()
    change = permissions.share(home, group)
    say(f"{home.root} is shared with the group {group} ({change.num_files} files).")
    say(f"Members name it: export SETGF_HOME={home.root}")
    _tell_refused(change)
    _tell_closed_way(home)


@app.command()
def private() -> None:
    """Take the home back from the group: it is yours alone again.

    Example: setgf home private
    """
    from setgf.worker import permissions

    home = _quiet_home()
    change = permissions.make_private(home)
    say(f"{home.root} is private ({change.num_files} files).")
    _tell_refused(change)


def _quiet_home() -> Home:
    """Return the home when no worker works in it: it would go on making files of the old kind.

    Raises:
        WorkerError: one does.
        ConfigError: the home is another's.
    """
    from db.errors import NotFoundError
    from setgf.cli.job_words import ask_queue
    from setgf.cli.worker_words import living_workers
    from setgf.errors import ConfigError, WorkerError
    from setgf.home import find_home, user_name

    home = find_home()
    if home.root.exists() and home.root.stat().st_uid not in (os.geteuid(), 0):
        owner = user_name(home.root.stat().st_uid)
        raise ConfigError(f"Only `{owner}`, whose folder it is, can change who uses {home.root}.")
    try:
        with ask_queue() as query:
            living = living_workers(query)
    except NotFoundError:
        return home
    if living:
        raise WorkerError(
            f"Worker {living[0].id} is running and would go on making files of the old kind. "
            "Stop it first with `setgf worker stop --now`."
        )
    return home


def _tell_refused(change: Change) -> None:
    if change.num_refused:
        note(f"setgf: warning: {change.num_refused} files and folders of other users stay as they "
             "are; only their owners can change them.")  # fmt: skip


def _tell_closed_way(home: Home) -> None:
    """Say when a folder above keeps the group out: a user's own home usually does."""
    for parent in home.root.parents:
        if not parent.stat().st_mode & 0o011:
            note(f"setgf: warning: {parent} lets nobody else through (mode "
                 f"{parent.stat().st_mode & 0o7777:04o}); a folder like /srv/setgf is a better "
                 "place for a shared home.")  # fmt: skip
            return
