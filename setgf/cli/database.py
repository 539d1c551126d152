"""`setgf db`: where the run database is, what is in it, whether it is sound, and plain SQL."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from setgf.cli import database_care, database_rebuild
from setgf.cli.database_care import open_existing, size_in_words
from setgf.cli.output import say, say_json, say_table
from setgf.runs.csv_lines import CsvLines

if TYPE_CHECKING:
    from db.engine import Database

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="The run database: look, check, back up, rebuild.",
)

app.command("rebuild")(database_rebuild.rebuild_database)
app.command("upgrade")(database_care.upgrade)
app.command("backup")(database_care.backup)
app.command("restore")(database_care.restore)
app.command("vacuum")(database_care.vacuum)
app.command("stats")(database_care.stats)

_COUNTED = ("runs", "jobs", "groups", "attempts", "series", "points", "predictions", "checkpoints")


@app.command("path")
def show_path() -> None:
    """Print the file of the run database, or its URL without the password.

    Example: setgf db path
    """
    from db.engine import file_of, without_password
    from setgf.home import find_home

    url = find_home().database_url
    say(str(file_of(url) or without_password(url)))


@app.command("info")
def show_info(
    as_json: Annotated[bool, typer.Option("--json", help="Data instead of lines.")] = False,
) -> None:
    """Print what is in the run database, by table.

    Example: setgf db info --json
    """
    database = open_existing()
    try:
        facts = _facts(database)
    finally:
        database.close()
    if as_json:
        say_json(facts)
        return
    for name, value in facts.items():
        shown = size_in_words(value) if name == "bytes" else value
        say(f"{'size' if name == 'bytes' else name:16}{shown}")


@app.command("check")
def check() -> None:
    """Read the whole database and say whether it is sound; exit code 4 when it is not.

    Example: setgf db check
    """
    from db.errors import DatabaseCorruptError

    database = open_existing()
    try:
        problems = database.check()
    finally:
        database.close()
    if problems:
        listed = "\n".join(problems)
        raise DatabaseCorruptError(
            f"The run database `{database.where}` is damaged. Make it anew from the run folders "
            f"with `setgf db rebuild`.\n{listed}"
        )
    say(f"{database.where} is sound.")


@app.command("sql")
def run_sql(
    query: Annotated[str, typer.Argument(help='One SELECT, as "SELECT * FROM run_summary".')],
    output: Annotated[
        Literal["table", "csv", "json"], typer.Option("--format", help="How to print the rows.")
    ] = "table",
) -> None:
    """Run one SELECT on the tables and the views run_summary, leaderboard, queue and point.

    Nothing can be changed by it.

    Example: setgf db sql "SELECT model, seeds, mae FROM leaderboard" --format csv
    """
    from db.plain_sql import read_sql

    database = open_existing()
    try:
        columns, rows = read_sql(database, query)
    finally:
        database.close()
    if output == "json":
        say_json([dict(zip(columns, row, strict=True)) for row in rows])
    elif output == "csv":
        say(_as_csv(columns, rows))
    else:
        numbers = [
            name
            for index, name in enumerate(columns)
            if rows and all(isinstance(row[index], int | float | None) for row in rows)
        ]
        say_table(columns, [[_cell(value) for value in row] for row in rows], right=numbers)


def _facts(database: Database) -> dict[str, Any]:
    from sqlalchemy import func, select

    from db.migrations import SCHEMA_VERSION
    from db.tables import metadata

    facts: dict[str, Any] = {"database": database.where, "schema version": SCHEMA_VERSION}
    if database.path is not None:
        facts["bytes"] = database.path.stat().st_size
    with database.read() as connection:
        for name in _COUNTED:
            counted = select(func.count()).select_from(metadata.tables[name])
            facts[name] = connection.execute(counted).scalar_one()
    return facts


def _as_csv(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    csv = CsvLines()
    return "".join(map(csv.line, (columns, *rows))).removesuffix("\n")


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else str(value)
