"""Every example in the docstrings of the query API is run, on a small stored database."""

from __future__ import annotations

import doctest
import inspect
from collections.abc import Callable, Iterator
from importlib import import_module

import pytest

import db.query
from db.checkpoints import add_checkpoint
from db.engine import Database
from db.jobs import add_jobs, finish_attempt
from db.metrics import ingest
from db.predictions import store_predictions
from db.query import Query
from db.records import Checkpoint, JobState, Prediction, Sample
from db.runs import add_tag, set_final_metrics
from db.workers import add_samples, stop_worker
from tests.db.builders import NOW, new_job, points, running_job

FINDER = doctest.DocTestFinder()
PUBLIC = [
    name
    for name, found in inspect.getmembers(Query, inspect.isfunction)
    if not name.startswith("_") and found.__module__ == "db.query"
]
FUNCTIONS = [
    name
    for name, found in inspect.getmembers(db.query, inspect.isfunction)
    if not name.startswith("_") and found.__module__ == "db.query"
]


@pytest.fixture(scope="module")
def stored(make_database: Callable[[], Database]) -> Database:
    """The database that the examples speak of; they only read."""
    database = make_database()
    store(database)
    return database


@pytest.fixture
def q(stored: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[Query]:
    monkeypatch.setenv(db.query.URL_VARIABLE, stored.url)
    with db.query.open() as opened:
        yield opened


def store(database: Database) -> None:
    job = running_job(database, 1)
    checkpoint = Checkpoint(
        run_id=job.run_id,
        attempt=1,
        role="best",
        path="a1/best.pt",
        epoch=1,
        step=3,
        size=10,
        sha256="0" * 64,
        created_at=NOW,
    )
    row = Prediction(sample_id="a$_$0", label=1.0, fusion=0.25)
    sample = Sample(worker_id="w1", device="cuda:0", at=NOW, utilisation=0.5, memory_used_mib=9)
    with database.write() as connection:
        add_jobs(connection, [new_job(2)], actor="ada", now=NOW, group_name="seeds")
        batch = [*points([3.0, 2.0, 1.0]), *points([0.8], "valid.mae", first=3)]
        ingest(connection, job.run_id, 1, batch, points_offset=112)
        store_predictions(connection, job.run_id, "test", [row])
        add_checkpoint(connection, checkpoint)
        set_final_metrics(connection, job.run_id, {"test.mae": 0.75}, attempt=1)
        add_tag(connection, job.run_id, "base", actor="ada", now=NOW)
        add_samples(connection, [sample])
        finish_attempt(connection, job.id, 1, outcome="succeeded", exit_code=0, now=NOW + 9)
        stop_worker(connection, "w1", now=NOW + 10)


@pytest.mark.parametrize("name", [*(f"Query.{name}" for name in PUBLIC), *FUNCTIONS])
def test_every_public_name_has_an_example_that_is_true(
    q: Query, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if name == "default_url":
        monkeypatch.delenv(db.query.URL_VARIABLE)
        monkeypatch.delenv(db.query.HOME_VARIABLE)
        monkeypatch.setenv("HOME", "/users/ada")
        monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    found = db.query
    for part in name.split("."):
        found = getattr(found, part)
    globs = {"query": db.query, "q": q, "JobState": JobState}
    (example,) = FINDER.find(found, name, globs=globs)

    results = doctest.DocTestRunner().run(example)

    assert results.attempted >= 1, f"{name} has no example"
    assert results.failed == 0


@pytest.mark.parametrize("module", ["db.engine", "db.series_names", "setgf.runs.environment"])
def test_examples_elsewhere_are_true(module: str) -> None:
    results = doctest.testmod(import_module(module))

    assert results.attempted > 0
    assert results.failed == 0
