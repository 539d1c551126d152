"""What is PostgreSQL's own: the server going away, its clock, its errors, its schema."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import text

from db.checkpoints import add_checkpoint
from db.engine import Database, open_database, without_password
from db.errors import (
    DatabaseBusyError,
    DatabaseError,
    DatabaseReadOnlyError,
    DatabaseUnreachableError,
    FilterError,
    SchemaTooNewError,
)
from db.events import list_events
from db.jobs import add_jobs, expired, get_job, list_jobs, live_jobs, renew_leases
from db.migrations import SCHEMA_VERSION
from db.query import Query
from db.records import Checkpoint, Job
from db.tables import metadata
from tests.db.builders import NOW, add_one, new_job, running_job, take
from tests.db.postgres_server import PostgresServer
from tests.db.test_engine import FIRST_START
from tests.worker.processes import wait_until

ROOT = Path(__file__).parents[2]


@pytest.fixture
def database(empty_url: str) -> Iterator[Database]:
    database = open_database(empty_url)
    yield database
    database.close()


@pytest.fixture
def new_url(postgres: PostgresServer) -> Iterator[str]:
    """A database with nothing in it, not even tables."""
    postgres.execute("CREATE DATABASE fresh")
    yield postgres.url("fresh")
    postgres.execute("DROP DATABASE fresh WITH (FORCE)")


def columns_of(url: str) -> list[tuple[str, str, str]]:
    database = open_database(url)
    query = (
        "SELECT table_name, column_name, data_type FROM information_schema.columns "
        "WHERE table_schema = 'public' ORDER BY 1, 2"
    )
    with database.read() as connection:
        found = [(row[0], row[1], row[2]) for row in connection.execute(text(query))]
    database.close()
    return found


def test_a_restarted_server_is_found_again(postgres: PostgresServer, database: Database) -> None:
    first = add_one(database, 1)

    postgres.stop()
    postgres.start()

    assert add_one(database, 2).id > first.id
    assert len(Query(database).jobs()) == 2


def test_a_call_waits_for_a_server_that_is_just_starting(
    postgres: PostgresServer, database: Database
) -> None:
    add_one(database, 1)
    postgres.stop()
    found: list[Job] = []
    reader = threading.Thread(target=lambda: found.extend(Query(database).jobs()))

    reader.start()
    postgres.start()
    reader.join()

    assert [job.name for job in found] == ["job 1"]


def test_a_server_that_goes_away_in_a_transaction_loses_nothing_that_was_stored(
    postgres: PostgresServer, database: Database
) -> None:
    kept = add_one(database, 1)

    with (
        pytest.raises(DatabaseUnreachableError, match=r"can't be reached .* Nothing is lost"),
        database.write() as connection,
    ):
        add_jobs(connection, [new_job(2)], actor="ada", now=NOW)
        postgres.stop()
        get_job(connection, kept.id)
    postgres.start()

    assert [job.id for job in Query(database).jobs()] == [kept.id]


def test_no_server_is_one_sentence_without_the_password(postgres: PostgresServer) -> None:
    url = f"postgresql://ada:secret@/runs?host={postgres.folder}&port=1&sslpassword=secret"

    with pytest.raises(DatabaseUnreachableError, match=r"can't be reached .*\$SETGF_D") as caught:
        open_database(url)

    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "ada:***@" in str(caught.value)


def test_a_database_that_is_not_there_is_named(postgres: PostgresServer) -> None:
    with pytest.raises(DatabaseUnreachableError, match='database "nowhere" does not exist'):
        open_database(postgres.url("nowhere"))


@pytest.mark.parametrize(
    "url",
    ["mysql://ada:secret@host/runs", "postgresql://ada:secret@host:port/runs", "x://a:secret@b"],
)
def test_an_address_that_is_refused_is_shown_without_its_password(url: str) -> None:
    with pytest.raises(DatabaseError, match="is not the URL of a run database") as caught:
        open_database(url)

    assert "secret" not in str(caught.value)
    assert "secret" not in without_password(url)


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_every_usual_spelling_of_the_address_is_taken(empty_url: str, scheme: str) -> None:
    url = scheme + empty_url.removeprefix("postgresql+psycopg")
    database = open_database(url)
    add_one(database)
    database.close()


@pytest.mark.slow
def test_sixteen_processes_may_make_the_schema_at_once(new_url: str) -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", FIRST_START, new_url, str(number)],
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
    database = open_database(new_url)
    with database.read() as connection:
        assert len(list_jobs(connection)) == 16
    assert database.check() == ()
    database.close()


def test_the_migrated_schema_is_the_one_the_tables_declare(database: Database) -> None:
    with database.read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []


def test_an_older_schema_is_upgraded(
    new_url: str, empty_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as before:
        before.setattr("db.migrations.SCHEMA_VERSION", 1)
        before.setattr("db.schema.SCHEMA_VERSION", 1)
        before.setattr("db.views.create", lambda connection: None)
        open_database(new_url).close()

    database = open_database(new_url)

    assert database.upgrade is not None
    assert database.upgrade.from_version == 1
    assert columns_of(new_url) == columns_of(empty_url)
    running_job(database)
    database.close()


def test_a_newer_schema_is_refused_with_both_versions(new_url: str) -> None:
    database = open_database(new_url)
    with database.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '0077'"))
    database.close()

    with pytest.raises(SchemaTooNewError, match=rf"version 77, but .* {SCHEMA_VERSION}\."):
        open_database(new_url)


@pytest.mark.parametrize(
    "table", ["CREATE TABLE runs (id int)", "CREATE TABLE alembic_version (version_num text)"]
)
def test_a_database_of_another_program_is_left_alone(
    postgres: PostgresServer, new_url: str, table: str
) -> None:
    engine = Database(_address(new_url)).engine
    with engine.begin() as connection:
        connection.execute(text(table))
        if "alembic" in table:
            connection.execute(text("INSERT INTO alembic_version VALUES ('1975ea83b712')"))
    engine.dispose()

    with pytest.raises(DatabaseError, match="is a database, but not one of setgf"):
        open_database(new_url)


def _address(url: str):
    from sqlalchemy import make_url

    return make_url(url)


def test_a_read_only_opener_can_not_write(empty_url: str) -> None:
    database = open_database(empty_url, read_only=True)

    assert Query(database).jobs() == ()
    with pytest.raises(DatabaseReadOnlyError, match="can't be written"):
        add_one(database)
    database.close()


def test_sizes_past_two_thousand_million_are_stored(database: Database) -> None:
    job = running_job(database)
    large = 5 << 30
    checkpoint = Checkpoint(
        run_id=job.run_id,
        attempt=1,
        role="best",
        path="a1/best.pt",
        epoch=1,
        step=1,
        size=large,
        sha256="ab",
        created_at=NOW,
    )
    with database.write() as connection:
        add_checkpoint(connection, checkpoint)

    assert Query(database).checkpoints(job.run_id) == (checkpoint,)


def test_text_with_a_nul_and_settings_that_are_no_numbers_are_stored(database: Database) -> None:
    job = add_one(database, name="a\x00b", config={"lr": float("nan"), "text": "\x00"})

    stored = Query(database).job(job.id)
    assert stored.name == "a\ufffdb"
    assert stored.config == {"lr": "nan", "text": "\x00"}
    assert Query(database).runs("name == 'a\x00'") == ()


def test_leases_go_by_the_servers_clock(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A host whose clock is an hour late neither loses its job nor sees others' as lost."""
    real = time.time
    job = add_one(database)
    monkeypatch.setattr("db.postgres.time.time", lambda: real() - 3600)
    with database.write() as connection:
        claimed = take(connection, job.id, now=real() - 3600)
        assert claimed is not None
        assert claimed.job.lease_until == pytest.approx(real() + 30, abs=5)
        renew_leases(connection, "w1", [(job.id, 1)], lease_seconds=60, now=real() - 3600)
        monkeypatch.undo()
        ((renewed, _),) = live_jobs(connection)
        assert renewed.lease_until == pytest.approx(real() + 60, abs=5)
        assert expired(connection, now=real()) == ()
        assert len(expired(connection, now=real() + 70)) == 1


