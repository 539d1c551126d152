"""`setgf runs`: list, show, tag, note, rename and archive runs; the rest is in `run_*.py`."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

import typer

from setgf.cli import run_delete, run_diff, run_export, run_import, run_repro
from setgf.cli.completion import complete_run
from setgf.cli.job_words import actor
from setgf.cli.output import note as remark
from setgf.cli.output import say, say_json
from setgf.cli.run_text import say_plain_table, show_text

if TYPE_CHECKING:
    from db.records import Run

_T = TypeVar("_T")
NOTHING_YET = (
    "No runs yet. Train one with `setgf train`, or queue some with `setgf queue add --data NAME "
    "--model setgf --seeds 1111-1115`."
)

app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="The record of every experiment."
)

RunId = Annotated[
    str, typer.Argument(help="Id of the run, or its first characters.", autocompletion=complete_run)
]
AsJson = Annotated[bool, typer.Option("--json", help="Unrounded data instead of a table.")]


@app.command("list")
def list_runs(
    where: Annotated[
        str | None, typer.Option(help='Only runs that match, as `test.mae < 0.8 and tag == "x"`.')
    ] = None,
    sort: Annotated[
        str | None, typer.Option(help="Columns to sort by, as `test.mae` or `-created`.")
    ] = None,
    columns: Annotated[
        str | None,
        typer.Option(help="Columns, settings and metrics: `name,optim.lr,test.acc7,valid.mae`."),
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Runs to list at most.")] = None,
    archived: Annotated[bool, typer.Option("--archived", help="Archived runs too.")] = False,
    trashed: Annotated[bool, typer.Option("--trash", help="Runs in the trash instead.")] = False,
    format: Annotated[  # noqa: A002 - the option's name
        Literal["table", "json", "csv"], typer.Option(help="Rounded for reading, or data.")
    ] = "table",
    as_json: Annotated[bool, typer.Option("--json", help="The same as `--format json`.")] = False,
) -> None:
    """List runs, the newest first.

    Example: setgf runs list --columns name,optim.lr,test.acc7 --sort test.mae --limit 9
    """
    from db.run_list import Choice
    from setgf.cli.run_table import (
        DEFAULT_COLUMNS,
        as_csv,
        as_table,
        join_progress,
        read_columns,
        read_plain_runs,
        read_rows,
    )

    shown = _format(format, as_json=as_json)
    choice = Choice(where=where, sort=sort, archived=archived, trashed=trashed, limit=limit)
    if shown == "json" and columns is None:
        say_json(_unless_new(lambda url: read_plain_runs(url, choice)))
        return
    names = read_columns(columns) if columns is not None else DEFAULT_COLUMNS
    rows = _unless_new(lambda url: read_rows(url, names, choice))
    if shown == "json":
        say_json([dict(zip(names, row, strict=True)) for row in rows])
    elif shown == "csv":
        say(as_csv(names, rows))
    elif rows:
        headed = join_progress(names, rows) if columns is None else (names, rows)
        headings, cells, numbers = as_table(*headed)
        say_plain_table(headings, cells, right={*numbers, "epoch"})
    else:
        remark(_why_nothing(where, trashed=trashed))


@app.command("show")
def show_run(run_id: RunId, as_json: AsJson = False) -> None:
    """Show everything stored of a run.

    Example: setgf runs show 4kz2
    """
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
    """Put tags on a run, or take them off.

    Example: setgf runs tag 4kz2 baseline paper
    """
    from db.runs import add_tag, remove_tag
    from setgf.errors import ConfigError

    for tag in tags:
        if not tag.strip() or any(char in tag for char in " ,\t\n") or show_text(tag) != tag:
            raise ConfigError(f"A tag is one word without commas, but `{show_text(tag)}` is not.")
    change = remove_tag if remove else add_tag
    run = _change(run_id, [(change, {"tag": tag}) for tag in tags])
    say(f"Run {run.id} has {'the tags ' + ', '.join(run.tags) if run.tags else 'no tags'}.")


@app.command("note")
def note_run(
    run_id: RunId, text: Annotated[str, typer.Argument(help="The note; empty removes it.")]
) -> None:
    """Write a note on a run, in place of the one it had.

    Example: setgf runs note 4kz2 'Best so far; the labels are of March.'
    """
    from db.runs import set_note

    run = _change(run_id, [(set_note, {"note": _checked(text, "The note")})])
    say(f"Run {run.id} has {'a new note' if text else 'no note'}.")


@app.command("rename")
def rename_run(
    run_id: RunId, name: Annotated[str, typer.Argument(help="The new name; any text.")]
) -> None:
    """Give a run another name.

    Example: setgf runs rename 4kz2 setgf-without-consistency
    """
    from db.runs import rename
    from setgf.errors import ConfigError

    if not name.strip():
        raise ConfigError("A run's name must have letters, but is empty.")
    run = _change(run_id, [(rename, {"name": _checked(name, "The name")})])
    say(f"Run {run.id} is called {show_text(run.name)}.")


@app.command("archive")
def archive_run(run_id: RunId) -> None:
    """Take a run out of lists and comparisons; nothing is deleted.

    Example: setgf runs archive 4kz2
    """
    from db.runs import archive

    run = _change(run_id, [(archive, {"archived": True})])
    say(f"Run {run.id} is archived. `setgf runs restore {run.id}` brings it back.")


app.command("restore")(run_delete.restore_runs)
app.command("delete")(run_delete.delete_runs)
app.command("diff")(run_diff.diff_runs)
app.command("repro")(run_repro.reproduce)
app.command("export")(run_export.export_runs)
app.command("import")(run_import.import_runs)


def _change(run_id: str, changes: list[tuple[Callable[..., None], dict[str, Any]]]) -> Run:
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
                    change(connection, full_id, **arguments, actor=actor(), now=time.time())
        finally:
            database.close()
        return reader.run(full_id)


def _checked(text: str, what: str) -> str:
    """Return text that can be stored: the bytes a shell hands in may be no text at all."""
    from setgf.errors import ConfigError

    try:
        text.encode()
    except UnicodeEncodeError:
        raise ConfigError(f"{what} must be text in UTF-8, but is `{show_text(text)}`.") from None
    if "\x00" in text:
        raise ConfigError(f"{what} must have no zero byte in it, but is `{show_text(text)}`.")
    return text


def _unless_new(read: Callable[[str], list[_T]]) -> list[_T]:
    """Read from this home's database; where none is yet, it has no runs, and that is no error."""
    from db.errors import NotFoundError
    from setgf.home import find_home

    try:
        return read(find_home().database_url)
    except NotFoundError as error:
        remark(str(error))
        return []


def _format(format: str, *, as_json: bool) -> str:  # noqa: A002 - the option's name
    from setgf.errors import ConfigError

    if as_json and format == "csv":
        raise ConfigError("Name either `--json` or `--format csv`, not both.")
    return "json" if as_json else format


def _why_nothing(where: str | None, *, trashed: bool) -> str:
    if where:
        return "No run matches."
    return "The trash is empty." if trashed else NOTHING_YET
