"""`setgf gc`: says what could be removed to make room, and with `--apply` removes it."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from setgf.cli.job_words import actor, open_queue, show_duration
from setgf.cli.output import note, say, say_json
from setgf.cli.run_delete import show_size
from setgf.cli.run_text import say_plain_table

if TYPE_CHECKING:
    from db.engine import Database
    from db.records import Run
    from setgf.home import Home
    from setgf.runs.garbage import Policy, Waste

_AGE = re.compile(r"(\d+(?:\.\d+)?)\s*(h|d|w)")
_SECONDS = {"h": 3600.0, "d": 86400.0, "w": 604800.0}
KINDS = ("checkpoints", "leftovers", "trash", "caches")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ages:
    """Seconds after which a run's checkpoints, or all of it, may go; None: never."""

    archived: float | None
    trash: float | None


def collect(
    keep_best: Annotated[
        bool, typer.Option(help="Keep the checkpoint of a run's best epoch.")
    ] = True,
    keep_last: Annotated[
        int, typer.Option(min=0, help="Newest checkpoints of a run to keep; 0: none.")
    ] = 1,
    archived_older_than: Annotated[
        str, typer.Option(metavar="AGE", help="Archived so long: all checkpoints go. Or never.")
    ] = "30d",
    trash_older_than: Annotated[
        str, typer.Option(metavar="AGE", help="In the trash so long: removed for ever. Or never.")
    ] = "30d",
    apply: Annotated[
        bool, typer.Option("--apply", help="Remove it; without this nothing is removed.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Every file, as JSON.")] = False,
) -> None:
    """Find checkpoints, caches and trash that can go, and say how many bytes that frees.

    Metrics, points, predictions and settings of runs stay, but for those in the trash. A run that
    is live or waits in the queue is never touched.

    Example: setgf gc --keep-last 0 --archived-older-than 1w --apply
    """
    from setgf.home import find_home
    from setgf.runs.garbage import Policy

    policy = Policy(keep_best=keep_best, keep_last=keep_last)
    ages = _Ages(
        archived=_read_age("--archived-older-than", archived_older_than),
        trash=_read_age("--trash-older-than", trash_older_than),
    )
    home = find_home()
    with closing(open_queue(create=False)) as database:
        waste = _find(home, database, policy, ages)
        counted = _count(waste)
        if apply:
            gone = _remove(home, database, waste)
            counted = _count_gone(counted, waste, gone)
            waste = gone
    _tell(waste, counted, applied=apply, as_json=as_json)


def _find(home: Home, database: Database, policy: Policy, ages: _Ages) -> list[Waste]:
    from db.query import Query

    now = time.time()
    query = Query(database)
    known = query.runs(archived=True, trashed=True)
    listed = [run for run in known if run.trashed_at is None]
    waste = [item for run in listed for item in _of_run(home, run, policy, ages, now)]
    in_lists = {run.id for run in listed}
    deleted = _of_trash(home, [run for run in known if run.trashed_at is not None], ages, now)
    waste += [item for item in deleted if item.run_id not in in_lists]
    return [*waste, *_of_imports(home, now), *_of_cache(home)]


def _of_run(home: Home, run: Run, policy: Policy, ages: _Ages, now: float) -> list[Waste]:
    from setgf.errors import RunFolderError
    from setgf.runs.folder import RunFolder
    from setgf.runs.garbage import Policy as KeepPolicy
    from setgf.runs.garbage import find_checkpoints

    folder = RunFolder(home.run_path(run.id))
    if not _is_over(run) or not folder.path.is_dir():
        return []
    is_old = run.archived and ages.archived is not None and now - run.updated_at >= ages.archived
    try:
        if folder.is_live():
            return []
        chosen = KeepPolicy(keep_best=False, keep_last=0) if is_old else policy
        return find_checkpoints(folder, chosen)
    except RunFolderError as error:
        note(f"setgf: warning: {error} Run {run.id} is left as it is.")
        return []


def _is_over(run: Run) -> bool:
    """Return True when nothing will train the run again by itself."""
    from db.records import JobState

    return run.state.is_finished or (run.state is JobState.LOST and run.job_id is None)


def _of_trash(home: Home, runs: Sequence[Run], ages: _Ages, now: float) -> Iterator[Waste]:
    from setgf.runs.garbage import Waste
    from setgf.runs.trash import list_trash, trash_of

    if ages.trash is None:
        return
    marked = {run.id: run.trashed_at or 0.0 for run in runs}
    here = {entry.id: entry for entry in list_trash(home)}
    for run_id in sorted({*marked, *here}):
        since = marked.get(run_id) or (here[run_id].trashed_at if run_id in here else 0.0)
        if now - since >= ages.trash:
            path = here[run_id].path if run_id in here else trash_of(home) / run_id
            yield Waste("trash", path, run_id, f"deleted {show_duration(now - since)} ago")


def _of_imports(home: Home, now: float) -> Iterator[Waste]:
    """Yield what imports left that were killed; one that goes on writes all the time."""
    from setgf.runs.garbage import Waste
    from setgf.runs.staging import STAGE

    for path in sorted(home.root.glob(f"{STAGE}*")):
        if now - path.stat().st_mtime >= _SECONDS["d"]:
            yield Waste("leftovers", path, None, "of an import that was broken off")


