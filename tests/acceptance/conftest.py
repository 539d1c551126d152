from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from db.engine import Database, open_database
from setgf.home import Home
from tests.acceptance.user import User


@pytest.fixture
def database(home: Path) -> Iterator[Database]:
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
