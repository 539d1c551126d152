"""Imported runs become run folders: all of an import appear in the home together, or none.

What a run folder does not say by itself stands in `imported.json` of it: state, times, note, final
metrics, where it came from. So `setgf db rebuild` finds imported runs like all others.
"""

from __future__ import annotations

import json
import math
import re
import shutil
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from setgf.errors import DataError
from setgf.home import Home
from setgf.runs.atomic import explain, write_json
from setgf.runs.csv_lines import CsvLines
from setgf.runs.exchange import Entry, check_run
from setgf.runs.folder import RunFolder, RunIdentity
from setgf.runs.journal import MAX_EPOCH, MAX_STEP, Record, encode
from setgf.runs.recorder import MAX_SERIES, PREDICTION_COLUMNS

IMPORTED = "imported.json"
STAGE = ".importing-"
_SPLIT = re.compile(r"[A-Za-z0-9_-]{1,40}")
_KEPT_STATES = ("succeeded", "failed", "cancelled", "lost")
_MARKS = (
    "state",
    "error",
    "note",
    "archived",
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
    "metrics",
    "group_name",
)


class Staging:
    """Takes entries (`setgf.runs.exchange`), builds folders aside, and puts them in place."""

    def __init__(self, home: Home, *, known: frozenset[str], source: str) -> None:
        self._home = home
        self._known = known
        self._source = source
        self._folder: Path | None = None
        self._series: dict[str, dict[str, int]] = {}
        self._splits: dict[str, list[str]] = {}
        self._runs: dict[str, dict[str, Any]] = {}
        self.skipped: list[str] = []
        """Ids of runs that are in the home already."""

    def __enter__(self) -> Self:
        try:
            self._home.root.mkdir(parents=True, exist_ok=True)
            self._folder = Path(tempfile.mkdtemp(prefix=STAGE, dir=self._home.root))
        except OSError as error:
            raise explain(error, self._home.root) from error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        shutil.rmtree(self._aside, ignore_errors=True)

    @property
    def runs(self) -> Sequence[Mapping[str, Any]]:
        """The runs that were taken, as their lines say."""
        return tuple(self._runs.values())

    def take(self, entries: Iterable[Entry]) -> None:
        """Take all entries.

        Raises:
            DataError: one of them can't be stored; nothing of the import is.
        """
        for entry in entries:
            kind = entry.value.get("kind")
            try:
                if kind == "run":
                    self._take_run(check_run(entry))
                elif kind == "points":
                    self._take_points(entry)
                elif kind == "predictions":
                    self._take_predictions(entry)
                else:
                    raise DataError(
                        f"{entry.where[0].upper()}{entry.where[1:]} is of kind {json.dumps(kind)}; "
                        "expected `run`, `points` or `predictions`. Make a file to import with "
                        "`setgf runs export --what all --format jsonl`."
                    )
            except OSError as error:
                raise explain(error, self._aside) from error

    def place(self) -> tuple[RunFolder, ...]:
        """Move the folders into the home; returns them.

        Raises:
            RunFolderError: the system refuses; what was moved until then is whole.
        """
        placed: list[RunFolder] = []
        try:
            self._home.runs.mkdir(parents=True, exist_ok=True)
            for run_id, run in self._runs.items():
                self._finish(run_id, run)
                target = self._home.runs / run_id
                (self._aside / run_id).rename(target)
                placed.append(RunFolder(target))
        except OSError as error:
            raise explain(error, self._home.runs) from error
        return tuple(placed)

    @property
    def _aside(self) -> Path:
        assert self._folder is not None
        return self._folder

    def _take_run(self, run: dict[str, Any]) -> None:
        run_id = run["id"]
        if run_id in self._runs or run_id in self.skipped:
            raise DataError(f"Run {run_id} stands in {self._source} twice.")
        if run_id in self._known or (self._home.runs / run_id).exists():
            self.skipped.append(run_id)
            return
        self._runs[run_id] = run
        self._series[run_id] = {}
        self._splits[run_id] = []
        folder = RunFolder(self._aside / run_id)
        folder.create(_identity(run), run["config"])
        folder.begin_attempt(1)
        environment = {**run["environment"], "code": run["code"]}
        write_json(folder.environment, environment)

    def _take_points(self, entry: Entry) -> None:
        run_id = self._run_of(entry)
        if run_id is None:
            return
        name, records = _points(entry)
        series = self._series[run_id]
        attempt = RunFolder(self._aside / run_id).attempt_folder(1)
        if name not in series:
            if len(series) > MAX_SERIES:
                raise DataError(f"Run {run_id} has more series than the {MAX_SERIES} of a journal.")
            series[name] = len(series)
            with attempt.series.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"id": series[name], "name": name}) + "\n")
        number = series[name]
        with attempt.points.open("ab") as file:
            file.write(b"".join(encode(Record(number, *record)) for record in records))

    def _take_predictions(self, entry: Entry) -> None:
        run_id = self._run_of(entry)
        if run_id is None:
            return
        split = entry.value.get("split")
        if not isinstance(split, str) or not _SPLIT.fullmatch(split):
            raise DataError(
                f"`split` in {entry.where} must be a word, but is {json.dumps(split)[:60]}."
            )
        if split in self._splits[run_id]:
            raise DataError(f"The predictions of run {run_id} on {split} stand there twice.")
        self._splits[run_id].append(split)
        attempt = RunFolder(self._aside / run_id).attempt_folder(1)
        text = _predictions(entry)
        attempt.predictions(split).write_text(text, encoding="utf-8", newline="")

    def _run_of(self, entry: Entry) -> str | None:
        """Return the run that an entry belongs to; None when that run is skipped."""
        run_id = entry.value.get("run_id")
        if run_id in self._runs:
            return run_id
        if run_id in self.skipped:
            return None
        raise DataError(
            f"{entry.where[0].upper()}{entry.where[1:]} belongs to run {json.dumps(run_id)[:60]}, "
            "whose own line did not come before. Export with `--what all`."
        )

    def _finish(self, run_id: str, run: Mapping[str, Any]) -> None:
        """Write what says how the run ended, last."""
        folder = RunFolder(self._aside / run_id)
        attempt = folder.attempt_folder(1)
        state, error = _state(run)
        marks = {name: run[name] for name in _MARKS}
        marks |= {"state": state, "error": error, "source": self._source}
        write_json(folder.path / IMPORTED, {**marks, "imported_at": time.time()})
        at = float(run["finished_at"] or run["started_at"] or run["created_at"])
        events: list[dict[str, Any]] = [{"at": at, "kind": "started", "resume_step": 0}]
        events += [
            {"at": at, "kind": "predictions", "split": split, "file": f"predictions-{split}.csv"}
            for split in self._splits[run_id]
        ]
        lines = "".join(json.dumps(event) + "\n" for event in events)
        attempt.events.write_text(lines, encoding="utf-8")


