"""Real processes that want the same jobs."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from db.engine import Database
from db.jobs import add_jobs, list_jobs, set_parallelism
from db.query import Query
from db.records import JobState
from tests.db.builders import NOW, new_job

ROOT = Path(__file__).parents[2]
NUM_PROCESSES = 8
NUM_JOBS = 80
CLAIMER = """
import sys
from db.engine import open_database
from db.jobs import candidates, finish_attempt, list_jobs
from db.records import JobState
from tests.db.builders import NOW, take
url, worker, way, *devices = sys.argv[1:]
database = open_database(url)
write = database.engine.begin if way == "bare" else lambda: database.write(durable=False)
sys.stdin.readline()
while True:
    with database.read() as connection:
        jobs = candidates(connection, now=NOW, limit=4)
        is_over = not list_jobs(connection, [JobState.QUEUED], limit=1)
    if is_over:
        break
    for job in jobs:
        with write() as connection:
            claimed = take(connection, job.id, worker_id=worker, devices=devices)
        if claimed is not None:
            print(job.id, claimed.attempt, flush=True)
            with write() as connection:
                finish_attempt(connection, job.id, claimed.attempt, outcome="succeeded", now=NOW)
            break
database.close()
"""


@pytest.mark.slow
@pytest.mark.parametrize("way", ["one writer", pytest.param("bare", marks=pytest.mark.long)])
def test_eight_processes_claim_every_job_once_and_share_one_gpu(
    database: Database, url: str, way: str
) -> None:
    """`bare` writers of PostgreSQL do not wait for each other: the claim alone must hold."""
    if way == "bare" and database.path is not None:
        pytest.skip("SQLite has one writer whatever one does")
    with database.write() as connection:
        add_jobs(connection, [new_job(n) for n in range(NUM_JOBS)], actor="ada", now=NOW)

    claim_all(url, way, "cuda:0")

    assert most_live(database) == 1


@pytest.mark.slow
def test_eight_processes_keep_to_the_limit_of_a_group(database: Database, url: str) -> None:
    way = "one writer" if database.path is not None else "bare"
    with database.write() as connection:
        new = [new_job(n) for n in range(NUM_JOBS)]
        add_jobs(connection, new, group_name="narrow", actor="ada", now=NOW)
        set_parallelism(connection, "narrow", 3, "ada", NOW)

    claim_all(url, way)

    assert 1 <= most_live(database) <= 3


def claim_all(url: str, way: str, *devices: str) -> None:
    """Let the processes claim and end every job; none is claimed twice."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", CLAIMER, url, f"w{number}", way, *devices],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(NUM_PROCESSES)
    ]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    results = [process.communicate() for process in processes]

    assert [error for _, error in results] == [""] * NUM_PROCESSES
    claimed = Counter(line for output, _ in results for line in output.splitlines())
    assert len(claimed) == NUM_JOBS
    assert set(claimed.values()) == {1}


def most_live(database: Database) -> int:
    """Return how many jobs were live at once, by the events; all of them are over."""
    with database.read() as connection:
        assert {job.state for job in list_jobs(connection)} == {JobState.SUCCEEDED}
    events = Query(database).events()
    starts = [e.job_id for e in events if e.to_state == "starting"]
    assert len(starts) == len(set(starts)) == NUM_JOBS
    live = most = 0
    for event in events:
        live += (event.to_state == "starting") - (event.to_state == "succeeded")
        most = max(most, live)
    return most
