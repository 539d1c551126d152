"""Records a run in its attempt folder: what training's `Recorder` protocol asks for."""

from __future__ import annotations

import json
import os
import struct
import time
import zlib
from collections.abc import Mapping, Sequence
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from setgf.errors import RunFolderError, StoppedError
from setgf.runs.atomic import explain, sync_folder, write_atomically
from setgf.runs.csv_lines import CsvLines
from setgf.runs.folder import AttemptFolder
from setgf.runs.journal import CHECK, HEAD, RECORD_SIZE, decode, read_lines, read_series

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from setgf.runs.label_history import LabelWriter

PREDICTION_COLUMNS = ("sample_id", "label", "prediction", "text", "audio", "vision")
STOP_POLL_SECONDS = 0.05
DURABLE_KINDS = frozenset({"started", "checkpoint", "predictions", "finished", "stopped", "failed"})
"""Events after which everything written so far also survives a power cut."""
MAX_SERIES = 0xFFFF


class PredictionRow(Protocol):
    """Scores of every branch for one sample (`setgf.training.recorder.SamplePrediction`)."""

    @property
    def sample_id(self) -> str:
        """Id of the sample."""
        ...

    @property
    def label(self) -> float:
        """Annotated score."""
        ...

    @property
    def fusion(self) -> float:
        """Score of the fusion branch."""
        ...

    @property
    def text(self) -> float | None:
        """Score of the text branch."""
        ...

    @property
    def audio(self) -> float | None:
        """Score of the audio branch."""
        ...

    @property
    def vision(self) -> float | None:
        """Score of the vision branch."""
        ...


class FolderRecorder:
    """Appends to an attempt folder; `log` returns when the points survive a SIGKILL.

    Not for several threads at once. A recorder whose attempt is no longer the current one of its
    run refuses events and predictions, and asks to stop: the fence.
    """

    def __init__(self, attempt: AttemptFolder) -> None:
        self.attempt = attempt
        self._epoch = 0
        self._labels: LabelWriter | None = None
        self._asked_to_stop = False
        self._next_poll = 0.0
        self._points_path = attempt.points  # made once: `log` is called at every step
        try:
            attempt.checkpoints.mkdir(parents=True, exist_ok=True)
            self._points = _open_append(attempt.points)
            self._series = _open_append(attempt.series)
            self._events = _open_append(attempt.events)
            self._ids = _repair(attempt, self._points, self._series, self._events)
            sync_folder(attempt.path)
        except OSError as error:
            raise explain(error, attempt.path) from error

    @property
    def checkpoints(self) -> Path:
        """Folder of this attempt's checkpoints."""
        return self.attempt.checkpoints

    def begin_epoch(self, epoch: int) -> None:
        """Give all points from here on this epoch, counted from 1."""
        self._epoch = epoch

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Append values by series name at an optimizer step: one write for all of them.

        Raises:
            RunFolderError: the disk is full; nothing of this call is stored.
        """
        ids, epoch, now = self._ids, self._epoch, time.time()
        pack, check, crc32 = HEAD.pack, CHECK.pack, zlib.crc32
        parts: list[bytes] = []
        for name, value in values.items():
            series = ids.get(name)
            if series is None:
                series = self._add_series(name)
            try:
                head = pack(series, epoch, step, value, now)
            except struct.error as error:
                raise RunFolderError(
                    f"`{name}` can't be stored at step {step} of epoch {epoch}: the value "
                    f"is {value!r}; it must be a number, the step below 2**32, the epoch below "
                    "2**16."
                ) from error
            parts.append(head)
            parts.append(check(crc32(head)))
        _append(self._points, b"".join(parts), self._points_path)

    def event(self, kind: str, **fields: Any) -> None:
        """Append that something happened, with plain JSON data.

        Raises:
            StoppedError: a later attempt owns the run.
            RunFolderError: the disk is full; nothing of this call is stored.
        """
        self.check_fence()
        durable = kind in DURABLE_KINDS
        if durable:
            _sync(self._points, self.attempt.points)
            _sync(self._series, self.attempt.series)
        line = json.dumps({"at": time.time(), "kind": kind, **fields}, ensure_ascii=False)
        _append(self._events, line.encode() + b"\n", self.attempt.events)
        if durable:
            _sync(self._events, self.attempt.events)

    def save_predictions(self, split: str, rows: Sequence[PredictionRow]) -> None:
        """Store the predictions on a split, atomically, and say so by an event."""
        self.check_fence()
        path = self.attempt.predictions(split)
        write_atomically(path, format_predictions(rows))
        self.event("predictions", split=str(split), file=path.name)

    def save_labels(
        self,
        epoch: int,
        labels: Mapping[str, NDArray[np.float32]],
        *,
        annotated: NDArray[np.float32],
        sample_ids: Sequence[str],
    ) -> None:
        """Append the unimodal labels (N,) of an epoch to the attempt's label history."""
        self.check_fence()
        if self._labels is None:
            from setgf.runs.label_history import LabelWriter

            self._labels = LabelWriter(self.attempt, epoch, tuple(labels), sample_ids, annotated)
        self._labels.add(labels)

    def request_stop(self) -> None:
        """Make `stop_requested` answer True; safe to call from a signal handler."""
        self._asked_to_stop = True

    def stop_requested(self) -> bool:
        """True when the run should checkpoint and leave: asked to, or no longer the current one."""
        if self._asked_to_stop:
            return True
        now = time.monotonic()
        if now < self._next_poll:
            return False
        self._next_poll = now + STOP_POLL_SECONDS
        self._asked_to_stop = self.attempt.stop.exists() or self._is_fenced()
        return self._asked_to_stop

    def check_fence(self) -> None:
        """Refuse when a later attempt owns the run.

        Raises:
            StoppedError: it does.
        """
        if self._is_fenced():
            raise StoppedError(
                f"Attempt {self.attempt.number} of run {self.attempt.run.id} stops: attempt "
                f"{self.attempt.run.current_attempt()} owns the run now."
            )

    def close(self) -> None:
        """Close the files; nothing is buffered, so nothing is lost without it."""
        for handle in (self._points, self._series, self._events):
            os.close(handle)

    def _is_fenced(self) -> bool:
        return self.attempt.run.current_attempt() > self.attempt.number

    def _add_series(self, name: str) -> int:
        series = len(self._ids)
        if series > MAX_SERIES:
            raise RunFolderError(
                f"`{name}` can't be stored: a run has {MAX_SERIES} series at most."
            )
        line = json.dumps({"id": series, "name": name}, ensure_ascii=False)
        _append(self._series, line.encode() + b"\n", self.attempt.series)
        self._ids[name] = series
        return series


