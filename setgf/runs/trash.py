"""The trash: deleted run folders, whole, until they are removed for ever.

    $SETGF_HOME/trash/<run_id>/    the run folder as it was, and `trashed.json` {"trashed_at": ..}

A folder comes and goes by one rename: it is here or there, never in part.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from setgf.errors import RunFolderError
from setgf.home import Home
from setgf.runs.atomic import explain, read_json, write_json
from setgf.runs.folder import RunFolder

MARK = "trashed.json"
_GOING = ".removing-"
"""Begins the name of a folder that is being removed: nobody takes it for a run."""


@dataclass(frozen=True, slots=True)
class Trashed:
    """A run folder in the trash."""

    id: str
    path: Path
    trashed_at: float
    """Seconds since the epoch, UTC; 0 where the mark is lost."""


def trash_of(home: Home) -> Path:
    """Return the folder of the trash."""
    return home.root / "trash"


def move_to_trash(home: Home, run: RunFolder, *, now: float) -> None:
    """Move a run folder into the trash of its home; hold the run's lock meanwhile.

    Raises:
        RunFolderError: there is one with its id already, or the system refuses.
    """
    target = trash_of(home) / run.id
    if target.exists():
        raise RunFolderError(
            f"{target} is in the trash already. Remove it for ever with "
            "`setgf gc --trash-older-than 0d --apply`, or move it away."
        )
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        write_json(run.path / MARK, {"trashed_at": now})
        run.path.rename(target)
    except OSError as error:
        (run.path / MARK).unlink(missing_ok=True)
        raise explain(error, run.path) from error


def take_back(home: Home, run_id: str) -> bool:
    """Move a run folder out of the trash; False when it is not in there.

    Raises:
        RunFolderError: there is a run folder with its id, or the system refuses.
    """
    source, target = trash_of(home) / run_id, home.run_path(run_id)
    if not source.is_dir():
        return False
    if target.exists():
        raise RunFolderError(
            f"Run {run_id} can't come back: {target} is there already. Move one of them away."
        )
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        source.rename(target)
        (target / MARK).unlink(missing_ok=True)
    except OSError as error:
        raise explain(error, source) from error
    return True


def list_trash(home: Home) -> tuple[Trashed, ...]:
    """Return what is in the trash, by id; with what an interrupted removal left."""
    folder = trash_of(home)
    if not folder.is_dir():
        return ()
    return tuple(
        Trashed(path.name.removeprefix(_GOING), path, _moment(path))
        for path in sorted(folder.iterdir())
        if path.is_dir()
    )


def remove_for_ever(trashed: Trashed) -> None:
    """Remove a folder of the trash from the disk; an interrupted removal is ended by the next.

    Raises:
        RunFolderError: the system refuses.
    """
    going = trashed.path.with_name(_GOING + trashed.id)
    try:
        if trashed.path != going:
            trashed.path.rename(going)
        shutil.rmtree(going)
    except OSError as error:
        raise explain(error, trashed.path) from error


def _moment(path: Path) -> float:
    try:
        return float(read_json(path / MARK)["trashed_at"])
    except (RunFolderError, KeyError, TypeError, ValueError):
        return 0.0
