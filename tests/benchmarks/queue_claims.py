"""Claims of eight processes on one SQLite file, and what a long queue costs. Load counts: see it.

`python -m tests.benchmarks.queue_claims 100000` runs the long form: so many claims, none twice.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from db.engine import Database, open_database
from db.errors import DatabaseBusyError
from db.jobs import add_jobs, candidates
from db.records import NewJob
from tests.benchmarks.table import interleaved, median, show
from tests.db.builders import NOW, new_job, take

NUM_PROCESSES = 8
NUM_CLAIMS = 4_000
LENGTHS = (10, 10_000)
ROUNDS = 40
CANDIDATES = 32
JOBS_AN_INSERT = 1_000
ROOT = Path(__file__).parents[2]


def main() -> None:
    """Print claims a second, and adding, looking and claiming beside short and long queues."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 and sys.argv[1].isdecimal() else NUM_CLAIMS
    print(f"load average {os.getloadavg()[0]:.1f} of {os.cpu_count()} cores")
    durabilities = ("durable", "fast") if count <= NUM_CLAIMS else ("durable",)
    columns = ["commits", "claims", "twice", "claims/s", "CPU ms/claim"]
    show(columns, [_many_processes(count, kind) for kind in durabilities])
    show(["work, median ms CPU", *(f"{n} queued" for n in LENGTHS)], _lengths())


def claim_all(path: str, worker: str, kind: str) -> None:
    """Claim as a worker does until nothing is left: print every job, at the end the CPU seconds."""
    database = open_database(path)
    sys.stdin.readline()
    taken: list[int] = []
    while True:
        with database.read() as connection:
            found = candidates(connection, now=NOW, limit=CANDIDATES)
        if not found:
            break
        begin = len(found) * int(worker) // NUM_PROCESSES
        for job in (*found[begin:], *found[:begin]):
            try:
                with database.write(durable=kind == "durable") as connection:
                    if take(connection, job.id, worker_id=worker, devices=()) is not None:
                        taken.append(job.id)
            except DatabaseBusyError:  # its lock is not fair; a worker tries again, too
                pass
    database.close()
    print(*taken, time.process_time(), sep="\n")


def _many_processes(count: int, kind: str) -> list[str]:
    folder = Path(tempfile.mkdtemp())
    try:
        path = folder / "setgf.db"
        database = open_database(str(path))
        _fill(database, count)
        database.close()
        module = "tests.benchmarks.queue_claims"
        call = f"import sys; from {module} import claim_all; claim_all(*sys.argv[1:])"
        processes = [
            subprocess.Popen(
                [sys.executable, "-c", call, str(path), str(number), kind],
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for number in range(NUM_PROCESSES)
        ]
        time.sleep(3)  # until all of them have loaded their modules and wait
        began = time.monotonic()
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        outputs = [process.communicate()[0].splitlines() for process in processes]
        seconds = time.monotonic() - began
    finally:
        shutil.rmtree(folder)
    claims = Counter(line for lines in outputs for line in lines[:-1])
    assert len(claims) == count, f"{count - len(claims)} jobs were never claimed"
    twice = sum(number > 1 for number in claims.values())
    cpu = sum(float(lines[-1]) for lines in outputs)
    rate = f"{count / seconds:.0f}"
    return [kind, str(count), str(twice), rate, f"{cpu / count * 1e3:.2f}"]


def _lengths() -> list[list[str]]:
    """Return what adding, looking and claiming cost beside each length of the queue."""
    folder = Path(tempfile.mkdtemp())
    try:
        work: dict[str, Callable[[], object]] = {}
        opened: list[Database] = []
        for length in LENGTHS:
            database = open_database(str(folder / f"{length}.db"))
            opened.append(database)
            _fill(database, length)
            with database.write() as connection:
                connection.exec_driver_sql("UPDATE jobs SET priority = -1")
            work |= _work(database, length)
        seconds = interleaved(work, rounds=ROUNDS, clock=time.process_time)
        for database in opened:
            database.close()
    finally:
        shutil.rmtree(folder)
    names = ("add 1 job", "candidates", "claim")
    medians = {name: median(values) * 1e3 for name, values in seconds.items()}
    return [[n, *(f"{medians[f'{n} {length}']:.2f}" for length in LENGTHS)] for n in names]


def _work(database: Database, length: int) -> dict[str, Callable[[], object]]:
    number = length
    added: list[int] = []

    def add() -> None:
        nonlocal number
        number += 1
        with database.write() as connection:
            (job,) = add_jobs(connection, [_job(number)], actor="ada", now=NOW)
        added.append(job.id)

    def look() -> None:
        with database.read() as connection:
            candidates(connection, now=NOW, limit=CANDIDATES)

    def claim() -> None:
        with database.write() as connection:
            assert take(connection, added.pop(), devices=())

    return {f"add 1 job {length}": add, f"candidates {length}": look, f"claim {length}": claim}


def _fill(database: Database, count: int) -> None:
    for begin in range(0, count, JOBS_AN_INSERT):
        new = [_job(number) for number in range(begin, min(begin + JOBS_AN_INSERT, count))]
        with database.write(durable=False) as connection:
            add_jobs(connection, new, group_name="all", actor="ada", now=NOW)


def _job(number: int) -> NewJob:
    return new_job(number, run_id=f"run{number:08}", tags=())


if __name__ == "__main__":
    main()
