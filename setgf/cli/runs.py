"""`setgf runs`: list, show, tag, note, archive and restore runs."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from setgf.cli.output import note as remark
from setgf.cli.output import say, say_json, say_table

if TYPE_CHECKING:
    from db.records import Run

ACTOR = "cli"
NOTHING_YET = (
    "No runs yet. Train one with `setgf train`, or queue some with `setgf queue add --data NAME "
    "--model setgf --seeds 1111-1115`."
)

app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="The record of every experiment."
)

RunId = Annotated[str, typer.Argument(help="Id of the run, or its first characters.")]
AsJson = Annotated[bool, typer.Option("--json", help="Unrounded data instead of a table.")]


@app.command("list")
def list_runs(
    where: Annotated[
        str | None, typer.Option(help='Only runs that match, as `test.mae < 0.8 and tag == "x"`.')
    ] = None,
    sort: Annotated[
        str | None, typer.Option(help="Column to sort by, as `test.mae` or `-created_at`.")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Runs to list at most.")] = None,
    archived: Annotated[bool, typer.Option("--archived", help="Archived runs too.")] = False,
    as_json: AsJson = False,
) -> None:
    """List runs, the newest first."""
    from setgf.cli.stored_runs import read_runs

    runs = read_runs(where=where, sort=sort, limit=limit, archived=archived)
    if as_json:
        say_json([asdict(run) for run in runs])
        return
    if not runs:
        remark("No run matches." if where else NOTHING_YET)
        return
    columns = ("id", "state", "name", "data", "model", "seed", "epoch", "valid", "test mae", "note")
    say_table(
        columns, [_list_row(run) for run in runs], right=("seed", "epoch", "valid", "test mae")
    )


@app.command("show")
def show_run(run_id: RunId, as_json: AsJson = False) -> None:
    """Show everything stored of a run."""
    from db import query
    from setgf.cli.run_detail import describe
    from setgf.home import find_home

    with query.open(find_home().database_url) as database:
        detail = database.detail(run_id)
    if as_json:
        say_json(asdict(detail))
    else:
        say("\n".join(describe(detail, now=time.time())))


@app.command("tag")
def tag_run(
    run_id: RunId,
    tags: Annotated[list[str], typer.Argument(help="Words to put on the run.")],
    remove: Annotated[bool, typer.Option("--remove", help="Take them off instead.")] = False,
) -> None:
    """Put tags on a run, or take them off."""
    from db.runs import add_tag, remove_tag
    from setgf.errors import ConfigError

    bad = [tag for tag in tags if not tag.strip() or any(char in tag for char in " ,\t\n")]
    if bad:
        raise ConfigError(f"A tag is one word without commas, but `{bad[0]}` is not.")
    change = remove_tag if remove else add_tag
    run = _change(run_id, [(change, {"tag": tag}) for tag in tags])
    say(f"Run {run.id} has {'the tags ' + ', '.join(run.tags) if run.tags else 'no tags'}.")


@app.command("note")
def note_run(
    run_id: RunId, text: Annotated[str, typer.Argument(help="The note; empty removes it.")]
) -> None:
    """Write a note on a run, in place of the one it had."""
    from db.runs import set_note

    run = _change(run_id, [(set_note, {"note": text})])
    say(f"Run {run.id} has {'a new note' if text else 'no note'}.")


@app.command("archive")
def archive_run(run_id: RunId) -> None:
    """Take a run out of lists and comparisons; nothing is deleted."""
    from db.runs import archive

    run = _change(run_id, [(archive, {"archived": True})])
    say(f"Run {run.id} is archived. `setgf runs restore {run.id}` brings it back.")


@app.command("restore")
def restore_run(run_id: RunId) -> None:
    """Bring an archived run back into lists."""
    from db.runs import archive

    run = _change(run_id, [(archive, {"archived": False})])
    say(f"Run {run.id} is back in lists.")


def _change(run_id: str, changes: list[tuple[Any, dict[str, Any]]]) -> Run:
    """Make all changes to a run in one transaction, or none, and return it as it is then."""
    from db import query
    from db.engine import open_database
    from setgf.home import find_home

    url = find_home().database_url
    with query.open(url) as reader:
        full_id = reader.run(run_id).id
        database = open_database(url)
        try:
            with database.write() as connection:
                for change, arguments in changes:
                    change(connection, full_id, **arguments, actor=ACTOR, now=time.time())
        finally:
            database.close()
        return reader.run(full_id)


def _list_row(run: Run) -> tuple[str, ...]:
    from setgf.analysis.display import show_value

    return (
        run.id,
        str(run.state),
        run.name,
        run.data_name,
        run.model,
        str(run.seed),
        f"{run.epoch}/{run.max_epochs}",
        show_value(run.monitor, run.best_valid),
        show_value("mae", run.metrics.get("test.mae")),
        run.note.splitlines()[0] if run.note else "",
    )
