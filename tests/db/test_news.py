"""News of what others store: the handle is readable, and a look makes it quiet again."""

from __future__ import annotations

import errno
import select
from collections.abc import Iterator
from pathlib import Path

import pytest

from db.engine import Database, open_database
from tests.db.builders import add_one
from tests.db.postgres_server import PostgresServer
from tests.worker.processes import wait_until


@pytest.fixture
def other(url: str) -> Iterator[Database]:
    """The same database, opened by somebody else."""
    opened = open_database(url)
    yield opened
    opened.close()


def has_news(database: Database, seconds: float = 0.0) -> bool:
    handle = database.news_handle()
    assert handle is not None
    return bool(select.select([handle], [], [], seconds)[0])


def test_what_somebody_stores_is_told_until_it_is_looked_at(
    database: Database, other: Database
) -> None:
    before = database.data_version()
    assert database.news_handle() is not None
    wait_until(lambda: (database.data_version(), not has_news(database))[1])

    add_one(other, 1)

    assert has_news(database, 20.0)
    wait_until(lambda: database.data_version() != before)
    wait_until(lambda: (database.data_version(), not has_news(database))[1])


def test_a_file_put_in_the_place_of_another_is_told_of_as_well(
    path: Path, template: Path, tmp_path: Path
) -> None:
    database = open_database(str(path))
    before = database.data_version()
    assert not has_news(database)

    (tmp_path / "new").mkdir()
    new = tmp_path / "new" / "setgf.db"
    new.write_bytes(template.read_bytes())
    new.replace(path)

    assert has_news(database, 20.0)
    assert database.data_version() != before
    assert not has_news(database)
    add_one(database, 1)
    assert has_news(database, 20.0)
    database.close()


def test_a_system_that_tells_nothing_is_asked(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(folder: Path) -> None:
        raise OSError(errno.EMFILE, "Too many open files", str(folder))

    monkeypatch.setattr("db.engine.FolderNews", refuse)
    database = open_database(str(path))

    assert database.news_handle() is None
    before = database.data_version()
    add_one(database, 1)
    assert database.data_version() != before
    database.close()


def test_what_strangers_store_on_a_server_shows_a_moment_later(
    postgres: PostgresServer, empty_url: str
) -> None:
    database = open_database(empty_url)
    before = database.data_version()

    postgres.execute("CREATE TABLE theirs ()", "DROP TABLE theirs")

    wait_until(lambda: database.data_version() != before)
    database.close()


def test_a_server_that_was_started_anew_tells_again(tmp_path: Path) -> None:
    server = PostgresServer()
    database = open_database(server.url())
    database.data_version()

    server.stop()
    server.start()
    before = database.data_version()
    add_one(database, 1)

    wait_until(lambda: database.data_version() != before)
    assert database.news_handle() is not None
    database.close()
    server.close()
