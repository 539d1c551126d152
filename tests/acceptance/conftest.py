from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from db.engine import Database, open_database
from setgf.home import DATABASE_VARIABLE, Home
from tests.acceptance.user import User
from tests.db.conftest import empty_url, postgres, postgres_url

__all__ = ["empty_url", "postgres", "postgres_url"]


BOTH = ("sqlite", "postgresql")
"""For `parametrize("database", BOTH, indirect=True)`: on a server in `make test`, too."""
KINDS = ("sqlite", pytest.param("postgresql", marks=pytest.mark.long))


@pytest.fixture(params=KINDS)
def database(
    request: pytest.FixtureRequest, home: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Database]:
    """The home's empty run database: a file, and for `make acceptance` on a server as well.

    Workers and users that the test starts find it by the environment.
    """
    if request.param == "postgresql":
        url = request.getfixturevalue("empty_url")
        monkeypatch.setenv(DATABASE_VARIABLE, url)
    opened = open_database(Home(home).database_url)
    yield opened
    opened.close()


@pytest.fixture
def file_database(home: Path) -> Iterator[Database]:
    """The same, a file: for what only a file can suffer."""
    opened = open_database(Home(home).database_url)
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def first_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with the store `demo` and two queued jobs; nobody changes it."""
    user = User(tmp_path_factory.mktemp("first") / "home")
    user.must("data", "synth", "--name", "demo", "--samples", 40)
    user.must("queue", "add", "--data", "demo", "--seeds", "1-2", "--set", "text.encoder=tiny")
    return user.home


@pytest.fixture
def user(first_home: Path, tmp_path: Path) -> User:
    """Somebody with a copy of the first home."""
    return User(Path(shutil.copytree(first_home, tmp_path / "home")))