def _of_cache(home: Home) -> Iterator[Waste]:
    """Yield what can be computed again, unless a run may be using it."""
    from setgf.runs.folder import list_runs
    from setgf.runs.garbage import Waste

    entries = sorted(home.cache.iterdir()) if home.cache.is_dir() else []
    if entries and any(run.is_live() for run in list_runs(home)):
        note("A run is live: the caches are left.")
        return
    for path in entries:
        yield Waste("caches", path, None, "can be computed again")


def _remove(home: Home, database: Database, waste: Sequence[Waste]) -> list[Waste]:
    """Remove what was found; return what is gone. What can't be removed is said and left."""
    from setgf.errors import SetgfError

    by_run: dict[str, list[Waste]] = {}
    others: list[Waste] = []
    for item in waste:
        if item.kind in ("checkpoints", "leftovers") and item.run_id is not None:
            by_run.setdefault(item.run_id, []).append(item)
        else:
            others.append(item)
    gone: list[Waste] = []
    for run_id, items in by_run.items():
        try:
            gone += _remove_checkpoints(home, database, run_id, items)
        except SetgfError as error:
            note(f"setgf: warning: {error} Run {run_id} is left as it is.")
    for item in others:
        try:
            _remove_folder(database, item)
            gone.append(item)
        except SetgfError as error:
            note(f"setgf: warning: {error}")
    return gone


def _remove_checkpoints(
    home: Home, database: Database, run_id: str, items: Sequence[Waste]
) -> Sequence[Waste]:
    """Remove a run's files under its lock, once it is certain that nobody trains it."""
    from db.checkpoints import forget_checkpoints
    from db.query import Query
    from setgf.runs.folder import RunFolder
    from setgf.runs.garbage import remove_checkpoints

    folder = RunFolder(home.run_path(run_id))
    with folder.hold():
        if not _is_over(Query(database).run(run_id)):
            note(f"Run {run_id} goes on meanwhile: it is left as it is.")
            return ()
        left = remove_checkpoints(folder, items)
        with database.write() as connection:
            for number, names in left.items():
                kept = [f"a{number}/checkpoints/{name}" for name in names]
                forget_checkpoints(connection, run_id, number, keep=kept)
    return items


def _remove_folder(database: Database, item: Waste) -> None:
    """Remove a run in the trash with its row, or a cache."""
    from setgf.runs.trash import Trashed, remove_for_ever

    if item.run_id is not None and not _remove_row(database, item.run_id):
        return
    if item.path.is_dir():
        remove_for_ever(Trashed(item.run_id or item.path.name, item.path, 0.0))
    else:
        item.path.unlink(missing_ok=True)


def _remove_row(database: Database, run_id: str) -> bool:
    """Remove the row of a run in the trash; False when somebody brought it back meanwhile."""
    from sqlalchemy import select

    from db.runs import delete_run
    from db.tables import runs

    with database.write() as connection:
        row = connection.execute(select(runs.c.trashed_at).where(runs.c.id == run_id)).first()
        if row is not None and row.trashed_at is None:
            note(f"Run {run_id} was brought back meanwhile: it is left.")
            return False
        if row is not None:
            delete_run(connection, run_id, actor=actor(), now=time.time())
    return True


def _count(waste: Sequence[Waste]) -> dict[str, tuple[int, int]]:
    """Return number and bytes of what was found, by kind; measured before anything is removed."""
    from setgf.runs.garbage import measure

    return {
        kind: (len(items), measure([item.path for item in items]))
        for kind in KINDS
        if (items := [item for item in waste if item.kind == kind])
    }


def _count_gone(
    before: dict[str, tuple[int, int]], waste: Sequence[Waste], gone: Sequence[Waste]
) -> dict[str, tuple[int, int]]:
    """Return number and bytes of what is gone: what was there less what still is."""
    left = _count([item for item in waste if item not in gone])
    return {
        kind: (number - left.get(kind, (0, 0))[0], size - left.get(kind, (0, 0))[1])
        for kind, (number, size) in before.items()
    }


def _tell(
    waste: Sequence[Waste], counted: dict[str, tuple[int, int]], *, applied: bool, as_json: bool
) -> None:
    total = sum(size for _, size in counted.values())
    if as_json:
        say_json(_plain(waste, counted, applied=applied))
        return
    if counted:
        rows = [(kind, str(number), show_size(size)) for kind, (number, size) in counted.items()]
        say_plain_table(("kind", "entries", "size"), rows, right=("entries", "size"))
    if applied:
        say(f"Removed {show_size(total)}.")
    elif counted:
        say(f"Would free {show_size(total)}. Nothing was removed; add `--apply` to do it.")
    else:
        say("Nothing can go by this policy.")


def _plain(
    waste: Sequence[Waste], counted: dict[str, tuple[int, int]], *, applied: bool
) -> dict[str, Any]:
    return {
        "applied": applied,
        "bytes": sum(size for _, size in counted.values()),
        "kinds": {
            kind: {"entries": number, "bytes": size} for kind, (number, size) in counted.items()
        },
        "entries": [
            {"kind": item.kind, "path": str(item.path), "run": item.run_id, "why": item.why}
            for item in waste
        ],
    }


def _read_age(option: str, text: str) -> float | None:
    from setgf.errors import ConfigError

    if text.strip().lower() == "never":
        return None
    match = _AGE.fullmatch(text.strip().lower())
    if match is None:
        raise ConfigError(
            f"`{option}` must be an age like `12h`, `30d`, `2w` or `never`, but is `{text}`."
        )
    return float(match[1]) * _SECONDS[match[2]]
