"""Cost of logging a scalar: our journal against plain ways of writing one, and what SIGKILL takes.

Every way keeps what it has acknowledged when the process is killed, except buffered JSON lines.
"""

import json
import os
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from setgf.runs.folder import RunFolder
from setgf.runs.recorder import FolderRecorder
from tests.benchmarks.table import interleaved, median, show

CALLS = 5_000
ROUNDS = 7
Log = Callable[[int, dict[str, float]], None]


def journal(folder: Path) -> Log:
    """Our recorder: one write of checksummed records a call."""
    recorder = FolderRecorder(RunFolder(folder).begin_attempt(1))
    recorder.begin_epoch(1)
    return recorder.log


def json_lines(folder: Path) -> Log:
    """JSON lines, one unbuffered write a call."""
    file = os.open(folder / "points.jsonl", os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def log(step: int, values: dict[str, float]) -> None:
        os.write(file, json.dumps({"step": step, "time": time.time(), **values}).encode() + b"\n")

    return log


def sqlite(folder: Path) -> Log:
    """SQLite in WAL mode, one transaction a call."""
    connection = sqlite3.connect(folder / "points.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")
    connection.execute("CREATE TABLE point (series TEXT, step INT, value REAL, time REAL)")

    def log(step: int, values: dict[str, float]) -> None:
        now = time.time()
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(
            "INSERT INTO point VALUES (?, ?, ?, ?)",
            [(name, step, value, now) for name, value in values.items()],
        )
        connection.execute("COMMIT")

    return log


def main() -> None:
    """Print microseconds of CPU a scalar at one and at ten keys a call."""
    ways = {"setgf journal": journal, "JSON lines": json_lines, "SQLite, commit a call": sqlite}
    results: dict[int, dict[str, float]] = {}
    for keys in (1, 10):
        values = {f"train.metric{i}": 0.5 * i for i in range(keys)}
        with tempfile.TemporaryDirectory() as folder:
            logs: dict[str, Log] = {}
            for name, make in ways.items():
                place = Path(folder) / name.replace(" ", "-")
                place.mkdir()
                logs[name] = make(place)
            steps = iter(range(1, 1 + CALLS * ROUNDS * len(ways)))
            work = {name: _work(log, values, steps) for name, log in logs.items()}
            seconds = interleaved(work, rounds=ROUNDS, clock=time.process_time)
        results[keys] = {n: median(s) / CALLS / keys * 1e6 for n, s in seconds.items()}
    ours = {keys: found["setgf journal"] for keys, found in results.items()}
    rows = [
        [name]
        + [f"{results[keys][name]:.2f}" for keys in results]
        + [f"{results[keys][name] / ours[keys]:.1f} x" for keys in results]
        for name in ways
    ]
    show(["us CPU a scalar", "1 key", "10 keys", "ratio, 1", "ratio, 10"], rows)


def _work(log: Log, values: dict[str, float], steps: Iterator[int]) -> Callable[[], None]:
    def work() -> None:
        for _ in range(CALLS):
            log(next(steps), values)

    return work


if __name__ == "__main__":
    main()
