"""`setgf queue undo|history`: what users did to the queue, and taking it back."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import asdict
from typing import Annotated

import typer

from setgf.cli.job_words import actor, open_queue, show_moment
from setgf.cli.output import note, say, say_json
from setgf.cli.queue_select import AsJson


def undo(
    action: Annotated[
        int | None,
        typer.Argument(metavar="ACTION", help="Number from `setgf queue history`.", min=1),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Take back the last thing you did to the queue, or one action by its number.

    Jobs that have moved on meanwhile stay as they are, and are said.

    Example: setgf queue undo
    """
    from db.jobs import undo as undo_action

    with closing(open_queue(create=False)) as database, database.write() as connection:
        undone = undo_action(connection, actor(), time.time(), action)
    if as_json:
        say_json(asdict(undone))
        return
    say(f"Undone: {undone.what} (action {undone.id}).")
    for sentence in undone.refused:
        note(sentence)


def history(
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Actions to show.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List what users did to the queue, the newest last; `setgf queue undo` takes it back.

    Example: setgf queue history --limit 50
    """
    from db.errors import NotFoundError
    from db.jobs import list_actions
    from setgf.cli.run_text import say_plain_table

    try:
        with closing(open_queue(create=False)) as database, database.read() as connection:
            found = list_actions(connection, limit)
    except NotFoundError:
        found = ()
    if as_json:
        say_json([asdict(action) for action in found])
        return
    if not found:
        say("Nothing was done to the queue yet.")
        return
    rows = [
        (
            str(action.id),
            show_moment(action.at),
            action.actor,
            action.what,
            _jobs(action.job_ids),
            "" if action.undone_at is None else f"undone {show_moment(action.undone_at)}",
        )
        for action in reversed(found)
    ]
    say_plain_table(("action", "at", "by", "what", "jobs", ""), rows, right=("action",))


def _jobs(ids: tuple[int, ...]) -> str:
    if len(ids) > 4:
        return f"{ids[0]}, {ids[1]}, ... ({len(ids)})"
    return ", ".join(map(str, ids))
