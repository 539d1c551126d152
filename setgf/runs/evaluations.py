"""What was scored again with the weights of a finished run: apart from the run's own metrics.

$SETGF_HOME/runs/<run_id>/evaluations.jsonl    one JSON object a line, appended, never changed:
    at, by            seconds since the epoch; login name
    split             `valid` or `test`
    data              {"name", "fingerprint", "is_own"}: own is the data of the run
    weights           {"epoch", "sha256"}: the checkpoint file of the best epoch
    drop              modalities left out of every sample
    missing           None, or {"rates", "seeds", "keep_one"}: modalities that go at random
    metrics           by series name; with `missing`, a list with one object a rate
"""

from __future__ import annotations

import json
import os
from typing import Any, cast

from setgf.runs.atomic import explain
from setgf.runs.exchange import to_json
from setgf.runs.folder import RunFolder
from setgf.runs.journal import read_lines

FILE = "evaluations.jsonl"


def add_evaluation(run: RunFolder, evaluation: dict[str, Any]) -> None:
    """Append an evaluation, whole or not at all as far as others see it.

    Raises:
        RunFolderError: the folder can't be written.
    """
    path = run.path / FILE
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        handle = os.open(path, flags, 0o666)
        try:
            os.write(handle, to_json(evaluation).encode() + b"\n")
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError as error:
        raise explain(error, path) from error


def read_evaluations(run: RunFolder) -> list[dict[str, Any]]:
    """Return all evaluations of a run, oldest first; a damaged line is passed over.

    Raises:
        RunFolderError: the file is there but can't be read.
    """
    path = run.path / FILE
    try:
        lines, _ = read_lines(path.read_bytes())
    except FileNotFoundError:
        return []
    except OSError as error:
        raise explain(error, path) from error
    return [found for line in lines if (found := _parse(line)) is not None]


def _parse(line: bytes) -> dict[str, Any] | None:
    try:
        value: object = json.loads(line)
    except ValueError:
        return None
    return cast(dict[str, Any], value) if isinstance(value, dict) else None
