"""From run folders to the database: points, events, predictions, checkpoints; in order, once.

How far a folder was read stands in the attempt's row and moves in the transaction that stores what
was read: a carrier may die at any moment, and two may carry one attempt, without loss or double.
"""

from __future__ import annotations

import csv
import gc
import hashlib
import logging
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from db import metrics, runs
from db.checkpoints import add_artifact, add_checkpoint, forget_checkpoints
from db.engine import Database
from db.errors import NotFoundError
from db.jobs import get_attempt, set_events_offset
from db.predictions import store_predictions
from db.records import Artifact, Checkpoint, Prediction
from setgf.errors import RunFolderError
from setgf.runs.atomic import explain, read_json
from setgf.runs.folder import AttemptFolder
from setgf.runs.journal import RECORD_SIZE
from setgf.runs.reader import JournalReader, Reading, read_events

BACKLOG_BYTES = 1 << 18

log = logging.getLogger("setgf.worker")


class Carrier:
    """Carries one attempt's folder into the database."""

    def __init__(self, database: Database, attempt: AttemptFolder) -> None:
        self.database = database
        self.attempt = attempt
        self._reader = JournalReader(attempt, -1, -1)

    def carry(self, now: float) -> bool:
        """Store what is new, a chunk of it at most; False when nothing was.

        Raises:
            FencedError: a later attempt has the run; nothing was stored.
            DatabaseError: the database is locked or full; nothing was stored, and nothing is lost.
        """
        if not self._has_news():
            return False
        try:
            with _without_collector():
                return self._carry_chunk(now)
        except BaseException:
            # Taken back: how far the folder was stored only the database knows now.
            self._reader.points_offset = -1
            raise

    def _carry_chunk(self, now: float) -> bool:
        with self.database.write(durable=False) as connection:
            return self._store_chunk(connection, now)

    def backlog(self) -> bool:
        """True when more waits to be stored than one short transaction should take."""
        waiting = 0
        for path in (self.attempt.points, self.attempt.events):
            waiting += _size(path)
        return self._has_news() and (
            waiting - max(0, self._reader.points_offset) - max(0, self._reader.events_offset)
            > BACKLOG_BYTES
        )

    def carry_rest(self, connection: Connection, now: float) -> list[dict[str, Any]]:
        """Store everything that is there in the caller's transaction; returns all events.

        For the end of an attempt, in the transaction that stores it. When that is taken back, so is
        how far the folder was read.
        """
        self._reader.points_offset = -1  # a server that crashed may have lost its last commits
        try:
            while self._has_news() and self._store_chunk(connection, now):
                pass
        finally:
            self._reader.points_offset = -1
        return read_events(self.attempt)

    def _store_chunk(self, connection: Connection, now: float) -> bool:
        run_id, number = self.attempt.run.id, self.attempt.number
        stored = get_attempt(connection, run_id, number)
        self._reader.points_offset = stored.points_offset
        self._reader.events_offset = stored.events_offset
        reading = self._reader.read()
        if not reading.points and not reading.events:
            return False
        # First of all where it went on from: that decides which points count.
        for event in reading.events:
            if event["kind"] == "started":
                _follow_start(connection, self.attempt, event)
        _store_points(connection, self.attempt, reading, now=now)
        for event in reading.events:
            follow = _FOLLOWERS.get(event["kind"])
            if follow is not None:
                follow(connection, self.attempt, event)
        set_events_offset(connection, run_id, number, reading.events_offset)
        return True

    def carry_all(self, now: float) -> list[dict[str, Any]]:
        """Store everything that is there; returns all events of the attempt."""
        self._reader.points_offset = -1  # a server that crashed may have lost its last commits
        while self.carry(now):
            pass
        return read_events(self.attempt)

    def _has_news(self) -> bool:
        """True when a file is longer than what was read of it; costs no transaction."""
        reader = self._reader
        if reader.points_offset < 0:
            return True
        more_points = _size(self.attempt.points) - reader.points_offset >= RECORD_SIZE
        more_events = _size(self.attempt.events) > reader.events_offset
        return more_events or (more_points and not reader.damaged)


def read_predictions(path: Path) -> tuple[Prediction, ...]:
    """Read the predictions an attempt left.

    Raises:
        RunFolderError: the file is missing or not what a recorder writes.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return tuple(
                Prediction(
                    sample_id=row["sample_id"],
                    label=float(row["label"]),
                    fusion=float(row["prediction"]),
                    **{name: _score(row[name]) for name in ("text", "audio", "vision")},
                )
                for row in csv.DictReader(file)
            )
    except OSError as error:
        raise explain(error, path) from error
    except (KeyError, ValueError, TypeError) as error:
        raise RunFolderError(
            f"{path} must hold predictions, but can't be read: {error}."
        ) from error


@contextmanager
def _without_collector() -> Generator[None]:
    """Hold the garbage collector up for one chunk.

    It would look through the chunk's tuples again and again, 40 % of all time, and find nothing.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _store_points(
    connection: Connection, attempt: AttemptFolder, reading: Reading, *, now: float
) -> None:
    if not reading.points:
        return
    metrics.ingest(
        connection,
        attempt.run.id,
        attempt.number,
        reading.points,
        points_offset=reading.points_offset,
    )
    step = max(point.step for point in reading.points)
    runs.update_run(connection, attempt.run.id, attempt=attempt.number, now=now, step=step)


