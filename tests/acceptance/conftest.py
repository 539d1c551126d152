from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from db.engine import Database, open_database
from setgf.home import Home


@pytest.fixture
def database(home: Path) -> Iterator[Database]:
    opened = open_database(Home(home).database_url)
    yield opened
    opened.close()
