"""The database is gone, not writable or out of reach while jobs run: training does not notice.

A locked database is in `test_crashes`, a full one in `test_bad_disks`. Children are stubs.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from db.engine import Database, open_database
from db.query import Query
from db.records import JobState
from setgf.home import DATABASE_VARIABLE, Home
from setgf.runs.journal import RECORD_SIZE
from setgf.worker.daemon import Worker, WorkerOptions
from setgf.worker.engines.local import LocalEngine
from setgf.worker.supervision import is_process, is_running, read_process
from tests.acceptance.test_crashes import add, check_undisturbed, expected_value
from tests.acceptance.user import User
from tests.acceptance.workers import STUB, Site
from tests.db.postgres_server import PostgresServer, why_not
from tests.worker.processes import wait_until
from tests.worker.stub_worker import COMMAND

pytestmark = [pytest.mark.long, pytest.mark.xdist_group("processes")]

PATIENT = ("-m", "tests.acceptance.chaos_worker", "--child", "stub", "--lease", "90")
"""Its lease outlasts the outage."""
IMPATIENT = (*PATIENT[:-1], "9")
TROUBLE = "Training goes on; trying again"


@pytest.fixture
def server() -> Iterator[PostgresServer]:
    """A server for one test: it is going to be stopped."""
    reason = why_not()
    if reason:
        pytest.skip(f"PostgreSQL: {reason}")
    made = PostgresServer()
    yield made
    made.close()


def log_of(home: Path) -> str:
    return "".join(path.read_text() for path in (home / "workers").glob("worker-*.log"))


def move_database(path: Path, folder: Path) -> None:
    """Move a database with its log to a folder."""
    for suffix in ("", "-wal", "-shm"):
        one = Path(f"{path}{suffix}")
        if one.exists():
            one.rename(folder / one.name)


def test_a_deleted_database_stops_no_training_and_a_rebuild_finds_everything(
    home: Path, file_database: Database
) -> None:
    with Site(home, file_database, STUB) as site:
        (job,) = add(site, ("steps=200", "pause=0.02"))
        worker = site.start_worker()
        site.wait_for_steps(job.id, 5)
        attempt = site.attempt(site.job(job.id))
        assert file_database.path is not None

        for suffix in ("", "-wal", "-shm"):
            Path(f"{file_database.path}{suffix}").unlink(missing_ok=True)

        assert worker.wait(30) != 0
        assert "is gone. Make it anew from the run folders with `setgf db rebuild`" in site.errors()
        assert site.folder(job).is_live()
        wait_until(attempt.exit.exists, seconds=60)
        assert attempt.points.stat().st_size == (2 * 200 + 40) * RECORD_SIZE
        assert "Made" in User(home).must("db", "rebuild").out

        run = site.query.run(job.run_id)
        assert (run.state, run.metrics["valid.mae"]) == (JobState.SUCCEEDED, expected_value(200))
        for series in ("train.loss", "train.lr", "valid.mae"):
            site.check_points(job, series)
        assert file_database.check() == ()


def test_a_database_that_comes_back_is_gone_on_with(
    home: Path, file_database: Database, tmp_path: Path
) -> None:
    with Site(home, file_database, STUB) as site:
        (job,) = add(site, ("steps=300", "pause=0.02"))
        worker = site.start_worker()
        site.wait_for_steps(job.id, 5)
        assert file_database.path is not None

        move_database(file_database.path, tmp_path)
        assert worker.wait(30) != 0
        move_database(tmp_path / "setgf.db", home)
        site.start_worker("--drain").wait(60)

        assert site.job(job.id).attempt == 1
        check_undisturbed(site, job, 300)
        site.check_nothing_is_left()


def test_a_database_that_can_not_be_written_for_a_while_loses_nothing(
    home: Path, file_database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    assert file_database.path is not None
    with Site(home, file_database, STUB) as site:
        (job,) = add(site, ("steps=100", "pause=0.02"))
        place = Home(home)
        own = open_database(place.database_url)
        options = WorkerOptions(slots=1, gpus=(), drain=True, lease_seconds=3)
        worker = Worker(place, own, options, engine=LocalEngine(place, command=COMMAND))
        worker.register(time.time())

        def turn() -> None:
            worker.step(worker.clock())

        def turn_until(condition: str | None) -> None:
            def met() -> bool:
                turn()
                return site.steps(job.id) > 5 if condition is None else condition in caplog.text

            wait_until(met, seconds=60)

        turn_until(None)
        journal = site.attempt(site.job(job.id)).points
        good = own.engine
        own.engine = open_database(place.database_url, read_only=True).engine
        before = journal.stat().st_size
        turn_until(TROUBLE)
        wait_until(lambda: journal.stat().st_size > before + 20 * RECORD_SIZE)
        assert site.job(job.id).state is JobState.RUNNING
        own.engine.dispose()
        own.engine = good

        wait_until(lambda: (turn(), site.job(job.id).state.is_finished)[1], seconds=60)
        own.close()
        assert site.job(job.id).attempt == 1
        assert "can't be written" in caplog.text
        check_undisturbed(site, job, 100)


@pytest.fixture
def runs(server: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    """A database on that server; workers find it by the environment."""
    server.execute("CREATE DATABASE runs")
    monkeypatch.setenv(DATABASE_VARIABLE, server.url("runs"))
    opened = open_database(server.url("runs"))
    yield opened
    opened.close()


def test_a_server_that_is_away_for_a_while_stops_no_training(
    home: Path, server: PostgresServer, runs: Database
) -> None:
    with Site(home, runs, PATIENT) as site:
        (job,) = add(site, ("steps=1500", "pause=0.01"))
        worker = site.start_worker("--drain")
        site.wait_for_steps(job.id, 5)
        journal = site.attempt(site.job(job.id)).points

        server.stop()
        before = journal.stat().st_size
        wait_until(lambda: TROUBLE in log_of(home), seconds=60)
        assert journal.stat().st_size > before + 100 * RECORD_SIZE
        assert worker.poll() is None
        server.start()

        assert worker.wait(90) == 0
        assert site.job(job.id).attempt == 1
        check_undisturbed(site, job, 1500)
        site.check_nothing_is_left()


@pytest.mark.parametrize("is_killed", [False, True], ids=["waits", "is killed"])
def test_a_worker_without_its_server_stops_its_children_before_its_lease_is_over(
    home: Path, server: PostgresServer, runs: Database, is_killed: bool
) -> None:
    with Site(home, runs, IMPATIENT) as site:
        (job,) = add(site, ("steps=300", "pause=0.02"))
        worker = site.start_worker("--drain")
        site.wait_for_steps(job.id, 5)
        record = read_process(site.attempt(site.job(job.id)))
        assert record is not None
        lease_until = site.job(job.id).lease_until
        assert lease_until is not None

        server.stop()
        wait_until(lambda: not is_running(record.child_pid, record.child_start, record.boot_id))
        assert time.time() < lease_until
        assert is_process(record.child_pid, record.child_start, record.boot_id)
        if is_killed:
            worker.kill()
            worker.wait()
        server.start()

        if is_killed:
            worker = site.start_worker("--drain")
        assert worker.wait(90) == 0
        assert site.job(job.id).attempt == 1
        check_undisturbed(site, job, 300)
        site.check_nothing_is_left()


def test_a_server_that_restarts_is_hardly_noticed(
    home: Path, server: PostgresServer, runs: Database
) -> None:
    with Site(home, runs, STUB) as site:
        jobs = add(site, ("steps=200", "pause=0.01"))
        worker = site.start_worker("--drain")
        for _ in range(3):
            site.wait_for_steps(jobs[0].id, site.steps(jobs[0].id) + 10)
            server.stop()
            server.start()

        assert worker.wait(90) == 0
        for job in jobs:
            assert site.job(job.id).attempt == 1
            check_undisturbed(site, job, 200)


def test_the_users_of_a_file_see_a_whole_database_at_every_moment_of_a_rebuild(
    home: Path, file_database: Database
) -> None:
    with Site(home, file_database, STUB) as site:
        jobs = add(site, *[("steps=20",)] * 3)
        site.start_worker("--drain").wait(60)
        query = Query(file_database)
        before = query.runs()

        rebuilding = User(home).start("db", "rebuild")
        seen = 0
        while rebuilding.poll() is None:
            assert len(query.runs()) == len(before)
            seen += 1
        rebuilding.communicate()

        assert rebuilding.returncode == 0
        assert seen > 3
        for job in jobs:
            check_undisturbed(site, job, 20)
    with closing(sqlite3.connect(home / "setgf.old.db")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
