"""Files of every earlier schema version are upgraded, after a copy was made."""

from __future__ import annotations

import errno
import math
import os
import shutil
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest

from db.backup import check_backup
from db.engine import Database, open_database
from db.errors import DatabaseError, JobStateError
from db.jobs import list_attempts
from db.migrations import SCHEMA_VERSION
from db.query import Query
from db.records import JobState
from db.runs import trash
from tests.db.builders import NOW, add_one, running_job

OLD_SCHEMAS = sorted((Path(__file__).parent / "old_schemas").glob("v*.sql"))


@pytest.fixture
def old(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    path = tmp_path / "setgf.db"
    file: Path = getattr(request, "param", OLD_SCHEMAS[0])
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(file.read_text())
    return path


def backups(path: Path) -> list[Path]:
    return sorted(path.parent.glob("setgf.v*.db"))


def test_every_earlier_version_has_a_file() -> None:
    assert [path.stem for path in OLD_SCHEMAS] == [
        f"v{version:04}" for version in range(1, SCHEMA_VERSION)
    ]


@pytest.mark.parametrize("old", OLD_SCHEMAS, indirect=True, ids=lambda path: path.stem)
def test_an_old_file_is_upgraded_with_all_that_is_in_it(old: Path) -> None:
    database = open_database(str(old))
    query = Query(database)

    runs = {run.id: run for run in query.runs()}
    assert set(runs) == {"run00001", "run00002"}
    done = runs["run00001"]
    assert (done.state, done.tags, done.note) == (JobState.SUCCEEDED, ("it's",), 'look "again"')
    assert (done.metrics, done.trashed_at) == ({"test.mae": 0.8}, None)
    curve = query.points("run00001", "train.loss")
    assert (curve.steps, curve.values[:2]) == ((1, 2, 3), (3.0, 1.0))
    assert math.isnan(curve.values[2])
    assert curve.times == (NOW + 1, NOW + 2, NOW + 3)
    assert query.sql("SELECT max(time) FROM point")[1] == ((NOW + 3,),)
    assert query.predictions("run00001")[0].sample_id == "a$_$0"
    assert query.checkpoints("run00002")[0].step == 40
    assert [job.group_name for job in query.jobs()] == [None, None, "sweep"]
    with database.read() as connection:
        (attempt,) = list_attempts(connection, "run00001")
    assert (attempt.engine, attempt.engine_ref, attempt.outcome) == ("local", None, "succeeded")
    assert query.sql("SELECT run_id FROM run_summary WHERE mae = 0.8")[1] == (("run00001",),)
    assert add_one(database, 9).id == 4
    assert database.check() == ()
    database.close()


@pytest.mark.parametrize("old", OLD_SCHEMAS, indirect=True, ids=lambda path: path.stem)
def test_an_upgraded_schema_is_that_of_a_new_file(old: Path, template: Path) -> None:
    open_database(str(old)).close()

    def columns(path: Path) -> set[tuple[object, ...]]:
        query = (
            "SELECT m.name, c.name, c.type, c.'notnull', c.dflt_value, c.pk FROM sqlite_master m "
            "JOIN pragma_table_info(m.name) c WHERE m.type IN ('table', 'view')"
        )
        with closing(sqlite3.connect(path)) as connection:
            return set(connection.execute(query))

    assert columns(old) == columns(template)


def test_the_file_as_it_was_is_kept_with_its_version_and_time(old: Path) -> None:
    database = open_database(str(old))
    database.close()

    (copy,) = backups(old)
    assert database.upgrade is not None
    assert (database.upgrade.from_version, database.upgrade.backup) == (1, copy)
    assert copy.name.startswith("setgf.v1-2")
    assert check_backup(copy) == 1
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("SELECT count(*) FROM jobs").fetchone() == (3,)


def test_what_is_only_in_the_log_of_an_old_file_is_in_the_copy_too(old: Path) -> None:
    holder = sqlite3.connect(old)
    holder.execute("PRAGMA journal_mode=WAL")
    holder.execute("PRAGMA wal_autocheckpoint=0")
    holder.execute("INSERT INTO tags VALUES ('run00002', 'late')")
    holder.commit()

    open_database(str(old)).close()
    holder.close()

    (copy,) = backups(old)
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("SELECT tag FROM tags ORDER BY tag").fetchall() == [
            ("it's",),
            ("late",),
        ]


def test_a_new_and_a_current_file_need_no_copy(path: Path) -> None:
    database = open_database(str(path))
    database.close()

    assert database.upgrade is None
    assert backups(path) == []


def test_without_a_copy_there_is_no_upgrade(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    before = old.read_bytes()
    monkeypatch.setattr(os, "fsync", full)

    sentence = r"version 1 and was not upgraded, .* backed up first: .*No space left"
    with pytest.raises(DatabaseError, match=sentence):
        open_database(str(old))

    monkeypatch.undo()
    with closing(sqlite3.connect(old)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (1,)
    assert {path.name for path in old.parent.iterdir()} <= {
        "setgf.db",
        "setgf.db-wal",
        "setgf.db-shm",
    }
    assert len(before) > 0
    open_database(str(old)).close()


def test_a_migration_that_fails_leaves_the_old_version_readable(
    old: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(connection: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("db.views.create", fail)
    with pytest.raises(ZeroDivisionError):
        open_database(str(old))
    monkeypatch.undo()

    with closing(sqlite3.connect(old)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (1,)
        assert connection.execute("SELECT count(*) FROM run_summary").fetchone() == (2,)
    open_database(str(old)).close()


def test_several_that_open_an_old_file_together_make_one_copy(old: Path) -> None:
    opened: list[Database] = []
    threads = [
        threading.Thread(target=lambda: opened.append(open_database(str(old)))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for database in opened:
        database.close()

    assert len(opened) == 4
    assert len(backups(old)) == 1


def test_a_run_in_the_trash_is_in_no_list_and_comes_back_as_it_was(database: Database) -> None:
    from db.jobs import finish_attempt, retry
    from db.runs import recover

    job = running_job(database)
    with database.write() as connection:
        finish_attempt(connection, job.id, 1, outcome="failed", now=NOW)
    query = Query(database)
    before = query.run(job.run_id)

    with database.write() as connection:
        trash(connection, job.run_id, actor="ada", now=NOW + 1)
    assert query.runs(archived=True) == ()
    assert query.runs() == ()
    assert [run.trashed_at for run in query.runs(trashed=True)] == [NOW + 1]
    assert [run.id for run in query.runs("trashed != null", trashed=True)] == [job.run_id]
    assert query.sql("SELECT * FROM run_summary")[1] == ()

    with database.write() as connection:
        recover(connection, job.run_id, actor="ada", now=before.updated_at)
    assert query.runs() == (before,)

    with database.write() as connection:
        trash(connection, job.run_id, actor="ada", now=NOW + 2)
    with (
        pytest.raises(JobStateError, match=r"in the trash.*`setgf runs restore run00001`"),
        database.write() as connection,
    ):
        retry(connection, [job.id], "ada", NOW + 3)


def test_a_live_run_does_not_go_to_the_trash(database: Database) -> None:
    job = running_job(database)
    with (
        pytest.raises(JobStateError, match="is running; only one that is over can be deleted"),
        database.write() as connection,
    ):
        trash(connection, job.run_id, actor="ada", now=NOW)


def test_a_new_wal_file_beside_the_copy_is_not_needed(old: Path, tmp_path: Path) -> None:
    open_database(str(old)).close()
    (copy,) = backups(old)

    alone = Path(shutil.copy(copy, tmp_path / "alone.db"))
    with closing(sqlite3.connect(f"file:{alone}?immutable=1", uri=True)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
