"""The gateway over a real database, real run folders and a real feature store."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from db.engine import open_database
from db.jobs import add_attempt, add_jobs
from db.metrics import ingest
from db.records import Attempt, JobState, Point
from db.runs import add_run
from setgf.home import Home
from tests.db.builders import new_job, new_run
from tui.database_gateway import DatabaseGateway
from tui.gateway import FilterProblem, GatewayError, MissingError

NOW = 1_764_000_000.0
RUN_ID = "bbbbbbb1"


def attempt() -> Attempt:
    """Return a first attempt in the foreground."""
    return Attempt(
        job_id=None,
        run_id=RUN_ID,
        number=1,
        worker_id=None,
        host="node-1",
        boot_id="b",
        pid=1,
        pid_start=1,
        devices=(),
        started_at=NOW,
        ended_at=None,
        outcome=None,
        exit_code=None,
        failure_class=None,
        error=None,
        resume_step=0,
        log_path="",
        points_offset=0,
        events_offset=0,
    )


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


@pytest.fixture
def gateway(home: Home) -> Iterator[DatabaseGateway]:
    """Two queued jobs and a run with points."""
    database = open_database(home.database_url)
    with database.write() as c:
        add_jobs(c, [new_job(1), new_job(2)], actor="ada", now=NOW)
        folder = str(home.root / "runs" / RUN_ID)
        add_run(c, new_run(RUN_ID, seed=7, folder=folder), state=JobState.RUNNING)
        add_attempt(c, attempt())
        found = [
            Point(series="train.loss", step=n, epoch=1, value=1 / n, time=NOW + n)
            for n in range(1, 51)
        ]
        ingest(c, RUN_ID, 1, found, points_offset=28 * 50)
    database.close()
    yield DatabaseGateway(home.database_url, home, clock=lambda: NOW)


def test_it_reads_counts_runs_points_and_jobs(gateway: DatabaseGateway) -> None:
    counts = gateway.counts()
    assert (counts.waiting, counts.running, counts.runs) == (2, 0, 1)
    assert [run.id for run in gateway.list_runs()] == [RUN_ID]
    assert gateway.list_series([RUN_ID]) == ("train.loss",)
    assert [line.job.seed for line in gateway.read_queue().lines] == [1111, 1112]

    (points,) = gateway.read_points([RUN_ID, "nosuchone"], "train.loss", 1000)
    assert points.values[-1] == pytest.approx(1 / 50)


def test_the_version_changes_with_what_another_process_writes(
    gateway: DatabaseGateway, home: Home
) -> None:
    before = gateway.version()
    assert gateway.version() == before

    other = open_database(home.database_url)
    with other.write() as c:
        add_jobs(c, [new_job(3)], actor="ada", now=NOW)
    other.close()

    assert gateway.version() != before
    assert gateway.counts().waiting == 3


def test_a_filter_is_answered_or_explained(gateway: DatabaseGateway) -> None:
    assert gateway.list_runs("seed == 7")
    assert gateway.list_runs("seed == 8") == ()
    with pytest.raises(FilterProblem):
        gateway.list_runs("sead == 7")


def test_a_missing_database_is_told_apart_and_found_when_it_comes(home: Home) -> None:
    gateway = DatabaseGateway(home.database_url, home, clock=lambda: NOW)
    with pytest.raises(MissingError, match=r"No run database at .*setgf.db"):
        gateway.version()
    assert not (home.root / "setgf.db").exists()

    open_database(home.database_url).close()

    assert gateway.counts().waiting == 0


def test_a_damaged_database_is_named_and_used_again_once_it_is_mended(home: Home) -> None:
    path = home.root / "setgf.db"
    path.write_bytes(b"this is no database, whatever its name says" * 100)
    gateway = DatabaseGateway(home.database_url, home, clock=lambda: NOW)
    with pytest.raises(GatewayError, match=r"setgf db rebuild"):
        gateway.counts()

    path.unlink()
    open_database(home.database_url).close()

    assert gateway.counts().runs == 0


def test_the_log_of_the_newest_attempt_is_read_from_its_end(
    gateway: DatabaseGateway, home: Home
) -> None:
    gateway.list_runs()
    assert gateway.read_log(RUN_ID, 1000).lines == ()

    folder = home.root / "runs" / RUN_ID / "a1"
    folder.mkdir(parents=True)
    (folder / "log.txt").write_text("first line\n" + "x" * 90 + "\nlast line\n", encoding="utf-8")

    assert gateway.read_log(RUN_ID, 1000).lines[0] == "first line"
    cut = gateway.read_log(RUN_ID, 40)
    assert cut.is_cut and cut.lines == ("last line",)


def test_stores_are_described_and_a_damaged_one_says_so(home: Home) -> None:
    from setgf.data.synthetic import synthesise

    synthesise(home, "demo", num_samples=30, seed=0)
    gateway = DatabaseGateway(home.database_url, home)

    (facts,) = gateway.list_stores()
    assert facts.num_samples == 30 and facts.lines and not facts.problem
    assert len(gateway.list_transcripts("demo", "test")) > 0
    assert gateway.list_transcripts("nosuch", "test") == {}

    for path in (home.data / "demo").glob("*.npy"):
        path.write_bytes(b"")
    (broken,) = gateway.list_stores()
    assert "demo" in broken.problem


def test_the_place_hides_the_password_of_a_server(home: Home) -> None:
    gateway = DatabaseGateway("postgresql+psycopg://ada:secret@host/name", home)

    assert gateway.place == "postgresql+psycopg://host/name"
