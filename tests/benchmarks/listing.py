"""Listing: 1,000 runs of 100 series each, listed, filtered and sorted, in Python and by a command.

    python -m tests.benchmarks.listing     (a part of `reading`)

The targets: less than 150 ms from Python, less than 300 ms for the whole process of
`setgf runs list`, wall clock.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from db.engine import Database, open_database
from db.jobs import add_attempt
from db.metrics import ingest
from db.query import Query
from db.records import Point
from db.runs import add_run, add_tag, set_final_metrics, update_run
from tests.benchmarks.table import heading, interleaved, median, show
from tests.db.builders import NOW, new_attempt, new_run

NUM_RUNS = 1000
NUM_SERIES = 100
ROUNDS = 9
WHERE = "model == setgf and optim.lr < 0.01 and valid.metric7 > 0.3 and test.mae < 0.9"
COMMANDS = (
    ("setgf runs list", []),
    ("... --sort test.mae", ["--sort", "test.mae"]),
    ("... --where (four conditions)", ["--where", WHERE]),
    ("... --where --sort --json", ["--where", WHERE, "--sort", "-valid.metric7", "--json"]),
    ("... --json", ["--json"]),
)


def main() -> None:
    """Print milliseconds of wall clock and of CPU."""
    with tempfile.TemporaryDirectory(prefix="setgf-listing-") as home:
        database = open_database(str(Path(home) / "setgf.db"))
        _fill(database)
        rows = _in_python(database) + _as_commands(home)
        database.close()
    show(["1,000 runs of 100 series", "runs", "wall ms", "worst", "CPU ms"], rows)


def _fill(database: Database) -> None:
    chance = random.Random(0)
    names = [f"valid.metric{number}" for number in range(NUM_SERIES)]
    for number in range(NUM_RUNS):
        run_id = f"{number:08d}"
        rate = 10 ** chance.uniform(-5, -1)
        settings = {f"model.setting{i}": chance.random() for i in range(40)} | {
            "optim.lr": rate,
            "model.name": "setgf",
        }
        run = new_run(run_id, settings=settings, seed=number, created_at=NOW + number)
        with database.write(durable=False) as connection:
            add_run(connection, run)
            add_attempt(connection, new_attempt(run_id))
            points = [
                Point(series=name, step=step, epoch=1, value=chance.random(), time=NOW + step)
                for name in names
                for step in (1, 2, 3)
            ]
            ingest(connection, run_id, 1, points, points_offset=28 * len(points))
            final = {f"test.{name}": chance.random() for name in ("mae", "corr", "acc7", "f1")}
            set_final_metrics(connection, run_id, final, attempt=1)
            update_run(connection, run_id, attempt=1, state="succeeded", started_at=NOW)
            if number % 10 == 0:
                add_tag(connection, run_id, "tenth", actor="ada", now=NOW)


def _in_python(database: Database) -> list[list[str]]:
    query = Query(database)
    ways: dict[str, Callable[[], int]] = {
        "query.runs()": lambda: len(query.runs()),
        "query.runs(sort='-valid.metric7')": lambda: len(query.runs(sort="-valid.metric7")),
        "query.runs(where=four conditions)": lambda: len(query.runs(where=WHERE)),
        "query.runs(where=..., sort=...)": lambda: len(
            query.runs(where=WHERE, sort="-valid.metric7,test.mae")
        ),
    }
    counts = {name: call() for name, call in ways.items()}
    wall = interleaved(ways, rounds=ROUNDS, clock=time.perf_counter)
    cpu = interleaved(ways, rounds=ROUNDS, clock=time.process_time)
    return [_row(name, str(counts[name]), wall[name], cpu[name]) for name in ways]


def _as_commands(home: str) -> list[list[str]]:
    setgf = str(Path(sys.executable).parent / "setgf")
    environment = os.environ | {"SETGF_HOME": home}

    def calling(options: list[str]) -> Callable[[], object]:
        command = [setgf, "runs", "list", *options]
        return lambda: subprocess.run(command, env=environment, capture_output=True, check=True)

    ways = {name: calling(options) for name, options in COMMANDS}
    for call in ways.values():
        call()
    wall = interleaved(ways, rounds=ROUNDS, clock=time.perf_counter)
    cpu = interleaved(ways, rounds=ROUNDS, clock=_children)
    return [_row(name, "", wall[name], cpu[name]) for name in ways]


def _children() -> float:
    times = os.times()
    return times.children_user + times.children_system


def _row(name: str, count: str, wall: list[float], cpu: list[float]) -> list[str]:
    return [name, count, *(f"{1e3 * s:.0f}" for s in (median(wall), max(wall), median(cpu)))]


if __name__ == "__main__":
    heading("listing", __doc__ or "")
    main()
