"""A home with a small feature store, and jobs in chosen states, for tests of `setgf queue`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from db.engine import open_database
from db.jobs import finish_attempt, start_attempt
from db.runs import add_run
from db.workers import register_worker
from setgf.data.synthetic import synthesise
from setgf.home import Home
from tests.cli.command import Outcome, run_setgf
from tests.db.builders import new_run, new_worker, take

ADD = ("queue", "add", "--data", "small", "--set", "text.encoder=tiny")


def make_store(home: Path) -> None:
    synthesise(Home(home), "small", num_samples=24)


def add(*words: object) -> Outcome:
    """Queue jobs on the small store."""
    outcome = run_setgf(*ADD, *words)
    assert outcome.code == 0, outcome.err
    return outcome


def jobs(*words: object) -> dict[int, Any]:
    """Return the listed jobs by id, as `queue list --json` has them."""
    return {job["id"]: job for job in run_setgf("queue", "list", "--all", *words, "--json").json}


def worker(home: Path, *devices: str) -> None:
    """Say that a worker is there."""
    database = open_database(Home(home).database_url)
    with database.write() as connection:
        register_worker(connection, new_worker("w1", devices or ("cpu0",)), now=time.time())
    database.close()


def start(home: Path, job_id: int, device: str = "cpu0", ago: float = 10.0) -> None:
    """Bring a queued job to running."""
    database = open_database(Home(home).database_url)
    begun = time.time() - ago
    with database.write() as connection:
        claimed = take(connection, job_id, devices=(device,), now=begun)
        assert claimed is not None
        add_run(connection, new_run(claimed.job.run_id, job_id=job_id))
        start_attempt(
            connection, job_id, claimed.attempt, pid=5, pid_start=6, log_path="log.txt", now=begun
        )
    database.close()


def finish(home: Path, job_id: int, outcome: str = "succeeded", **columns: Any) -> None:
    """End the running attempt of a job."""
    database = open_database(Home(home).database_url)
    with database.write() as connection:
        finish_attempt(connection, job_id, 1, outcome=outcome, now=time.time(), **columns)
    database.close()
