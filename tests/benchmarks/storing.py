"""Storing: one worker's carrier from a run's journal to the database, and the bytes a scalar takes.

    python -m tests.benchmarks storing

The targets: 100,000 points a second by one worker, on PostgreSQL too where it is installed, and 34
bytes a scalar in an SQLite file: all that the file grows by, indexes and zoom pyramid included.
"""

from __future__ import annotations

import random
import sqlite3
import tempfile
import time
from contextlib import closing
from pathlib import Path

from db.engine import Database, open_database
from setgf.runs.folder import RunFolder
from setgf.runs.recorder import FolderRecorder
from setgf.worker.ingest import Carrier
from setgf.worker.rebuild import begin_foreground
from tests.benchmarks.table import heading, median, show
from tests.benchmarks.trackers_adapter import STEPS_AN_EPOCH, make_run
from tests.db.postgres_server import PostgresServer, why_not

ROUNDS = 3
SIZES = ((1, 100_000), (10, 100_000), (100, 100_000), (1, 1_000_000))
"""Keys a call, scalars."""


def main() -> None:
    """Print points a second, wall clock and CPU of the worker, and bytes a scalar."""
    rows: list[list[str]] = []
    for keys, scalars in SIZES:
        with tempfile.TemporaryDirectory() as home:
            run = write_run(Path(home), keys=keys, scalars=scalars)
            rows.append(_measure_file(run, keys, scalars))
    if why_not():
        print(f"PostgreSQL is left out: {why_not()}.")
    else:
        rows += _measure_server()
    show(["journal to database", "points/s", "CPU us a point", "bytes a scalar"], rows)


def write_run(home: Path, *, keys: int, scalars: int) -> RunFolder:
    """Make a run in `home` whose journal holds random values of `keys` series."""
    run = make_run(home)
    recorder = FolderRecorder(run.begin_attempt(1))
    chance = random.Random(0)
    for step in range(1, scalars // keys + 1):
        recorder.begin_epoch(1 + step // STEPS_AN_EPOCH)
        recorder.log(step, {f"train.metric{key}": chance.random() for key in range(keys)})
    recorder.close()
    return run


def carry(database: Database, run: RunFolder) -> tuple[float, float]:
    """Store a run; return the seconds of wall clock and of CPU it took."""
    carrier: Carrier = begin_foreground(database, run.attempts()[0])
    started, used = time.perf_counter(), time.process_time()
    carrier.carry_all(time.time())
    return time.perf_counter() - started, time.process_time() - used


def file_size(path: Path) -> int:
    """Return the bytes of an SQLite database with all that was in its log."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return path.stat().st_size


def store_in_new_file(path: Path, run: RunFolder) -> tuple[float, float, int]:
    """Store a run in a new file; return seconds of wall clock and CPU, and how much it grew."""
    database = open_database(str(path))
    before = file_size(path)
    wall, cpu = carry(database, run)
    database.close()
    return wall, cpu, file_size(path) - before


def _measure_file(run: RunFolder, keys: int, scalars: int) -> list[str]:
    found = [
        store_in_new_file(run.path.parent / f"round{number}.db", run) for number in range(ROUNDS)
    ]
    walls, cpus, sizes = zip(*found, strict=True)
    return [
        f"SQLite: {scalars:,} of {keys} series",
        f"{scalars / median(walls):,.0f}",
        f"{median(cpus) / scalars * 1e6:.1f}",
        f"{sizes[0] / scalars:.1f}",
    ]


def _measure_server() -> list[list[str]]:
    server = PostgresServer()
    database = open_database(server.url())
    rows: list[list[str]] = []
    try:
        for keys, scalars in SIZES[:3]:
            found = [_store_on_server(database, keys, scalars) for _ in range(ROUNDS)]
            walls, cpus = zip(*found, strict=True)
            rows.append(
                [
                    f"PostgreSQL: {scalars:,} of {keys} series",
                    f"{scalars / median(walls):,.0f}",
                    f"{median(cpus) / scalars * 1e6:.1f}",
                    "",
                ]
            )
    finally:
        database.close()
        server.close()
    return rows


def _store_on_server(database: Database, keys: int, scalars: int) -> tuple[float, float]:
    with tempfile.TemporaryDirectory() as home:
        return carry(database, write_run(Path(home), keys=keys, scalars=scalars))


if __name__ == "__main__":
    heading("storing", __doc__ or "")
    main()
