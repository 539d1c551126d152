"""Runs that were trained elsewhere: from their folders into the database."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection

from db import runs
from db.engine import Database
from db.errors import NotFoundError
from db.jobs import add_attempt, ensure_group, get_attempt
from db.records import Attempt
from setgf.runs.atomic import read_json
from setgf.runs.folder import RunFolder
from setgf.runs.staging import IMPORTED
from setgf.worker.ingest import Carrier
from setgf.worker.submit import new_run

ACTOR = "import"
_COLUMNS = (
    "state",
    "error",
    "epoch",
    "step",
    "best_epoch",
    "best_valid",
    "started_at",
    "finished_at",
    "host",
    "device",
    "parameters",
    "data_fingerprint",
)


def is_imported(folder: RunFolder) -> bool:
    """Return True for a run that was trained elsewhere."""
    return (folder.path / IMPORTED).is_file()


def index_imported(database: Database, folder: RunFolder) -> None:
    """Store an imported run with its points, predictions and marks, as far as they are not there.

    Raises:
        RunFolderError: the folder can't be read.
    """
    marks = read_json(folder.path / IMPORTED)
    with database.write() as connection:
        runs.add_run(connection, new_run(folder.identity(), folder.config(), folder.path))
        try:
            get_attempt(connection, folder.id, 1)
            return
        except NotFoundError:
            add_attempt(connection, _attempt(folder, marks))
    Carrier(database, folder.attempt_folder(1)).carry_all(time.time())
    with database.write() as connection:
        _store_marks(connection, folder.id, marks)


def _store_marks(connection: Connection, run_id: str, marks: Mapping[str, Any]) -> None:
    now = time.time()
    columns: dict[str, Any] = {name: marks[name] for name in _COLUMNS if name in marks}
    if marks.get("group_name"):
        columns["group_id"] = ensure_group(connection, str(marks["group_name"]), "jobs", now=now)
    stored: dict[str, float | None] = marks.get("metrics") or {}
    metrics = {name: math.nan if value is None else value for name, value in stored.items()}
    runs.set_final_metrics(connection, run_id, metrics, attempt=1)
    runs.update_run(connection, run_id, attempt=1, now=now, **columns)
    if marks.get("note"):
        runs.set_note(connection, run_id, str(marks["note"]), actor=ACTOR, now=now)
    if marks.get("archived"):
        runs.archive(connection, run_id, actor=ACTOR, now=now)


def _attempt(folder: RunFolder, marks: Mapping[str, Any]) -> Attempt:
    """Return the one attempt of an imported run, as it ended."""
    created = folder.identity().created_at
    started = marks.get("started_at")
    return Attempt(
        job_id=None,
        run_id=folder.id,
        number=1,
        worker_id=None,
        host=str(marks.get("host") or ""),
        boot_id="",
        pid=None,
        pid_start=None,
        devices=(),
        started_at=created if started is None else float(started),
        ended_at=marks.get("finished_at"),
        outcome=str(marks.get("state")),
        exit_code=None,
        failure_class=None,
        error=marks.get("error"),
        resume_step=0,
        log_path="",
        points_offset=0,
        events_offset=0,
    )