def test_one_writer_at_a_time_so_events_become_visible_in_order(database: Database) -> None:
    add_one(database, 1)
    inside, release = threading.Event(), threading.Event()

    def slow() -> None:
        with database.write() as connection:
            add_jobs(connection, [new_job(2)], actor="slow", now=NOW)
            inside.set()
            release.wait(20)

    first = threading.Thread(target=slow)
    second = threading.Thread(target=add_one, args=(database, 3))
    first.start()
    inside.wait(20)
    second.start()
    with database.read() as connection:
        seen = list_events(connection)[-1].id
    release.set()
    first.join()
    second.join()

    with database.read() as connection:
        later = [event.actor for event in list_events(connection, since_id=seen)]
    assert later == ["slow", "ada"]


def test_a_lock_that_is_held_too_long_is_said_to_be(
    postgres: PostgresServer, database: Database, empty_url: str
) -> None:
    add_one(database)
    impatient = open_database(f"{empty_url}&options=-c%20lock_timeout%3D50ms")

    with database.write(), pytest.raises(DatabaseBusyError, match="stayed locked"):
        add_one(impatient, 2)
    impatient.close()


def test_a_regular_expression_of_pythons_own_is_refused_by_the_server(database: Database) -> None:
    running_job(database)

    with pytest.raises(FilterError, match="PostgreSQL can't read this regular expression"):
        Query(database).runs(r"name ~ '(?P<x>a)'")


def test_anything_stored_shows_in_the_version(database: Database, empty_url: str) -> None:
    before = database.data_version()
    assert database.data_version() == before

    other = open_database(empty_url)
    add_one(other, 1)
    other.close()

    wait_until(lambda: database.data_version() != before)
