"""Finds a run folder by the beginning of its id, without the run database."""

from __future__ import annotations

from setgf.errors import RunNotFoundError
from setgf.home import Home
from setgf.runs.folder import ID_LENGTH, ID_LETTERS, RunFolder, list_runs, open_run
from setgf.runs.trash import trash_of

_FEW = 5


def find_run(home: Home, beginning: str) -> RunFolder:
    """Return the run whose id is, or begins with, these letters.

    Raises:
        RunNotFoundError: there is none, there are several, or it is in the trash.
    """
    if len(beginning) == ID_LENGTH and set(beginning) <= set(ID_LETTERS):
        if (trash_of(home) / beginning / "run.json").is_file():
            raise RunNotFoundError(
                f"Run `{beginning}` is in the trash; bring it back with "
                f"`setgf runs recover {beginning}`."
            )
        return open_run(home, beginning)
    found = [run for run in list_runs(home) if beginning and run.id.startswith(beginning)]
    if not found:
        raise RunNotFoundError(f"No run `{beginning}` in {home.runs}. See `setgf runs list`.")
    if len(found) > 1:
        few = ", ".join(f"`{run.id}`" for run in found[:_FEW])
        more = f" and {len(found) - _FEW} more" if len(found) > _FEW else ""
        raise RunNotFoundError(
            f"`{beginning}` is the beginning of several runs: {few}{more}. Give more of the id."
        )
    return found[0]