def _follow_start(connection: Connection, attempt: AttemptFolder, event: Mapping[str, Any]) -> None:
    """Store what an attempt stands on, and that it replaces what came after its checkpoint."""
    run_id, number = attempt.run.id, attempt.number
    metrics.supersede(connection, run_id, number, int(event.get("resume_step") or 0))
    for older in attempt.run.attempts():
        if older.number < number:
            _store_left(connection, older)
    columns: dict[str, Any] = {
        name: event[name]
        for name in ("parameters", "device", "data_fingerprint")
        if event.get(name) is not None
    }
    if number == 1:
        columns["started_at"] = float(event["at"])
    runs.update_run(connection, run_id, attempt=number, **columns)
    if not attempt.run.environment.exists():
        return
    try:
        environment = read_json(attempt.run.environment)
    except RunFolderError as error:
        log.warning("%s It is left out.", error)
        return
    runs.set_environment(connection, run_id, environment, attempt=number)


def _store_left(connection: Connection, older: AttemptFolder) -> None:
    """Store what an earlier attempt had logged when its worker could no longer carry it.

    Its machine vanished, or lost its lease: what stands before the step the new attempt went on
    from counts, and only its folder has it.
    """
    run_id, number = older.run.id, older.number
    try:
        stored = get_attempt(connection, run_id, number)
    except NotFoundError:
        return
    reader = JournalReader(older, stored.points_offset, stored.events_offset)
    while (reading := reader.read()).points or reading.events:
        if reading.points:
            offset = reading.points_offset
            metrics.ingest(connection, run_id, number, reading.points, points_offset=offset)
        for event in reading.events:
            if event["kind"] == "checkpoint":
                _follow_checkpoint(connection, older, event)
        set_events_offset(connection, run_id, number, reading.events_offset)


def _follow_epoch(connection: Connection, attempt: AttemptFolder, event: Mapping[str, Any]) -> None:
    columns: dict[str, Any] = {"epoch": int(event["epoch"]), "step": int(event["step"])}
    if event.get("best"):
        columns |= {"best_epoch": int(event["epoch"]), "best_valid": float(event["valid"])}
    runs.update_run(connection, attempt.run.id, attempt=attempt.number, **columns)


def _follow_checkpoint(
    connection: Connection, attempt: AttemptFolder, event: Mapping[str, Any]
) -> None:
    add_checkpoint(
        connection,
        Checkpoint(
            run_id=attempt.run.id,
            attempt=attempt.number,
            role=str(event["role"]),
            path=f"{attempt.path.name}/{event['file']}",
            epoch=int(event["epoch"]),
            step=int(event["step"]),
            size=int(event["size"]),
            sha256=str(event["sha256"]),
            created_at=float(event["at"]),
        ),
    )
    if attempt.has_checkpoint():
        files = {str(entry["file"]) for entry in read_json(attempt.manifest)["checkpoints"]}
        kept = [f"{attempt.path.name}/checkpoints/{name}" for name in sorted(files)]
        forget_checkpoints(connection, attempt.run.id, attempt.number, keep=kept)


def _follow_predictions(
    connection: Connection, attempt: AttemptFolder, event: Mapping[str, Any]
) -> None:
    path = attempt.path / Path(str(event["file"])).name
    try:
        predictions = read_predictions(path)
    except RunFolderError as error:
        log.warning("%s They are left out.", error)
        return
    store_predictions(connection, attempt.run.id, str(event["split"]), predictions)
    _store_file(connection, attempt, path, f"predictions-{event['split']}", float(event["at"]))


def _store_file(
    connection: Connection, attempt: AttemptFolder, path: Path, kind: str, at: float
) -> None:
    """Store that an attempt has left a file; nothing where it has not."""
    try:
        data = path.read_bytes()
    except OSError:
        return
    add_artifact(
        connection,
        Artifact(
            run_id=attempt.run.id,
            attempt=attempt.number,
            kind=kind,
            path=f"{attempt.path.name}/{path.name}",
            size=len(data),
            sha256=hashlib.sha256(data).hexdigest(),
            created_at=at,
        ),
    )


def _follow_finish(
    connection: Connection, attempt: AttemptFolder, event: Mapping[str, Any]
) -> None:
    run_id, number = attempt.run.id, attempt.number
    final = {str(name): float(value) for name, value in dict(event["metrics"]).items()}
    runs.set_final_metrics(connection, run_id, final, attempt=number)
    _store_file(connection, attempt, attempt.labels, "labels", float(event["at"]))
    runs.update_run(
        connection,
        run_id,
        attempt=number,
        epoch=int(event["epochs"]),
        step=int(event["steps"]),
        best_epoch=int(event["best_epoch"]),
        best_valid=float(event["best_valid"]),
    )


def _follow_failure(
    connection: Connection, attempt: AttemptFolder, event: Mapping[str, Any]
) -> None:
    words = str(event.get("message") or "")
    runs.update_run(connection, attempt.run.id, attempt=attempt.number, error=words)


_FOLLOWERS: Mapping[str, Callable[[Connection, AttemptFolder, Mapping[str, Any]], None]] = {
    "epoch": _follow_epoch,
    "checkpoint": _follow_checkpoint,
    "predictions": _follow_predictions,
    "finished": _follow_finish,
    "failed": _follow_failure,
}


def _score(text: str) -> float | None:
    return float(text) if text else None


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
