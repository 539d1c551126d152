"""What becomes of an open dashboard when its database is upgraded, locked, or its server dies."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from subprocess import PIPE, Popen
from typing import Any, cast

import pytest

from db.engine import open_database
from db.jobs import add_jobs
from db.migrations import SCHEMA_VERSION
from db.runs import add_run
from setgf.home import Home
from tests.db.builders import new_job, new_run
from tests.db.postgres_server import PostgresServer, why_not
from tests.tui.conftest import driven
from tests.tui.fake_gateway import NOW
from tui.database_gateway import DatabaseGateway
from tui.gateway import GatewayError
from tui.screenshot import screen_text

RUN_ID = "bbbbbbb1"
TOO_NEW = rf"schema version {SCHEMA_VERSION + 1}, .* versions up to {SCHEMA_VERSION}\."
_OLD = Path(__file__).parents[1] / "db/old_schemas"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A home with a job and a run."""
    home = Home(tmp_path)
    fill(home.database_url)
    return home


def fill(url: str) -> None:
    database = open_database(url)
    with database.write() as connection:
        add_jobs(connection, [new_job(1)], actor="ada", now=NOW)
        add_run(connection, new_run(RUN_ID, name="kept-in-view"))
    database.close()


@pytest.fixture(params=["file", "engine"])
def gateway(home: Home, request: pytest.FixtureRequest) -> Iterator[DatabaseGateway]:
    """A gateway that has read: from the file alone, or with the engine open."""
    gateway = DatabaseGateway(home.database_url, home, clock=lambda: NOW)
    if request.param == "engine":
        with gateway.reading():
            pass
    assert [run.id for run in gateway.list_runs()] == [RUN_ID]
    gateway.version()
    yield gateway
    gateway.close()


def change_schema(home: Home, *statements: str) -> None:
    """Change the file as another version of setgf would, in one transaction."""
    with closing(sqlite3.connect(home.root / "setgf.db", isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        for statement in statements:
            connection.execute(statement)
        connection.execute("COMMIT")


def upgrade(home: Home) -> None:
    change_schema(
        home,
        f"PRAGMA user_version={SCHEMA_VERSION + 1}",
        "ALTER TABLE runs ADD COLUMN of_the_future INTEGER",
    )


def downgrade(home: Home) -> None:
    change_schema(
        home,
        f"PRAGMA user_version={SCHEMA_VERSION}",
        "ALTER TABLE runs DROP COLUMN of_the_future",
    )


def test_an_upgrade_by_a_later_version_is_noticed_and_so_is_its_end(
    gateway: DatabaseGateway, home: Home
) -> None:
    upgrade(home)

    with pytest.raises(GatewayError, match=TOO_NEW):
        gateway.version()
    with pytest.raises(GatewayError, match=TOO_NEW):
        gateway.list_runs()
    with pytest.raises(GatewayError, match=TOO_NEW):
        gateway.archive_runs([RUN_ID], archived=True)

    downgrade(home)
    gateway.version()
    assert [run.id for run in gateway.list_runs()] == [RUN_ID]


def test_nothing_is_written_into_a_later_schema_even_before_a_look(
    gateway: DatabaseGateway, home: Home
) -> None:
    upgrade(home)

    with pytest.raises(GatewayError, match=TOO_NEW):
        gateway.archive_runs([RUN_ID], archived=True)

    downgrade(home)
    assert not gateway.list_runs()[0].archived


def test_an_older_file_in_its_place_is_upgraded_and_read(
    gateway: DatabaseGateway, home: Home
) -> None:
    old = home.root / "old.db"
    with closing(sqlite3.connect(old)) as connection:
        connection.executescript((_OLD / "v0001.sql").read_text(encoding="utf-8"))
    before = gateway.version()
    old.replace(home.root / "setgf.db")

    assert gateway.version() != before
    assert RUN_ID not in {run.id for run in gateway.list_runs()}
    assert len(gateway.list_runs()) == 2
    assert len(list(home.root.glob("setgf.v1*.db"))) == 1


async def test_the_screen_says_that_the_database_was_upgraded_and_keeps_its_data(
    home: Home,
) -> None:
    gateway: Any = DatabaseGateway(home.database_url, home, clock=lambda: NOW)
    async with driven(gateway, watches=False) as driver:
        assert "kept-in-view" in screen_text(driver.app)

        upgrade(home)
        await driver.look()
        shown = screen_text(driver.app)
        assert "kept-in-view" in shown
        assert "Shown as of" in shown
        assert f"has schema version {SCHEMA_VERSION + 1}" in shown

        downgrade(home)
        await driver.look()
        assert "Shown as of" not in screen_text(driver.app)


LOCK = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
sys.stdin.read()
"""


def test_a_writer_that_holds_the_lock_stops_no_reader_and_an_action_names_it(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("db.sqlite.BUSY_SECONDS", 0.05)
    gateway = DatabaseGateway(home.database_url, home, clock=lambda: NOW)
    command = [sys.executable, "-c", LOCK, str(home.root / "setgf.db")]
    with Popen(command, stdin=PIPE, stdout=PIPE) as holder:
        assert cast("Any", holder.stdout).readline() == b"locked\n"

        assert [run.id for run in gateway.list_runs()] == [RUN_ID]
        gateway.version()
        with pytest.raises(GatewayError, match=rf"stayed locked .*: process {holder.pid} \("):
            gateway.archive_runs([RUN_ID], archived=True)

        assert gateway.counts().waiting == 1
        holder.communicate()

    gateway.archive_runs([RUN_ID], archived=True)
    assert gateway.list_runs() == ()
    gateway.close()


@pytest.mark.slow
async def test_a_server_that_dies_and_comes_back_is_told_and_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if why_not():
        pytest.skip(f"PostgreSQL: {why_not()}")
    monkeypatch.setattr("db.engine._RESTART_SECONDS", 0.1)
    server = PostgresServer()
    try:
        fill(server.url())
        gateway: Any = DatabaseGateway(server.url(), Home(tmp_path), clock=lambda: NOW)
        async with driven(gateway, watches=False) as driver:
            assert "kept-in-view" in screen_text(driver.app)

            server.stop()
            await driver.look()
            shown = screen_text(driver.app)
            assert "kept-in-view" in shown
            assert "can't be reached" in shown

            server.start()
            await driver.look()
            assert "Shown as of" not in screen_text(driver.app)

            later = SCHEMA_VERSION + 1
            server.execute(f"UPDATE alembic_version SET version_num = '{later:04}'")
            monkeypatch.setattr("db.postgres.ASK_SECONDS", 0.0)
            await driver.look()
            assert f"has schema version {later}" in screen_text(driver.app)

            server.execute(f"UPDATE alembic_version SET version_num = '{SCHEMA_VERSION:04}'")
            await driver.look()
            assert "Shown as of" not in screen_text(driver.app)
        gateway.close()
    finally:
        server.close()
