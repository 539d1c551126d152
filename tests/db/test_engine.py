"""Opening the database, transactions, and what happens when the file is not as it should be."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import CreateTable, create_engine, text
from sqlalchemy.schema import CreateIndex

from db.engine import Database, open_database
from db.errors import (
    DatabaseBusyError,
    DatabaseCorruptError,
    DatabaseError,
    DatabaseFullError,
    DatabaseReadOnlyError,
    NotFoundError,
    SchemaTooNewError,
    SchemaTooOldError,
)
from db.jobs import list_jobs
from db.migrations import SCHEMA_VERSION
from db.tables import metadata
from tests.db.builders import add_one, new_job, running_job

ROOT = Path(__file__).parents[2]
FIRST_START = """
import sys
from db.engine import open_database
from db.jobs import add_jobs
from tests.db.builders import NOW, new_job
sys.stdin.readline()
database = open_database(sys.argv[1])
with database.write() as connection:
    add_jobs(connection, [new_job(int(sys.argv[2]))], actor="ada", now=NOW)
database.close()
"""


@pytest.fixture
def database(path: Path) -> Iterator[Database]:
    """These tests are about the file."""
    database = open_database(str(path))
    yield database
    database.close()


@pytest.mark.slow
def test_sixteen_processes_may_make_the_database_at_once(tmp_path: Path) -> None:
    path = tmp_path / "home" / "setgf.db"
    command = [sys.executable, "-c", FIRST_START, str(path)]
    processes = [
        subprocess.Popen(
            [*command, str(number)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(16)
    ]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    errors = [process.communicate()[1] for process in processes]

    assert errors == [""] * 16
    database = open_database(str(path))
    with database.read() as connection:
        assert len(list_jobs(connection)) == 16
    assert database.check() == ()
    database.close()


@pytest.mark.slow
def test_migrations_travel_with_the_package(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "db", tmp_path / "elsewhere" / "db")
    code = "import db.engine, sys; print(db.engine.__file__); db.engine.open_database(sys.argv[1])"

    done = subprocess.run(
        [sys.executable, "-P", "-c", code, str(tmp_path / "setgf.db")],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path / "elsewhere")},
        capture_output=True,
        text=True,
        check=True,
    )

    assert str(tmp_path / "elsewhere") in done.stdout
    with sqlite3.connect(tmp_path / "setgf.db") as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)


def test_opening_a_current_database_does_not_load_alembic(path: Path) -> None:
    code = (
        "import sys; from db.engine import open_database; open_database(sys.argv[1]).close(); "
        "print('alembic' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "False"


def test_the_migrated_schema_is_the_one_the_tables_declare(database: Database) -> None:
    engine = create_engine("sqlite://")
    declared = {
        _normal(str(statement.compile(engine)))
        for table in metadata.sorted_tables
        for statement in (CreateTable(table), *(CreateIndex(index) for index in table.indexes))
    }
    with database.read() as connection:
        rows = connection.execute(
            text("SELECT sql FROM sqlite_master WHERE type IN ('table', 'index') AND sql <> ''")
        )
        stored = {_normal(sql) for sql in rows.scalars()}

    own = {sql for sql in stored if "alembic_version" not in sql and "sqlite_sequence" not in sql}
    assert own == declared


def _normal(sql: str) -> str:
    """Column order of constraints is not part of the schema; white space neither."""
    return " ".join(sorted(re.findall(r"[\w'.]+", sql)))


def test_a_writer_uses_the_log_full_syncs_and_foreign_keys(database: Database) -> None:
    with database.write() as connection:
        pragmas = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    with database.write(durable=False) as connection:
        relaxed = connection.exec_driver_sql("PRAGMA synchronous").scalar()

    assert pragmas == {
        "journal_mode": "wal",
        "synchronous": 2,
        "foreign_keys": 1,
        "busy_timeout": 10_000,
    }
    assert relaxed == 1


def test_an_error_inside_a_transaction_leaves_nothing_behind(database: Database) -> None:
    with pytest.raises(ZeroDivisionError), database.write() as connection:
        from db.jobs import add_jobs

        add_jobs(connection, [new_job()], actor="ada", now=1.0)
        raise ZeroDivisionError

    with database.read() as connection:
        assert list_jobs(connection) == ()


def test_data_version_changes_when_another_connection_writes_and_only_then(
    database: Database, path: Path
) -> None:
    before = database.data_version()
    assert database.data_version() == before

    add_one(database, 1)
    after_own = database.data_version()
    other = open_database(str(path))
    add_one(other, 2)
    other.close()

    assert len({before, after_own, database.data_version()}) == 3
    assert database.data_version() == database.data_version()


def test_two_threads_may_write_at_once(database: Database) -> None:
    threads = [threading.Thread(target=add_one, args=(database, number)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    with database.read() as connection:
        assert len(list_jobs(connection)) == 8


def test_an_open_database_goes_over_to_a_file_put_in_its_place(
    database: Database, path: Path, template: Path, tmp_path: Path
) -> None:
    add_one(database, 1)
    before = database.data_version()

    Path(shutil.copy(template, tmp_path / "new.db")).replace(path)
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)

    assert database.data_version() != before
    with database.read() as connection:
        assert list_jobs(connection) == ()


def test_a_deleted_file_is_said_to_be_gone(database: Database, path: Path) -> None:
    path.unlink()

    with pytest.raises(NotFoundError, match=r"is gone. Make it anew .* `setgf db rebuild`"):
        add_one(database)


def test_a_newer_schema_is_refused_with_both_versions(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version=77")

    with pytest.raises(
        SchemaTooNewError, match=rf"schema version 77, but this setgf knows .* {SCHEMA_VERSION}\."
    ):
        open_database(str(path))


def test_a_read_only_opener_does_not_migrate(tmp_path: Path) -> None:
    (tmp_path / "setgf.db").touch()

    with pytest.raises(SchemaTooOldError, match=r"version 0, but .* told not to write"):
        open_database(str(tmp_path / "setgf.db"), read_only=True)


def test_a_read_only_database_can_be_read_and_refuses_to_write(path: Path) -> None:
    database = open_database(str(path), read_only=True)

    with database.read() as connection:
        assert list_jobs(connection) == ()
    with pytest.raises(DatabaseReadOnlyError, match="can't be written"):
        add_one(database)
    database.close()


def test_a_missing_database_is_not_made_when_told_so(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match=r"No run database at .* `setgf queue add`"):
        open_database(f"sqlite:///{tmp_path}/none.db", create=False)

    assert list(tmp_path.iterdir()) == []


def test_text_in_place_of_a_database_names_the_rebuild(tmp_path: Path) -> None:
    path = tmp_path / "setgf.db"
    path.write_text("this is no database, but long enough to be read as one. " * 100)

    with pytest.raises(DatabaseCorruptError, match=r"setgf db rebuild"):
        open_database(str(path))


def test_a_damaged_page_is_found_by_check(database: Database, path: Path) -> None:
    for number in range(60):
        running_job(database, number, device=f"cpu{number}")
    database.close()
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(size // 2)
        file.write(os.urandom(size // 4))

    try:
        damaged = open_database(str(path))
        problems = damaged.check()
        damaged.close()
    except DatabaseCorruptError as error:
        problems = (str(error),)

    assert problems


def test_a_database_of_another_program_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "photos.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE photos (id INTEGER)")

    with pytest.raises(DatabaseError, match="is a database, but not one of setgf"):
        open_database(str(path))

    with sqlite3.connect(path) as connection:
        names = connection.execute("SELECT name FROM sqlite_master").fetchall()
    assert names == [("photos",)]


def test_a_full_disk_is_one_sentence_and_the_database_stays_sound(database: Database) -> None:
    add_one(database, 1)
    with database.write() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")

    with (
        pytest.raises(DatabaseFullError, match=r"is full; nothing of this change was stored"),
        database.write() as connection,
    ):
        from db.jobs import add_jobs

        connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")
        add_jobs(connection, [new_job(n) for n in range(2, 200)], actor="ada", now=1.0)

    with database.read() as connection:
        assert len(list_jobs(connection)) == 1
    assert database.check() == ()


def test_a_locked_database_is_busy_after_its_timeout(database: Database, path: Path) -> None:
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with database.engine.connect() as connection:
        raw = connection.connection.driver_connection
        assert raw is not None
        raw.execute("PRAGMA busy_timeout=1")

    with pytest.raises(DatabaseBusyError, match="stayed locked by another process"):
        add_one(database)

    holder.close()


def test_readers_do_not_wait_for_a_writer(database: Database, path: Path) -> None:
    add_one(database)
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")

    with database.read() as connection:
        assert len(list_jobs(connection)) == 1
    holder.close()


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("sqlite://", "names no file"),
        ("sqlite:///:memory:", "names no file"),
        ("nonsense://host/x", "is not the URL of a run database"),
    ],
)
def test_an_address_that_can_not_be_used_is_explained(url: str, sentence: str) -> None:
    with pytest.raises(DatabaseError, match=sentence):
        open_database(url)


def test_odd_characters_in_the_path_are_taken_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "50% of my?runs#1" / "setgf.db"

    open_database(f"sqlite:///{path}").close()

    assert path.exists()


def test_a_folder_that_can_not_be_made_is_explained(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(DatabaseError, match=r"can't be made: .* \$SETGF_HOME"):
        open_database(str(tmp_path / "file" / "setgf.db"))
