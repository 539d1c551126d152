"""`setgf db upgrade|backup|restore|vacuum|stats`, on both kinds of database."""

from __future__ import annotations

import json
import os
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import update

from db.engine import Database, open_database
from db.jobs import add_jobs, finish_attempt
from db.metrics import ingest
from db.migrations import SCHEMA_VERSION
from db.query import Query
from db.records import NewWorker, Prediction
from db.runs import add_tag, archive, delete_run, rename, set_note
from db.tables import runs
from db.workers import register_worker, stop_worker
from setgf.cli.main import app
from setgf.cli.output import run_command
from setgf.worker.supervision import boot_id, start_ticks
from tests.db.builders import NOW, add_one, new_job, points, running_job
from tests.db.test_database_command import make_folder
from tests.db.test_upgrade import OLD_SCHEMAS

COMMANDS = ("path", "info", "check", "rebuild", "sql", "upgrade", "backup", "restore", "vacuum")


@pytest.fixture(autouse=True)
def address(url: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The commands work on the same database as the test."""
    monkeypatch.setenv("SETGF_DATABASE_URL", url)
    return url


def run(*words: str) -> int:
    def command() -> None:
        app(words, standalone_mode=False)

    return run_command(command)


def fill(database: Database) -> None:
    from db.predictions import store_predictions

    job = running_job(database, 1)
    with database.write() as connection:
        ingest(connection, job.run_id, 1, points([3.0, float("nan"), 1.0]), points_offset=84)
        rows = [Prediction(sample_id="a$_$0", label=1.0, fusion=0.5)]
        store_predictions(connection, job.run_id, "test", rows)
        finish_attempt(connection, job.id, 1, outcome="succeeded", now=NOW + 9)
        stop_worker(connection, "w1", now=NOW + 10)
    add_one(database, 2, tags=("it's",), after=(job.id,))


def contents(database: Database) -> object:
    """Return all that a user could miss; NaN compares by its text."""
    query = Query(database)
    curve = query.points("run00001", "train.loss")
    return repr((query.runs(), query.jobs(), query.events(), curve, query.predictions("run00001")))


def register(database: Database, pid: int, **changes: object) -> None:
    values: dict[str, object] = {
        "id": "worker-7",
        "host": socket.gethostname(),
        "boot_id": boot_id(),
        "pid": pid,
        "pid_start": start_ticks(pid) or 0,
        "version": "0.1.0",
        "devices": (),
    }
    with database.write() as connection:
        worker = NewWorker(**{**values, **changes})  # pyright: ignore[reportArgumentType]
        register_worker(connection, worker, now=NOW)


@pytest.mark.parametrize("command", [*COMMANDS, "stats"])
def test_every_command_shows_an_example(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("db", command, "--help") == 0
    assert f"Example: setgf db {command}" in capsys.readouterr().out


def test_a_backup_taken_back_is_all_that_was_there(
    database: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(database)
    before = contents(database)
    file = tmp_path / "monday.db"

    assert run("db", "backup", str(file)) == 0
    assert f"to {file}" in capsys.readouterr().out
    with database.write() as connection:
        delete_run(connection, "run00001", actor="ada", now=NOW)
    late = add_one(database, 3)
    assert run("db", "restore", str(file)) == 0

    said = capsys.readouterr().out
    assert "What was there is kept as" in said
    assert contents(database) == before
    assert database.check() == ()
    assert add_one(database, 4).id == late.id
    aside = Path(said.split("kept as ")[1].split(".db")[0] + ".db")
    kept = open_database(str(aside))
    assert [job.name for job in Query(kept).jobs()] == ["job 2", "job 3"]
    kept.close()
    assert {path.name for path in tmp_path.iterdir() if path.name.startswith(".")} == set()


def test_a_backup_is_one_file_that_every_command_reads(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(database)
    file = tmp_path / "monday.db"
    assert run("db", "backup", str(file)) == 0

    with closing(sqlite3.connect(f"file:{file}?immutable=1", uri=True)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert connection.execute("SELECT count(*) FROM jobs").fetchone() == (2,)
    copy = open_database(str(file))
    assert contents(copy) == contents(database)
    copy.close()


def test_a_backup_never_replaces_a_file(
    database: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "monday.db"
    file.write_text("precious")

    assert run("db", "backup", str(file)) == 4
    assert "is there already. Name a file that is not there yet." in capsys.readouterr().err
    assert file.read_text() == "precious"


def test_a_backup_into_a_folder_that_is_not_there_is_one_sentence(
    database: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("db", "backup", str(tmp_path / "none" / "x.db")) == 4
    assert "x.db" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda path: None, "There is no file"),
        (lambda path: path.write_text("no database at all " * 99), "is no sound backup"),
        (lambda path: path.write_bytes(b""), "is not a backup of a setgf run database"),
    ],
)
def test_what_is_no_backup_is_refused_and_nothing_changes(
    database: Database,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    make: Callable[[Path], object],
    sentence: str,
) -> None:
    fill(database)
    before = contents(database)
    file = tmp_path / "odd.db"
    make(file)

    assert run("db", "restore", str(file)) == 4
    assert sentence in capsys.readouterr().err
    assert contents(database) == before


def test_a_backup_of_a_later_version_is_refused_with_both_versions(
    database: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "later.db"
    assert run("db", "backup", str(file)) == 0
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA user_version=77")

    assert run("db", "restore", str(file)) == 4
    assert f"version 77, but this setgf knows versions up to {SCHEMA_VERSION}" in (
        capsys.readouterr().err
    )


def test_a_backup_of_an_earlier_version_is_brought_to_this_one(
    database: Database, tmp_path: Path
) -> None:
    file = tmp_path / "early.db"
    with closing(sqlite3.connect(file)) as connection:
        connection.executescript(OLD_SCHEMAS[0].read_text())

    assert run("db", "restore", str(file)) == 0

    assert [run.id for run in Query(database).runs("state == succeeded")] == ["run00001"]
    assert list(tmp_path.glob("*.v1-*")) == []


def test_restore_is_refused_while_a_worker_is_up_and_names_it(
    database: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "monday.db"
    assert run("db", "backup", str(file)) == 0
    register(database, os.getpid())

    assert run("db", "restore", str(file)) == 4
    error = capsys.readouterr().err
    assert f"Worker `worker-7` (pid {os.getpid()} on {socket.gethostname()})" in error
    assert "`setgf worker stop`" in error

    with database.write() as connection:
        stop_worker(connection, "worker-7", now=NOW)
    assert run("db", "restore", str(file)) == 0


def test_a_worker_that_was_killed_does_not_stand_in_the_way(
    database: Database, tmp_path: Path
) -> None:
    file = tmp_path / "monday.db"
    assert run("db", "backup", str(file)) == 0
    gone = subprocess.Popen([sys.executable, "-c", ""])
    register(database, gone.pid)
    gone.wait()

    assert run("db", "restore", str(file)) == 0


def test_rebuild_makes_all_anew_and_keeps_what_only_the_database_knew(
    database: Database, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(database)
    make_folder(home, "run00001")
    with database.write() as connection:
        add_tag(connection, "run00001", "best", actor="ada", now=NOW)
        set_note(connection, "run00001", "look at this", actor="ada", now=NOW)
        archive(connection, "run00001", actor="ada", now=NOW)
        rename(connection, "run00001", "the one", actor="ada", now=NOW)
        connection.execute(update(runs).values(best_epoch=77))  # not what the folder says
    before = Query(database)
    jobs, events = before.jobs(), before.events()

    assert run("db", "rebuild") == 0

    said = capsys.readouterr().out
    assert "anew from 1 runs." in said
    assert "is kept as" in said
    found = Query(database).run("run00001")
    assert (found.name, found.note, found.archived) == ("the one", "look at this", True)
    assert found.tags == ("best",)
    assert found.best_epoch is None
    assert Query(database).jobs() == jobs
    assert Query(database).events()[: len(events)] == events
    assert database.check() == ()
    assert add_one(database, 3).id == 3


def test_rebuild_is_refused_while_a_worker_is_up(
    database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    register(database, os.getpid())

    assert run("db", "rebuild") == 4
    assert "Stop it first with `setgf worker stop`." in capsys.readouterr().err


def test_vacuum_gives_the_room_back(database: Database, capsys: pytest.CaptureFixture[str]) -> None:
    with database.write() as connection:
        add_jobs(connection, [new_job(n) for n in range(200)], actor="ada", now=NOW)
    before = Query(database).jobs()

    assert run("db", "vacuum") == 0

    assert "before" in capsys.readouterr().out
    assert Query(database).jobs() == before


def test_stats_tell_rows_and_bytes_by_table(
    database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(database)

    assert run("db", "stats", "--json") == 0
    facts = json.loads(capsys.readouterr().out)
    tables = {table["name"]: table for table in facts["tables"]}
    assert (tables["jobs"]["rows"], tables["points"]["rows"]) == (2, 3)
    assert tables["jobs"]["bytes"] > 0
    assert facts["bytes"] >= sum(table["bytes"] for table in facts["tables"]) // 2
    assert run("db", "stats") == 0
    assert "in all" in capsys.readouterr().out


def test_upgrade_says_that_there_is_nothing_to_do(
    database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("db", "upgrade") == 0
    assert f"has schema version {SCHEMA_VERSION}, the newest." in capsys.readouterr().out


def test_upgrade_names_both_versions_and_the_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "old" / "setgf.db"
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(OLD_SCHEMAS[0].read_text())
    monkeypatch.setenv("SETGF_DATABASE_URL", f"sqlite:///{path}")

    assert run("db", "upgrade") == 0
    said = capsys.readouterr().out
    assert f"upgraded from schema version 1 to {SCHEMA_VERSION}." in said
    assert "setgf.v1-" in said


def test_a_network_disk_is_warned_about_when_the_database_is_made_and_looked_at(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr("db.filesystem.file_system_number", lambda path: 0x6969)
    path = tmp_path / "shared" / "setgf.db"

    open_database(str(path)).close()
    assert "is on a network file system (NFS)" in caplog.text

    monkeypatch.setenv("SETGF_DATABASE_URL", f"sqlite:///{path}")
    assert run("db", "check") == 0
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert run("worker", "start", "--drain", "--gpus", "none") == 0
    assert "is on a network file system (NFS)" in capsys.readouterr().err
    assert "$SETGF_HOME, or use PostgreSQL with $SETGF_DATABASE_URL." in error


def test_a_local_disk_is_not_warned_about(tmp_path: Path) -> None:
    from db.filesystem import file_system_number, network_warning

    assert file_system_number(tmp_path) is not None
    assert network_warning(tmp_path / "setgf.db") is None


def test_the_path_of_a_server_has_no_password(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SETGF_DATABASE_URL", "postgresql://ada:secret@host/runs")

    assert run("db", "path") == 0
    assert capsys.readouterr().out == "postgresql://ada:***@host/runs\n"
