"""A fresh run database on a real file for every test."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from db.engine import Database, open_database


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty, migrated database; copied, because migrating takes a while."""
    path = tmp_path_factory.mktemp("template") / "setgf.db"
    open_database(str(path)).close()
    return path


@pytest.fixture
def path(template: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(template, tmp_path / "setgf.db"))


@pytest.fixture
def database(path: Path) -> Iterator[Database]:
    database = open_database(str(path))
    yield database
    database.close()
