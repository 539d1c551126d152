"""Real worker processes, and what must hold after everything they went through."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from types import TracebackType
from typing import Self

from db.engine import Database
from db.jobs import list_attempts, list_jobs
from db.query import Query
from db.records import Job
from setgf.home import Home
from setgf.runs.folder import AttemptFolder, RunFolder, list_runs
from setgf.runs.reader import read_events, read_points
from setgf.worker.supervision import end_attempt, liveness, marked_processes, read_process
from tests.worker.processes import wait_until

ROOT = Path(__file__).parents[2]
STUB = ("-m", "tests.worker.stub_worker")
REAL = ("-m", "setgf.cli.main", "worker", "start", "--gpus", "none")


class Site:
    """A home with its workers; leaves no process behind."""

    def __init__(self, home: Path, database: Database, command: tuple[str, ...]) -> None:
        self.home = home
        self.database = database
        self.query = Query(database)
        self.command = command
        self.workers: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for worker in self.workers:
            worker.send_signal(signal.SIGCONT)
            worker.kill()
            worker.wait()
        for folder in list_runs(Home(self.home)):
            for attempt in folder.attempts():
                end_attempt(attempt)

    def start_worker(self, *options: str) -> subprocess.Popen[bytes]:
        """Start a worker process."""
        self.home.joinpath("workers").mkdir(exist_ok=True)
        with (self.home / "workers" / "errors.txt").open("ab") as errors:
            worker = subprocess.Popen(
                [sys.executable, *self.command, *options],
                cwd=ROOT,
                env={**os.environ, "SETGF_HOME": str(self.home)},
                stdin=subprocess.DEVNULL,
                stdout=errors,
                stderr=errors,
            )
        self.workers.append(worker)
        return worker

    def errors(self) -> str:
        """Return what the workers printed."""
        return (self.home / "workers" / "errors.txt").read_text()

    def jobs(self) -> tuple[Job, ...]:
        with self.database.read() as connection:
            return list_jobs(connection)

    def job(self, job_id: int) -> Job:
        return self.query.job(job_id)

    def folder(self, job: Job) -> RunFolder:
        return RunFolder(self.home / "runs" / job.run_id)

    def attempt(self, job: Job) -> AttemptFolder:
        return self.folder(job).attempt_folder(job.attempt)

    def steps(self, job_id: int) -> int:
        """Return the steps of a job's run that are in the database."""
        job = self.job(job_id)
        if job.attempt == 0 or not self.folder(job).path.exists():
            return 0
        return self.query.run(job.run_id).step

    def wait_for_steps(self, job_id: int, steps: int, *, seconds: float = 60) -> None:
        """Wait until a job has made so many steps, or is over."""
        wait_until(
            lambda: self.steps(job_id) >= steps or self.job(job_id).state.is_finished,
            seconds=seconds,
            what=f"{steps} steps of job {job_id}",
        )

    def wait_for_ends(self, *, seconds: float = 120) -> None:
        """Wait until every job is over."""
        wait_until(
            lambda: all(job.state.is_finished for job in self.jobs()),
            seconds=seconds,
            what="the end of all jobs",
        )

    def kill(self, job: Job, who: str) -> bool:
        """SIGKILL the shim or the child of a job; False when it isn't running."""
        record = read_process(self.attempt(job))
        if record is None or liveness(self.attempt(job)) != "alive":
            return False
        try:
            os.kill(record.shim_pid if who == "shim" else record.child_pid, signal.SIGKILL)
        except ProcessLookupError:
            return False
        return True

    def check_points(self, job: Job, series: str) -> None:
        """Every point of the journal that counts is in the database, once, and nothing else is."""
        written = read_points(self.folder(job), series)
        stored = self.query.points(job.run_id, series)
        steps = Counter(point.step for point in written)
        assert max(steps.values()) == 1, f"step written twice: {steps.most_common(3)}"
        assert list(zip(stored.steps, stored.values, strict=True)) == [
            (point.step, point.value) for point in sorted(written, key=lambda point: point.step)
        ]
        _, rows = self.query.sql(
            "SELECT count(*) - count(DISTINCT p.step) FROM points p JOIN series s "
            f"ON s.id = p.series_id WHERE s.run_id = '{job.run_id}' "
            f"AND s.split || '.' || s.name = '{series}' AND s.branch = 'fusion'"
        )
        assert rows[0][0] == 0

    def check_nothing_is_left(self) -> None:
        """No process, no lock, no device lease, no open attempt."""
        for job in self.jobs():
            folder = self.folder(job)
            assert not folder.is_live()
            for attempt in folder.attempts():
                assert list(marked_processes(attempt)) == []
            with self.database.read() as connection:
                attempts = list_attempts(connection, job.run_id)
            assert [attempt.number for attempt in attempts] == list(range(1, job.attempt + 1))
            assert all(attempt.outcome for attempt in attempts)
        _, rows = self.query.sql("SELECT count(*) FROM device_leases")
        assert rows[0][0] == 0

    def weights(self, job: Job) -> str:
        """Return the hash of a finished run's weights."""
        events = [
            event for attempt in self.folder(job).attempts() for event in read_events(attempt)
        ]
        (finished,) = [event for event in events if event["kind"] == "finished"]
        return str(finished["weights_sha256"])
