"""Run databases for the benchmark of the dashboard, and runs that train on while it is measured."""

from __future__ import annotations

import math
import random
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import Connection

from db.engine import Database, open_database
from db.jobs import add_attempt
from db.metrics import ingest
from db.records import Point
from db.runs import add_run, set_final_metrics, update_run
from tests.db.builders import new_attempt, new_run

NUM_SERIES = 100
NUM_LIVE = 8
STEPS_A_RUN = 400
POINT_BYTES = 28
LATER_SECONDS = 3600
"""By so much the live runs are newer than all others."""


def name_of(number: int) -> str:
    """Return the name of a run."""
    return f"bench-{number:05d}"


def id_of(number: int) -> str:
    """Return the id of a run."""
    return f"b{number:07d}"


def make_database(
    home: Path, num_runs: int, *, num_series: int = NUM_SERIES, steps: int = STEPS_A_RUN
) -> None:
    """Make a home with runs, the first of them live; `train.loss` is the longest series."""
    database = open_database(f"sqlite:///{home / 'setgf.db'}")
    chance = random.Random(0)
    names = [f"valid.metric{number}" for number in range(num_series - 1)]
    begun = time.time() - 86_400
    for first in range(0, num_runs, 100):
        with database.write(durable=False) as connection:
            for number in range(first, min(first + 100, num_runs)):
                _add(connection, home, number, begun, chance, names, steps)
    with database.write() as connection:
        connection.exec_driver_sql("ANALYZE")
    database.close()


def _add(
    connection: Connection,
    home: Path,
    number: int,
    begun: float,
    chance: random.Random,
    names: Sequence[str],
    steps: int,
) -> None:
    run_id, is_live = id_of(number), number < NUM_LIVE
    rate = 10 ** chance.choice((-5, -4, -3, -2))
    config = {"optim": {"lr": rate, "batch_size": 32}, "model": {"name": "setgf", "width": 128}}
    run = new_run(
        run_id,
        name=name_of(number),
        config=config,
        settings={"optim.lr": rate, "optim.batch_size": 32, "model.width": 128},
        seed=1111 + number % 5,
        variant=f"v{number // 5}",
        max_epochs=30,
        folder=str(home / "runs" / run_id),
        created_at=begun + (LATER_SECONDS if is_live else 0) - 10 * number,
    )
    add_run(connection, run)
    add_attempt(connection, new_attempt(run_id, started_at=begun))
    points = [
        Point(series=name, step=10 * epoch, epoch=epoch, value=chance.random(), time=begun + epoch)
        for name in names
        for epoch in (1, 2, 3)
    ]
    points += [_loss(step, begun, chance) for step in range(1, steps + 1)]
    ingest(connection, run_id, 1, points, points_offset=POINT_BYTES * len(points))
    final = {f"test.{name}": chance.random() for name in ("mae", "corr", "acc7", "acc2_non0")}
    if not is_live:
        set_final_metrics(connection, run_id, final, attempt=1)
    update_run(
        connection,
        run_id,
        attempt=1,
        state="running" if is_live else "succeeded",
        started_at=begun - 10 * number,
        finished_at=None if is_live else begun - 10 * number + 300,
        epoch=10,
        step=steps,
        best_epoch=7,
        best_valid=0.7 + 0.3 * chance.random(),
    )


def _loss(step: int, begun: float, chance: random.Random) -> Point:
    value = 0.5 + math.exp(-step / 150) + 0.1 * chance.random()
    epoch = (step - 1) // 40 + 1
    return Point(series="train.loss", step=step, epoch=epoch, value=value, time=begun + step)


class Training:
    """Runs that train on: points of `train.loss` come at a rate, as a worker stores them."""

    def __init__(
        self, home: Path, *, points_a_second: int, every: float = 0.5, num_live: int = NUM_LIVE
    ) -> None:
        self._database: Database = open_database(f"sqlite:///{home / 'setgf.db'}")
        self._every = every
        self._num_live = num_live
        self._points = max(round(points_a_second * every / num_live), 1)
        self._steps = STEPS_A_RUN
        self._offset = 10_000_000
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._train, daemon=True)

    def __enter__(self) -> Training:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self._database.close()

    def _train(self) -> None:
        chance = random.Random(1)
        while not self._stop.wait(self._every):
            now = time.time()
            steps = range(self._steps + 1, self._steps + self._points + 1)
            self._offset += POINT_BYTES * self._points
            for number in range(self._num_live):
                with self._database.write(durable=False) as connection:
                    points = [_loss(step, now, chance) for step in steps]
                    ingest(connection, id_of(number), 1, points, points_offset=self._offset)
                    update_run(connection, id_of(number), attempt=1, now=now, step=steps[-1])
            self._steps = steps[-1]
