"""`setgf db`: path, info, check, rebuild, sql."""

from __future__ import annotations

import csv
import errno
import io
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from db.engine import Database, open_database
from db.jobs import add_jobs, finish_attempt
from db.migrations import SCHEMA_VERSION
from db.query import Query
from db.records import JobState
from db.runs import archive, set_note
from db.salvage import FROM_FOLDERS, KEPT
from db.tables import metadata
from db.workers import stop_worker
from setgf.cli.main import app
from setgf.cli.output import run_command
from tests.db.builders import NOW, add_one, new_job, running_job


@pytest.fixture
def database(path: Path) -> Iterator[Database]:
    """These tests are about the file."""
    database = open_database(str(path))
    yield database
    database.close()


@pytest.fixture
def own_home(path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SETGF_HOME", str(path.parent))
    monkeypatch.delenv("SETGF_DATABASE_URL", raising=False)
    return path.parent


def run(*words: str) -> int:
    def command() -> None:
        app(words, standalone_mode=False)

    return run_command(command)


def test_path_prints_the_file_even_before_it_is_there(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SETGF_HOME", str(tmp_path))
    monkeypatch.delenv("SETGF_DATABASE_URL", raising=False)

    assert run("db", "path") == 0
    assert capsys.readouterr().out == f"{tmp_path / 'setgf.db'}\n"


def test_info_counts_what_is_stored(
    own_home: Path, database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    running_job(database)
    add_one(database, 2)

    assert run("db", "info", "--json") == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["runs"], facts["jobs"], facts["schema version"]) == (1, 2, SCHEMA_VERSION)
    assert run("db", "info") == 0
    assert "size            " in capsys.readouterr().out


def test_check_says_that_a_sound_database_is_sound(
    own_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("db", "check") == 0
    assert capsys.readouterr().out == f"{own_home / 'setgf.db'} is sound.\n"


def test_check_of_a_damaged_database_names_the_rebuild(
    own_home: Path, database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    with database.write() as connection:
        add_jobs(connection, [new_job(n) for n in range(300)], actor="ada", now=NOW)
    database.close()
    path = own_home / "setgf.db"
    with path.open("r+b") as file:
        file.seek(path.stat().st_size * 3 // 4)
        file.write(b"\xff" * 4096)

    assert run("db", "check") == 4
    error = capsys.readouterr().err
    assert "is damaged" in error
    assert "`setgf db rebuild`" in error


def test_sql_prints_a_table_csv_or_json(
    own_home: Path, database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    add_one(database, 1)
    add_one(database, 2)
    query = "SELECT job_id, name, lease_until FROM queue ORDER BY job_id"

    assert run("db", "sql", query, "--format", "json") == 0
    first = json.loads(capsys.readouterr().out)[0]
    assert first == {"job_id": 1, "name": "job 1", "lease_until": None}
    assert run("db", "sql", query, "--format", "csv") == 0
    lines = list(csv.reader(io.StringIO(capsys.readouterr().out)))
    assert lines == [["job_id", "name", "lease_until"], ["1", "job 1", ""], ["2", "job 2", ""]]
    assert run("db", "sql", query) == 0
    assert "job 2" in capsys.readouterr().out


def test_csv_keeps_a_lone_carriage_return_in_its_cell(
    own_home: Path, database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    add_one(database, 1, name="a\rb")

    assert run("db", "sql", "SELECT name, job_id FROM queue", "--format", "csv") == 0

    assert capsys.readouterr().out == 'name,job_id\n"a\rb",1\n'


def test_sql_refuses_to_write_with_one_sentence(
    own_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("db", "sql", "DELETE FROM jobs") == 4
    error = capsys.readouterr().err
    assert error.startswith("setgf: error: Only a SELECT is allowed here")
    assert error.count("\n") == 1


def test_a_missing_database_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SETGF_HOME", str(tmp_path))
    monkeypatch.delenv("SETGF_DATABASE_URL", raising=False)

    assert run("db", "info") == 4
    assert "No run database at" in capsys.readouterr().err


def test_rebuild_keeps_the_queue_its_history_and_the_old_file(
    own_home: Path, database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    done = running_job(database, 1)
    waiting = add_one(database, 2, tags=("keep",), after=(done.id,))
    with database.write() as connection:
        finish_attempt(connection, done.id, 1, outcome="succeeded", exit_code=0, now=NOW)
        stop_worker(connection, "w1", now=NOW)
    events = Query(database).events()

    assert run("db", "rebuild") == 0

    assert "The old file is kept as" in capsys.readouterr().out
    assert (own_home / "setgf.old.db").exists()
    jobs = Query(database).jobs()
    assert [(job.id, job.state) for job in jobs] == [
        (done.id, JobState.SUCCEEDED),
        (waiting.id, JobState.QUEUED),
    ]
    assert jobs[1].tags == ("keep",)
    assert Query(database).events() == events
    assert add_one(database, 3).id == 3
    assert run("db", "rebuild") == 0
    assert (own_home / "setgf.old2.db").exists()


def test_rebuild_reads_runs_from_their_folders_and_marks_from_the_old_file(
    own_home: Path, database: Database
) -> None:
    job = running_job(database, 1)
    make_folder(own_home, job.run_id)
    with database.write() as connection:
        finish_attempt(connection, job.id, 1, outcome="succeeded", now=NOW + 9)
        set_note(connection, job.run_id, "look at this", actor="ada", now=NOW)
        archive(connection, job.run_id, actor="ada", now=NOW)
        stop_worker(connection, "w1", now=NOW)

    assert run("db", "rebuild") == 0

    rebuilt = Query(database).run(job.run_id)
    assert (rebuilt.note, rebuilt.archived, rebuilt.finished_at) == ("look at this", True, NOW + 9)
    assert rebuilt.state is JobState.SUCCEEDED


def make_folder(own_home: Path, run_id: str) -> None:
    from setgf.config import ExperimentConfig
    from setgf.home import Home
    from setgf.runs.folder import RunFolder, RunIdentity

    config = ExperimentConfig()
    identity = RunIdentity(
        id=run_id,
        name="run of a folder",
        job_id=1,
        group_id=None,
        group_name=None,
        created_at=NOW,
        dataset="mosi",
        data_name="mosi400",
        model="setgf",
        seed=1111,
        fingerprint="f1",
        variant="v1",
        tags=(),
        command=(),
        max_epochs=3,
        monitor="mae",
    )
    RunFolder(Home(own_home).runs / run_id).create(identity, config.to_dict())


def test_rebuild_saves_what_can_be_read_of_a_damaged_file(
    own_home: Path, database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    with database.write() as connection:
        add_jobs(connection, [new_job(n) for n in range(300)], actor="ada", now=NOW)
    database.close()
    path = own_home / "setgf.db"
    content = bytearray(path.read_bytes())
    third = len(content) // 3
    content[third : 2 * third] = b"\xff" * third
    path.write_bytes(content)

    assert run("db", "rebuild") == 0

    assert "setgf: warning: `" in capsys.readouterr().err
    rebuilt = open_database(str(path))
    assert rebuilt.check() == ()
    rebuilt.close()


def test_rebuild_takes_the_place_of_a_file_that_is_no_database(
    own_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (own_home / "setgf.db").write_text("nothing of a database " * 400)
    assert run("db", "info") == 4
    assert "`setgf db rebuild`" in capsys.readouterr().err

    assert run("db", "rebuild") == 0
    assert run("db", "check") == 0
    assert (own_home / "setgf.old.db").read_text().startswith("nothing of a database")


def test_the_database_of_a_later_setgf_is_not_made_anew(
    own_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with closing(sqlite3.connect(own_home / "setgf.db")) as connection:
        connection.execute("PRAGMA user_version = 999")

    assert run("db", "rebuild") == 4
    assert "has schema version 999, but this setgf knows versions" in capsys.readouterr().err
    assert not (own_home / "setgf.old.db").exists()


def test_every_table_is_made_from_the_folders_or_taken_over() -> None:
    assert {table.name for table in KEPT} | FROM_FOLDERS == set(metadata.tables)


def test_a_rebuild_that_fails_leaves_no_file_behind(
    own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*names: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("db.salvage.os.link", full)
    before = sorted(path.name for path in own_home.iterdir())

    assert run("db", "rebuild") == 1

    after = {path.name for path in own_home.iterdir()} - {"setgf.db-wal", "setgf.db-shm"}
    assert sorted(after) == before


@pytest.mark.parametrize("words", ["queue list", "runs list", "db info", "queue show 1"])
def test_a_database_that_was_lost_is_said_when_a_new_one_is_made(
    own_home: Path, capsys: pytest.CaptureFixture[str], words: str
) -> None:
    make_folder(own_home, "abcd1234")
    (own_home / "setgf.db").write_bytes(b"")

    run(*words.split())

    warning = capsys.readouterr().err.splitlines()[0]
    assert warning.startswith("setgf: warning: The run database `")
    assert "was missing or empty, so a new one was made." in warning
    assert f"`{own_home / 'runs'}` (run folders: 1); `setgf db rebuild` brings it back." in warning
    run(*words.split())
    assert "missing or empty" not in capsys.readouterr().err


def test_a_first_start_is_no_loss(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SETGF_HOME", str(tmp_path))
    (tmp_path / "setgf.db").touch()

    assert run("queue", "list") == 0
    assert capsys.readouterr().err == ""


def test_rebuild_makes_a_database_where_there_is_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SETGF_HOME", str(tmp_path))
    monkeypatch.delenv("SETGF_DATABASE_URL", raising=False)

    assert run("db", "rebuild") == 0
    assert capsys.readouterr().out == f"Made {tmp_path / 'setgf.db'} anew from 0 runs.\n"
