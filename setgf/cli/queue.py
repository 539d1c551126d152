"""`setgf queue`: the commands of the queue; each is in a `queue_*.py`."""

from __future__ import annotations

import typer

from setgf.cli import (
    queue_add,
    queue_change,
    queue_edit,
    queue_groups,
    queue_list,
    queue_log,
    queue_show,
    queue_undo,
    queue_wait,
)

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="The queue: add jobs, look at them, change, pause and cancel them, undo it.",
)
app.command("add")(queue_add.add)
app.command("list")(queue_list.list_jobs)
app.command("show")(queue_show.show)
for _name in queue_change.CHANGES:
    app.command(_name)(queue_change.make_change(_name))
app.command("restart")(queue_change.restart)
app.command("move")(queue_edit.move)
app.command("edit")(queue_edit.edit)
app.command("priority")(queue_edit.priority)
app.command("log")(queue_log.log)
app.command("wait")(queue_wait.wait)
app.command("clear")(queue_change.clear)
app.command("groups")(queue_groups.groups)
app.command("undo")(queue_undo.undo)
app.command("history")(queue_undo.history)
