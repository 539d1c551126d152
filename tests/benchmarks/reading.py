"""Reading: a million points of one series to an envelope and to numpy; lists of a thousand runs.

    python -m tests.benchmarks.reading

The targets: 400 columns in less than 20 ms, numpy in less than 700 ms of CPU, a poll of a database
that has not changed in less than 1 ms. Also on PostgreSQL, where it is installed.
"""

import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from db.engine import Database, open_database
from db.metrics import ingest
from db.query import Query
from db.records import Point
from db.upkeep import vacuum
from tests.benchmarks import listing
from tests.benchmarks.table import heading, median, show
from tests.db.builders import NOW, running_job
from tests.db.postgres_server import PostgresServer, why_not

NUM_POINTS = 1_000_000
COLUMNS = 400
ROUNDS = 7
_BATCH = 50_000


def main() -> None:
    """Print the milliseconds of every way to read, wall clock and CPU of this process."""
    with tempfile.TemporaryDirectory() as folder:
        database = open_database(str(Path(folder) / "setgf.db"))
        rows = measure("SQLite", database)
        database.close()
    if why_not():
        print(f"PostgreSQL is left out: {why_not()}.")
    else:
        server = PostgresServer()
        database = open_database(server.url())
        rows += measure("PostgreSQL", database)
        database.close()
        server.close()
    show(["1 M points of one series", "columns", "wall ms", "worst", "CPU ms"], rows)
    print()
    listing.main()


def measure(kind: str, database: Database) -> list[list[str]]:
    """Store the points, and return a row for every way to read them."""
    run_id = running_job(database).run_id
    query = Query(database)
    chance = random.Random(0)
    rows = [_time(f"{kind}: ingest", lambda: _store(database, run_id, chance), rounds=1)]
    vacuum(database)  # the statistics that a server else collects by and by
    name = "train.loss"
    envelope = query.points(run_id, name, max_points=2 * COLUMNS)
    rows += [
        _time(
            f"{kind}: exact envelope",
            lambda: query.points(run_id, name, max_points=2 * COLUMNS),
            columns=(len(envelope.steps) + 1) // 2,
        ),
        _time(f"{kind}: to numpy", lambda: query.arrays(run_id, name)),
        _time(f"{kind}: to a record", lambda: query.points(run_id, name), rounds=2),
        _time(f"{kind}: poll, nothing new", database.data_version),
    ]
    return rows


def _store(database: Database, run_id: str, chance: random.Random) -> None:
    for begin in range(0, NUM_POINTS, _BATCH):
        batch = [
            Point(series="train.loss", step=step, epoch=1, value=chance.random(), time=NOW + step)
            for step in range(begin + 1, begin + _BATCH + 1)
        ]
        with database.write(durable=False) as connection:
            ingest(connection, run_id, 1, batch, points_offset=28 * (begin + _BATCH))


def _time(
    name: str, call: Callable[[], object], *, rounds: int = ROUNDS, columns: int | None = None
) -> list[str]:
    wall: list[float] = []
    cpu: list[float] = []
    for _ in range(rounds):
        started, used = time.perf_counter(), time.process_time()
        call()
        wall.append(time.perf_counter() - started)
        cpu.append(time.process_time() - used)
    shown = "" if columns is None else str(columns)
    return [
        name,
        shown,
        *(f"{1e3 * value:.2f}" for value in (median(wall), max(wall), median(cpu))),
    ]


if __name__ == "__main__":
    heading("reading", __doc__ or "")
    main()
