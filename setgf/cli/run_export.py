"""`setgf runs export`: runs, points, predictions or settings as CSV, JSON lines or Parquet."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any, Literal

import typer

from setgf.cli.completion import complete_run
from setgf.cli.output import note

if TYPE_CHECKING:
    from db.query import Query
    from db.records import Run

Format = Literal["csv", "jsonl", "parquet"]
What = Literal["runs", "points", "predictions", "config", "all"]
_FORMATS: tuple[Format, ...] = ("csv", "jsonl", "parquet")


def export_runs(
    ids: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[IDS]", help="Ids of runs; default: all runs.", autocompletion=complete_run
        ),
    ] = None,
    where: Annotated[str | None, typer.Option(help="Only runs that match a filter.")] = None,
    archived: Annotated[bool, typer.Option("--archived", help="Archived runs too.")] = False,
    what: Annotated[
        What, typer.Option(help="A row a run, point, prediction or setting; or all of it.")
    ] = "runs",
    format: Annotated[  # noqa: A002 - the option's name
        Format | None, typer.Option(help="Default: what the file's name ends with, else csv.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File to write; default: print.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
) -> None:
    """Write runs to a file, unrounded and in full.

    `--what all --format jsonl` holds everything of a run but its checkpoints; `setgf runs import`
    reads it back.

    Example: setgf runs export --where 'model == "setgf"' --what all -o runs.jsonl
    """
    from setgf.cli.job_words import ask_queue
    from setgf.home import users_umask

    chosen = _format(format, what, output)
    _check(chosen, what, output, force=force)
    with ask_queue() as query:
        runs = _find(query, ids, where, archived=archived)
        records = _records(query, runs, what, chosen)
        if output is None:
            _write(sys.stdout, records, chosen, what, runs)
        else:
            with users_umask():
                _write_file(output, records, chosen, what, runs)
    if output is not None:
        count = "1 run" if len(runs) == 1 else f"{len(runs)} runs"
        note(f"Wrote {what if what != 'all' else 'all'} of {count} to {output}.")


def _format(format: Format | None, what: What, output: Path | None) -> Format:  # noqa: A002
    if format is not None:
        return format
    for known in _FORMATS:
        if output is not None and output.suffix == f".{known}":
            return known
    return "jsonl" if what == "all" else "csv"


def _check(format: Format, what: What, output: Path | None, *, force: bool) -> None:  # noqa: A002
    """Refuse what can't be written, before anything is read."""
    from setgf.errors import ConfigError

    if what == "all" and format != "jsonl":
        raise ConfigError(
            f"All of a run does not fit into one {format} table; use `--format jsonl`, or one of "
            "`--what runs`, `points`, `predictions`, `config`."
        )
    if format == "parquet":
        from setgf.cli.run_parquet import check_parquet

        check_parquet()
        if output is None:
            raise ConfigError("Parquet is no text to print; name a file with `--output`.")
    if output is not None and output.exists() and not force:
        raise ConfigError(f"{output} is there already. Name another file, or add `--force`.")


def _find(
    query: Query, ids: Sequence[str] | None, where: str | None, *, archived: bool
) -> Sequence[Run]:
    from setgf.errors import ConfigError

    if ids and where:
        raise ConfigError("Name either ids of runs or `--where`, not both.")
    if ids:
        return list({run.id: run for run in map(query.run, ids)}.values())
    return query.runs(where=where, archived=archived)


def _records(
    query: Query,
    runs: Sequence[Run],
    what: What,
    format: Format,  # noqa: A002
) -> Iterator[dict[str, Any]]:
    from setgf.cli import run_lines

    match what:
        case "all":
            return run_lines.all_of(query, runs)
        case "points":
            return run_lines.points_of(query, runs)
        case "predictions":
            return run_lines.predictions_of(query, runs)
        case "config" if format == "jsonl":
            return ({"run_id": run.id, "config": dict(run.config)} for run in runs)
        case "config":
            return run_lines.settings_of(runs)
        case "runs" if format == "jsonl":
            return (run_lines.run_line(query.detail(run.id)) for run in runs)
        case "runs":
            return run_lines.flat_runs(runs)


def _write_file(
    output: Path,
    records: Iterable[dict[str, Any]],
    format: Format,  # noqa: A002
    what: What,
    runs: Sequence[Run],
) -> None:
    """Write a file that is there whole or not at all."""
    temporary = output.with_name(f".{output.name}.{os.getpid()}")
    try:
        if format == "parquet":
            from setgf.cli.run_parquet import write_parquet

            write_parquet(temporary, records, _columns(what, runs), what)
        else:
            with temporary.open("w", encoding="utf-8", newline="") as file:
                _write(file, records, format, what, runs)
        temporary.replace(output)
    finally:
        temporary.unlink(missing_ok=True)


def _write(
    file: IO[str],
    records: Iterable[dict[str, Any]],
    format: Format,  # noqa: A002
    what: What,
    runs: Sequence[Run],
) -> None:
    if format == "jsonl":
        from setgf.runs.exchange import to_json

        file.writelines(to_json(record) + "\n" for record in records)
        return
    from setgf.runs.csv_lines import CsvLines

    columns, csv = _columns(what, runs), CsvLines()
    file.write(csv.line(columns))
    file.writelines(csv.line(_cell(record.get(name)) for name in columns) for record in records)


def _columns(what: What, runs: Sequence[Run]) -> list[str]:
    """Return the names of a table's columns; those of runs are of all runs together."""
    from setgf.cli import run_lines

    fixed = {
        "points": "run_id series step epoch value time",
        "predictions": "run_id split sample_id label prediction text audio vision",
        "config": "run_id setting value",
    }
    if what in fixed:
        return fixed[what].split()
    names = {name: None for record in run_lines.flat_runs(runs) for name in record}
    order = ("config.", "metrics.")
    plain = [name for name in names if not name.startswith(order)]
    rest = [sorted(name for name in names if name.startswith(begin)) for begin in order]
    return [*plain, *rest[0], *rest[1]]


def _cell(value: Any) -> Any:
    """Return a value as a CSV cell: all digits of a float, truths as they are typed."""
    if isinstance(value, bool):
        return str(value).lower()
    return repr(value) if isinstance(value, float) else value
