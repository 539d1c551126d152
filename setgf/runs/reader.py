"""Reads what training appends, from where the last reading ended, while it is being written."""

from __future__ import annotations

import json
from itertools import takewhile
from pathlib import Path
from typing import Any, NamedTuple, cast

from setgf.runs.atomic import explain
from setgf.runs.folder import AttemptFolder, RunFolder
from setgf.runs.journal import RECORD_SIZE, Record, decode, read_lines, read_series

CHUNK_BYTES = RECORD_SIZE * 20_000
"""Most bytes of a journal one reading returns."""


class SeriesPoint(NamedTuple):
    """One value of a named series."""

    series: str
    step: int
    epoch: int
    value: float
    time: float


class Reading(NamedTuple):
    """What was appended since the offsets given, and where to go on."""

    points: list[SeriesPoint]
    events: list[dict[str, Any]]
    points_offset: int
    events_offset: int


class JournalReader:
    """Reads one attempt's points and events in order, each once."""

    def __init__(
        self, attempt: AttemptFolder, points_offset: int = 0, events_offset: int = 0
    ) -> None:
        self.attempt = attempt
        self.points_offset = points_offset
        self.events_offset = events_offset
        self.damaged = False
        """True when a record with a wrong checksum ended reading for good."""
        self._names: dict[int, str] = {}

    def read(self) -> Reading:
        """Return what is new, at most `CHUNK_BYTES` of points; call again until nothing comes.

        Events are read first and returned with the points written before them, so that an event
        never arrives before its points unless a chunk was full.

        Raises:
            RunFolderError: a file is there but can't be read.
        """
        events, events_offset = self._read_events()
        points, points_offset = self._read_points()
        self.points_offset, self.events_offset = points_offset, events_offset
        return Reading(points, events, points_offset, events_offset)

    def _read_events(self) -> tuple[list[dict[str, Any]], int]:
        data = _read_from(self.attempt.events, self.events_offset)
        lines, size = read_lines(data)
        return [_parse_event(line) for line in lines], self.events_offset + size

    def _read_points(self) -> tuple[list[SeriesPoint], int]:
        data = _read_from(self.attempt.points, self.points_offset, CHUNK_BYTES)
        if len(data) < RECORD_SIZE:
            return [], self.points_offset
        decoded = decode(data)
        self.damaged = decoded.damaged
        points = self._name(decoded.records)
        return points, self.points_offset + len(points) * RECORD_SIZE

    def _name(self, records: list[Record]) -> list[SeriesPoint]:
        """Give records their series' names; stop at a series that has none."""
        used = {record.series for record in records}
        if not used <= self._names.keys():
            self._names = read_series(self.attempt.series)
        names = self._names
        if not used <= names.keys():
            self.damaged = True
            records = list(takewhile(lambda record: record.series in names, records))
        return [
            SeriesPoint(names[series], step, epoch, value, time)
            for series, epoch, step, value, time in records
        ]


def read_events(attempt: AttemptFolder) -> list[dict[str, Any]]:
    """Return all events of an attempt, in order."""
    lines, _ = read_lines(_read_from(attempt.events, 0))
    return [_parse_event(line) for line in lines]


def read_points(run: RunFolder, series: str | None = None) -> list[SeriesPoint]:
    """Return the points of a run (of one series), superseded ones left out, in order of writing."""
    kept: list[SeriesPoint] = []
    for attempt in run.attempts():
        reader = JournalReader(attempt)
        while (reading := reader.read()).points or reading.events:
            for event in reading.events:
                if event.get("kind") == "started":
                    last = int(event.get("resume_step") or 0)
                    kept = [point for point in kept if point.step <= last]
            kept.extend(reading.points)
    return [point for point in kept if series is None or point.series == series]


def _parse_event(line: bytes) -> dict[str, Any]:
    """Return an event; a line that is no JSON object becomes a warning in its place."""
    try:
        value: object = json.loads(line)
    except ValueError:
        value = None
    if isinstance(value, dict) and isinstance(cast(dict[str, Any], value).get("kind"), str):
        return cast(dict[str, Any], value)
    return {"at": 0.0, "kind": "warning", "message": "A damaged line of the event log was skipped."}


def _read_from(path: Path, offset: int, limit: int = -1) -> bytes:
    try:
        with path.open("rb") as file:
            file.seek(offset)
            return file.read(limit)
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise explain(error, path) from error
