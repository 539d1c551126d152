"""`setgf runs import`: runs of another home, of an export, of TensorBoard or of MMSA."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from setgf.cli.job_words import open_queue
from setgf.cli.output import note, say, say_json
from setgf.cli.run_text import show_text
from setgf.terms import Dataset

if TYPE_CHECKING:
    from setgf.runs.exchange import Entry
    from setgf.runs.staging import Staging

Kind = Literal["database", "jsonl", "tensorboard", "mmsa"]
_SQLITE = b"SQLite format 3\x00"


def import_runs(
    path: Annotated[
        Path, typer.Argument(help="Database, home, exported .jsonl, event files, or MMSA's .csv.")
    ],
    kind: Annotated[
        Kind | None, typer.Option("--kind", help="What it is; default: found out.")
    ] = None,
    dataset: Annotated[
        Dataset | None, typer.Option(help="Data set of TensorBoard's or MMSA's runs.")
    ] = None,
    data: Annotated[
        str | None, typer.Option(help="Feature store to name as theirs; default: the data set.")
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="Model of TensorBoard's runs, or of all in MMSA's file.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of TensorBoard's runs.")] = 0,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Read everything; import nothing.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Take runs over from elsewhere: all that PATH holds, or on an error none.

    They become run folders like all others, without checkpoints. A run that is here already is
    left as it is, so importing twice changes nothing.

    Example: setgf runs import ../other/setgf.db
    """
    from setgf.home import find_home
    from setgf.runs.folder import RunFolder
    from setgf.runs.staging import Staging
    from setgf.worker.rebuild import index_run

    found = kind or _recognise(path)
    home = find_home()
    with (
        closing(open_queue()) as database,
        Staging(home, known=(known := _known(database)), source=str(path.absolute())) as staging,
    ):
        if found == "database":
            _take_database(staging, path)
        else:
            staging.take(_entries(found, path, dataset, data, model, seed))
        if not dry_run:
            # An import that was killed between the two left folders that no row knows.
            forgotten = [home.runs / one for one in staging.skipped if one not in known]
            for folder in (*staging.place(), *map(RunFolder, forgotten)):
                index_run(database, folder)
    _tell(staging, dry_run=dry_run, as_json=as_json)


def _recognise(path: Path) -> Kind:
    from setgf.errors import DataError
    from setgf.runs.tensorboard import find_folders, is_event_file

    if path.is_dir():
        if (path / "setgf.db").is_file():
            return "database"
        if find_folders(path):
            return "tensorboard"
    elif path.is_file():
        if is_event_file(path):
            return "tensorboard"
        with path.open("rb") as file:
            head = file.read(len(_SQLITE))
        if head == _SQLITE:
            return "database"
        if path.suffix.lower() == ".csv":
            return "mmsa"
        if head.lstrip().startswith(b"{"):
            return "jsonl"
    else:
        raise DataError(f"There is nothing at {path} to import.")
    raise DataError(
        f"{path} holds no runs that are known: expected a database or home of setgf, JSON lines of "
        "`setgf runs export --what all`, TensorBoard event files, or a result CSV of MMSA. "
        "Say what it is with `--kind`."
    )


def _known(database: Any) -> frozenset[str]:
    """Return the ids of all runs that are here, in lists or not."""
    from sqlalchemy import select

    from db.tables import runs

    with database.read() as connection:
        return frozenset(connection.execute(select(runs.c.id)).scalars())


def _take_database(staging: Staging, path: Path) -> None:
    """Take every run of another database, the archived too; it is only read."""
    from db.engine import open_database
    from db.query import Query
    from setgf.cli.run_lines import all_of
    from setgf.runs.exchange import Entry

    file = path / "setgf.db" if path.is_dir() else path
    with closing(open_database(str(file.absolute()), read_only=True, create=False)) as other:
        query = Query(other)
        runs = query.runs(sort="created", archived=True)
        staging.take(Entry(str(file), record) for record in all_of(query, runs))


def _entries(
    kind: Kind,
    path: Path,
    dataset: Dataset | None,
    data: str | None,
    model: str | None,
    seed: int,
) -> Iterable[Entry]:
    from setgf.runs.exchange import Entry, read_entries

    if kind == "jsonl":
        return read_entries(path)
    if kind == "mmsa":
        from setgf.cli.run_foreign import of_mmsa

        records = of_mmsa(path, dataset=dataset, data=data, model=model)
    else:
        from setgf.cli.run_foreign import of_tensorboard

        records = of_tensorboard(path, dataset=dataset, data=data, model=model, seed=seed)
    return (Entry(str(path), record) for record in _with_notes(records))


def _with_notes(records: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield the records; say what was left out instead of taking it."""
    for record in records:
        if "remark" in record:
            note(f"setgf: warning: {record['remark']}")
        else:
            yield record


def _tell(staging: Staging, *, dry_run: bool, as_json: bool) -> None:
    runs, skipped = staging.runs, staging.skipped
    if as_json:
        told = [{"id": run["id"], "name": run["name"]} for run in runs]
        say_json({"imported": told, "skipped": skipped, "dry_run": dry_run})
        return
    for run in runs:
        say(f"{run['id']}  {show_text(run['name'])}")
    if skipped:
        note(f"{_count(len(skipped))} already here, left as they are.")
    note(f"{'Would import' if dry_run else 'Imported'} {_count(len(runs))}.")


def _count(number: int) -> str:
    return "1 run" if number == 1 else f"{number} runs"
