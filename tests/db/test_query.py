"""Opening the database from a notebook, while a worker writes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from db.engine import Database
from db.errors import NotFoundError
from db.metrics import ingest
from db.predictions import store_predictions
from db.query import Query, default_url
from db.query import open as open_query
from db.query import points as points_of
from db.query import predictions as predictions_of
from db.query import runs as runs_of
from db.records import Prediction
from tests.db.builders import add_one, points, running_job

ROOT = Path(__file__).parents[2]
WRITER = """
import sys
from db.engine import open_database
from db.metrics import ingest
from tests.db.builders import points, running_job
database = open_database(sys.argv[1])
running_job(database)
print("ready", flush=True)
for number in range(200):
    with database.write(durable=False) as connection:
        ingest(
            connection, "run00001", 1, points([1.0] * 10, first=1 + number * 10),
            points_offset=(number + 1) * 280,
        )
print("done", flush=True)
"""


@pytest.mark.slow
def test_a_notebook_reads_whole_batches_while_a_worker_writes(database: Database, url: str) -> None:
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, url], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert writer.stdout is not None
    assert writer.stdout.readline() == "ready\n"
    query = Query(database)
    lengths: list[int] = []
    while writer.poll() is None:
        if query.series("run00001"):
            lengths.append(len(query.points("run00001", "train.loss").steps))

    assert writer.stdout.read() == "done\n"
    writer.stdout.close()
    assert all(length % 10 == 0 for length in lengths)
    assert lengths == sorted(lengths)
    assert len(query.points("run00001", "train.loss").steps) == 2000


def test_the_address_comes_from_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("SETGF_DATABASE_URL", raising=False)
    monkeypatch.delenv("SETGF_HOME", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert default_url().startswith("sqlite:///")
    assert default_url().endswith("setgf.db")

    monkeypatch.setenv("SETGF_HOME", str(tmp_path))
    assert default_url() == f"sqlite:///{tmp_path / 'setgf.db'}"
    monkeypatch.setenv("SETGF_DATABASE_URL", "sqlite:////elsewhere.db")
    assert default_url() == "sqlite:////elsewhere.db"


def test_it_is_the_same_address_as_the_commands_use(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from setgf.home import find_home

    for home in (None, str(tmp_path / "a b"), "~/x"):
        monkeypatch.delenv("SETGF_DATABASE_URL", raising=False)
        monkeypatch.delenv("SETGF_HOME", raising=False)
        if home is not None:
            monkeypatch.setenv("SETGF_HOME", home)
        assert default_url() == find_home().database_url


def test_the_short_forms_open_and_close_by_themselves(
    monkeypatch: pytest.MonkeyPatch, database: Database, url: str
) -> None:
    running_job(database)
    with database.write() as connection:
        ingest(connection, "run00001", 1, points([1.0, 2.0]), points_offset=56)
        rows = [Prediction(sample_id="a", label=1.0, fusion=0.5, text=0.4)]
        store_predictions(connection, "run00001", "test", rows)
    monkeypatch.setenv("SETGF_DATABASE_URL", url)

    assert [run.id for run in runs_of("seed == 1111")] == ["run00001"]
    assert points_of("run00001", "train.loss").values == (1.0, 2.0)
    assert predictions_of("run00001") == tuple(rows)


def test_asking_where_there_is_no_database_makes_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("SETGF_DATABASE_URL", raising=False)
    monkeypatch.setenv("SETGF_HOME", str(tmp_path))

    with pytest.raises(NotFoundError, match=r"No run database at"):
        runs_of()
    assert list(tmp_path.iterdir()) == []


def test_the_query_api_loads_neither_alembic_nor_setgf() -> None:
    code = (
        "import sys, json, db.query; "
        "print(json.dumps([m for m in sys.modules if m.split('.')[0] in "
        "('alembic', 'setgf', 'torch', 'numpy', 'textual', 'typer')]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout) == []


def test_a_query_can_be_used_as_a_context(url: str) -> None:
    with open_query(url) as query:
        add_one(query.database)
        assert len(query.jobs()) == 1
