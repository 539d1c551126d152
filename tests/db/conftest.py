"""A fresh run database for every test: on a real file, and on a real PostgreSQL."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from db.engine import Database, open_database
from db.tables import metadata
from tests.db.postgres_server import PostgresServer, why_not

KINDS = ("sqlite", "postgresql")
_SEQUENCES = [
    f"{table.name}_id_seq"
    for table in metadata.sorted_tables
    if "id" in table.c and table.c.id.type.python_type is int
]
_EMPTY = ";".join(
    [f"DELETE FROM {table.name}" for table in reversed(metadata.sorted_tables)]
    + [f"ALTER SEQUENCE {name} RESTART" for name in _SEQUENCES]
)
"""An empty database of 20 tables in a tenth of the time that a new one takes."""


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty, migrated database; copied, because migrating takes a while."""
    path = tmp_path_factory.mktemp("template") / "setgf.db"
    open_database(str(path)).close()
    return path


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A server of our own; the tests that want one are skipped where there is none."""
    reason = why_not()
    if reason:
        pytest.skip(f"PostgreSQL: {reason}")
    server = PostgresServer()
    yield server
    server.close()


@pytest.fixture(scope="session")
def postgres_url(postgres: PostgresServer) -> str:
    """A migrated database on the server; `empty_url` empties it."""
    postgres.execute("CREATE DATABASE runs")
    open_database(postgres.url("runs")).close()
    return postgres.url("runs")


@pytest.fixture
def empty_url(postgres_url: str) -> str:
    """The same, with nothing in it."""
    _empty(postgres_url)
    return postgres_url


@pytest.fixture
def path(template: Path, tmp_path: Path) -> Path:
    """The file of an empty database."""
    return Path(shutil.copy(template, tmp_path / "setgf.db"))


@pytest.fixture(params=KINDS)
def url(request: pytest.FixtureRequest) -> str:
    """The address of an empty database, on both kinds of database."""
    if request.param == "sqlite":
        return f"sqlite:///{request.getfixturevalue('path')}"
    return request.getfixturevalue("empty_url")


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    """An empty database, on both kinds of database."""
    database = open_database(url)
    yield database
    database.close()


@pytest.fixture(params=KINDS, scope="module")
def make_database(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[], Database]]:
    """Makes an empty database as often as it is called, closing the one before."""
    with ExitStack() as opened:

        def make() -> Database:
            opened.close()
            if request.param == "sqlite":
                folder = tmp_path_factory.mktemp("database")
                opened.callback(shutil.rmtree, folder)
                url = shutil.copy(request.getfixturevalue("template"), folder / "setgf.db")
            else:
                url = request.getfixturevalue("postgres_url")
                _empty(url)
            database = open_database(str(url))
            opened.callback(database.close)
            return database

        yield make


def _empty(url: str) -> None:
    database = open_database(url)
    with database.write() as connection:
        connection.exec_driver_sql(_EMPTY)
    database.close()
