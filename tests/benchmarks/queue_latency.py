"""The queue's speed: a row's way to its process, jobs a second, what an idle worker costs.

On an SQLite file, and on a PostgreSQL server where one can be started.
"""

import logging
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from contextlib import closing, contextmanager
from pathlib import Path

import psutil

from db.engine import Database, open_database
from db.jobs import add_jobs, list_jobs
from db.records import Job, JobState
from db.workers import list_workers
from setgf.home import Home, find_home
from setgf.runs.folder import AttemptFolder
from setgf.worker.daemon import Worker, WorkerOptions
from setgf.worker.engines.local import LocalEngine
from tests.db.postgres_server import PostgresServer, why_not
from tests.worker.builders import a_new_job
from tests.worker.engines import ExitsAtOnce

LATENCY_JOBS = 30
THROUGHPUT_JOBS = 300
IDLE_SECONDS = 20.0
PAUSE_SECONDS = 0.25
"""Between two jobs: the worker is idle when a row is written."""


def main() -> None:
    """Print the figures, with the machine's load beside them."""
    load = os.getloadavg()[0]
    print("SQLite:")
    _measure(None)
    if why_not():
        print(f"PostgreSQL is left out: {why_not()}")
    else:
        print("PostgreSQL:")
        with closing(PostgresServer()) as server:
            _measure(server)
    print(f"load of the machine: {load:.1f} before, {os.getloadavg()[0]:.1f} after")


def _measure(server: PostgresServer | None) -> None:
    with _database(server, "noops") as (home, database):
        _measure_throughput(home, database)
    with _database(server, "late") as (home, database), _worker(home, database) as worker:
        _measure_latency(home, database)
        _measure_idle(worker)


def _measure_throughput(home: Home, database: Database) -> None:
    jobs = _add(database, [f"noop{number:04}" for number in range(THROUGHPUT_JOBS)])
    options = WorkerOptions(slots=2, gpus=(), drain=True)
    worker = Worker(home, database, options, engine=ExitsAtOnce())
    wall, cpu = time.perf_counter(), time.process_time()
    worker.run()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    with database.read() as connection:
        ended = list_jobs(connection, ids=[job.id for job in jobs])
    assert {job.state for job in ended} == {JobState.SUCCEEDED}, "not every job succeeded"
    number = len(ended)
    print(
        f"no-op jobs, 2 slots: {number / wall:.0f} jobs/s ({wall / number * 1e3:.1f} ms, "
        f"{cpu / number * 1e3:.1f} ms CPU a job)"
    )


def _measure_latency(home: Home, database: Database) -> None:
    seconds: list[float] = []
    for number in range(LATENCY_JOBS):
        run_id = f"late{number:04}"
        time.sleep(PAUSE_SECONDS + number % 7 * 0.013)  # at no fixed phase of the worker's clock
        (job,) = _add(database, [run_id])
        written = time.time()
        seconds.append(_shim_started(AttemptFolder(home.runs / run_id / "a1", 1)) - written)
        _wait_until_over(database, job)
    ordered = sorted(seconds)
    print(
        f"row written -> shim started: median {statistics.median(ordered) * 1e3:.0f} ms, "
        f"p90 {ordered[len(ordered) * 9 // 10] * 1e3:.0f} ms, worst {ordered[-1] * 1e3:.0f} ms"
    )


def _measure_idle(worker: psutil.Process) -> None:
    before = worker.cpu_times()
    time.sleep(IDLE_SECONDS)
    after = worker.cpu_times()
    used = after.user + after.system - before.user - before.system
    print(f"idle worker: {used / IDLE_SECONDS * 100:.2f} % of a core over {IDLE_SECONDS:.0f} s")


def _shim_started(attempt: AttemptFolder) -> float:
    """Return when the shim, holding the run's lock, said so."""
    deadline = time.monotonic() + 30
    while not attempt.proc.exists():
        assert time.monotonic() < deadline, f"{attempt.proc} did not come"
        time.sleep(0.001)
    return attempt.proc.stat().st_mtime


def _wait_until_over(database: Database, job: Job) -> None:
    while True:
        with database.read() as connection:
            (now,) = list_jobs(connection, ids=[job.id])
        if now.state.is_finished:
            return
        time.sleep(0.02)


def _add(database: Database, run_ids: list[str]) -> tuple[Job, ...]:
    with database.write() as connection:
        new = [a_new_job(run_id, max_attempts=1) for run_id in run_ids]
        return add_jobs(connection, new, actor="me", now=time.time())


@contextmanager
def _database(server: PostgresServer | None, name: str) -> Generator[tuple[Home, Database]]:
    """Open an empty database: a file, or one of that name on a server."""
    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder))
        url = home.database_url
        if server is not None:
            server.execute(f"CREATE DATABASE {name}")
            url = server.url(name)
        with closing(open_database(url)) as database:
            yield home, database


@contextmanager
def _worker(home: Home, database: Database) -> Generator[psutil.Process]:
    """Run a worker of its own process, whose children are `true`."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.benchmarks.queue_latency", "--worker"],
        env=os.environ | {"SETGF_HOME": str(home.root), "SETGF_DATABASE_URL": database.url},
    )
    try:
        while True:
            with database.read() as connection:
                if list_workers(connection, now=time.time()):
                    break
            time.sleep(0.05)
        yield psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait()


def _work() -> None:
    logging.getLogger("setgf.worker").setLevel(logging.ERROR)
    home = find_home()
    options = WorkerOptions(slots=2, gpus=())
    with closing(open_database(home.database_url)) as database:
        Worker(home, database, options, engine=LocalEngine(home, command=("true",))).run()


if __name__ == "__main__":
    _work() if "--worker" in sys.argv else main()