def format_predictions(rows: Sequence[PredictionRow]) -> str:
    """Return predictions as CSV, full precision; a branch the model lacks is empty."""
    csv = CsvLines()
    lines = [csv.line(PREDICTION_COLUMNS)]
    for row in rows:
        scores = (row.label, row.fusion, row.text, row.audio, row.vision)
        cells = ("" if score is None else repr(score) for score in scores)
        lines.append(csv.line((row.sample_id, *cells)))
    return "".join(lines)


def _open_append(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666)


def _sync(handle: int, path: Path) -> None:
    """Wait until a file is on the disk; some file systems find only now that it is full."""
    try:
        os.fsync(handle)
    except OSError as error:
        raise explain(error, path) from error


def _append(handle: int, data: bytes, path: Path) -> None:
    """Write all of `data` or nothing."""
    try:
        written = os.write(handle, data)
        if written < len(data):
            _finish_write(handle, data, written)
    except OSError as error:
        raise explain(error, path) from error


def _finish_write(handle: int, data: bytes, written: int) -> None:
    """Go on with a short write; take everything back when there is no room."""
    begin = os.fstat(handle).st_size - written
    try:
        while written < len(data):
            written += os.write(handle, data[written:])
    except OSError:
        os.ftruncate(handle, begin)
        raise


def _repair(attempt: AttemptFolder, points: int, series: int, events: int) -> dict[str, int]:
    """Cut torn tails off, so that what is appended can be read; return series ids by name."""
    for path, handle in ((attempt.series, series), (attempt.events, events)):
        if size := os.fstat(handle).st_size:
            _, whole = read_lines(path.read_bytes())
            if whole < size:
                os.ftruncate(handle, whole)
    names = read_series(attempt.series)
    if size := os.fstat(points).st_size:
        records = decode(attempt.points.read_bytes()).records
        # A series whose name was lost: its number is given anew, so its points must go.
        known = takewhile(lambda record: record.series in names, records)
        sound = RECORD_SIZE * sum(1 for _ in known)
        if sound < size:
            os.ftruncate(points, sound)
    return {name: number for number, name in names.items()}