def _identity(run: Mapping[str, Any]) -> RunIdentity:
    """Return who an imported run is; it belongs to no job here."""
    values = {entry.name: run[entry.name] for entry in fields(RunIdentity) if entry.name in run}
    values |= {"job_id": None, "group_id": None}
    values |= {"tags": tuple(map(str, run["tags"])), "command": tuple(map(str, run["command"]))}
    return RunIdentity(**values)


def _state(run: Mapping[str, Any]) -> tuple[str, str | None]:
    """Return the state an imported run has here: it is not live, whatever it was there."""
    state = str(run["state"])
    if state in _KEPT_STATES:
        return state, run["error"]
    return "cancelled", run["error"] or f"It was {state} when it was exported."


def _points(entry: Entry) -> tuple[str, list[tuple[int, int, float, float]]]:
    """Return name and records (epoch, step, value, time) of a line of points."""
    value = entry.value
    name = value.get("series")
    try:
        if not isinstance(name, str) or not name:
            raise ValueError("`series` must be a name")
        columns = [value["epochs"], value["steps"], value["values"], value["times"]]
        records = [
            (int(epoch), int(step), math.nan if number is None else float(number), float(time))
            for epoch, step, number, time in zip(*columns, strict=True)
        ]
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(
            f"The points in {entry.where} must be `series` and lists of equal length `steps`, "
            f"`epochs`, `values`, `times`, but are not: {error}."
        ) from error
    for epoch, step, _, _ in records:
        if not (0 <= step <= MAX_STEP and 0 <= epoch <= MAX_EPOCH):
            raise DataError(
                f"A point of `{name}` in {entry.where} is at step {step} of epoch {epoch}; a step "
                "must be from 0 to 2**32 - 1, an epoch to 2**16 - 1."
            )
    return name, records


def _predictions(entry: Entry) -> str:
    """Return the lines of a predictions file."""
    csv = CsvLines()
    lines = [csv.line(PREDICTION_COLUMNS)]
    try:
        for sample_id, label, *scores in entry.value["rows"]:
            if len(scores) != len(PREDICTION_COLUMNS) - 2:
                raise ValueError(f"a row has {len(scores) + 2} values")
            fusion, *branches = scores
            cells = [
                str(sample_id),
                *(repr(math.nan if one is None else float(one)) for one in (label, fusion)),
                *("" if one is None else repr(float(one)) for one in branches),
            ]
            lines.append(csv.line(cells))
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(
            f"The predictions in {entry.where} must have `rows` of sample id, label and four "
            f"scores, but have not: {error}."
        ) from error
    return "".join(lines)
