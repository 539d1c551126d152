"""The data of `gen_many.py` in a home of setgf, and runs that go on writing.

python -m tests.benchmarks.peer_data HOME      (four runs write 500 points a second)
"""

from __future__ import annotations

import math
import random
import sys
import time
from pathlib import Path

from db.engine import Database, open_database
from db.jobs import add_attempt
from db.metrics import ingest
from db.records import JobState, Point
from db.runs import add_run, update_run
from tests.db.builders import new_attempt, new_run

RUNS, STEPS, LONG = 1000, 1000, 1_000_000
LONG_RUN = "long0000"
POINT_BYTES = 28
AT_ONCE = 50_000
LIVE_RUNS, ROUNDS_A_SECOND, LIVE_SECONDS = 4, 2, 60.0
POINTS_A_SECOND = 500


def fill_many(home: Path) -> None:
    """Store as many runs with the same curves as `gen_many.py` does."""
    database = _open(home)
    chance = random.Random(7)
    for number in range(RUNS):
        rate = 1 + (number % 17) / 10
        points: list[Point] = []
        for step in range(STEPS):
            share = step / STEPS
            loss = math.exp(-3 * rate * share) + chance.random() * 0.05
            score = 1 - math.exp(-2 * rate * share) + chance.random() * 0.01
            points += [
                Point(
                    series=name, step=step + 1, epoch=step // 50 + 1, value=value, time=1e9 + step
                )
                for name, value in (("train.loss", loss), ("valid.mae", score))
            ]
        _store(database, f"run{number:05d}", number, points, is_over=number >= LIVE_RUNS)
    database.close()


def fill_long(home: Path) -> None:
    """Store one run with a series of a million points."""
    database = _open(home)
    chance = random.Random(1)
    for first in range(0, LONG, AT_ONCE):
        points = [
            Point(
                series="train.loss",
                step=step + 1,
                epoch=step // 1000 + 1,
                value=math.exp(-step / 2e5) + chance.random() * 0.05,
                time=1e9 + step,
            )
            for step in range(first, first + AT_ONCE)
        ]
        _store(database, LONG_RUN, 0, points, is_over=True, before=first)
    database.close()


def _open(home: Path) -> Database:
    home.mkdir(parents=True, exist_ok=True)
    return open_database(f"sqlite:///{home / 'setgf.db'}")


def _store(
    database: Database, run_id: str, number: int, points: list[Point], *, is_over: bool,
    before: int = 0,
) -> None:  # fmt: skip
    with database.write(durable=False) as connection:
        if not before:
            created = time.time() - number
            run = new_run(run_id, seed=number % 10, name=f"run {number}", created_at=created)
            add_run(connection, run, state=JobState.RUNNING)
            add_attempt(connection, new_attempt(run_id))
        ingest(connection, run_id, 1, points, points_offset=POINT_BYTES * (before + len(points)))
        state = JobState.SUCCEEDED if is_over else JobState.RUNNING
        update_run(connection, run_id, attempt=1, state=state.value, started_at=time.time())


def write_on(home: Path) -> None:
    """Let the first runs write on, as a worker stores it twice a second."""
    database = _open(home)
    with database.read() as connection:
        rows = connection.exec_driver_sql("SELECT max(last_step) FROM series").scalar_one()
        offset = connection.exec_driver_sql("SELECT max(points_offset) FROM attempts").scalar_one()
    step, offset = int(rows), int(offset)
    amount = POINTS_A_SECOND // ROUNDS_A_SECOND // LIVE_RUNS
    until = time.monotonic() + LIVE_SECONDS
    while time.monotonic() < until:
        offset += POINT_BYTES * amount
        for number in range(LIVE_RUNS):
            points = [
                Point(series="train.loss", step=step + n, epoch=(step + n) // 50,
                      value=math.exp(-step / 1000) + 0.01 * n, time=time.time())
                for n in range(1, amount + 1)
            ]  # fmt: skip
            with database.write(durable=False) as connection:
                ingest(connection, f"run{number:05d}", 1, points, points_offset=offset)
        step += amount
        time.sleep(1 / ROUNDS_A_SECOND)


if __name__ == "__main__":
    write_on(Path(sys.argv[1]))
