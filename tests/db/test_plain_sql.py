"""Plain SQL: the documented views, and that nothing can be changed by it."""

from __future__ import annotations

import json
import statistics

import pytest

from db.engine import Database
from db.errors import DatabaseError
from db.jobs import finish_attempt
from db.metrics import ingest
from db.query import Query
from db.query import open as open_query
from db.runs import add_run, set_final_metrics, update_run
from db.views import METRICS
from tests.db.builders import NOW, add_one, new_run, points, running_job


def rows(database: Database, query: str) -> list[dict[str, object]]:
    columns, found = Query(database).sql(query)
    return [dict(zip(columns, row, strict=True)) for row in found]


def test_run_summary_has_one_row_a_run_with_its_final_metrics(database: Database) -> None:
    job = running_job(database)
    with database.write() as connection:
        update_run(
            connection, job.run_id, attempt=1, best_epoch=2, best_valid=0.8, started_at=NOW, now=NOW
        )
        metrics = {f"test.{name}": index / 10 for index, name in enumerate(METRICS)}
        set_final_metrics(connection, job.run_id, {**metrics, "valid.mae": 0.8}, attempt=1)
        finish_attempt(connection, job.id, 1, outcome="succeeded", now=NOW + 60)
        add_run(connection, new_run("other"))

    first, second = rows(database, "SELECT * FROM run_summary ORDER BY run_id DESC")
    assert (first["run_id"], first["state"], first["best_valid"]) == (job.run_id, "succeeded", 0.8)
    assert [first[name] for name in METRICS] == [index / 10 for index in range(len(METRICS))]
    assert first["duration_seconds"] == 60
    assert (second["run_id"], second["mae"]) == ("other", None)


def test_the_leaderboard_gives_mean_and_deviation_over_finished_seeds(database: Database) -> None:
    values = [0.9, 1.0, 1.3]
    with database.write() as connection:
        for index, value in enumerate(values):
            add_run(connection, new_run(f"run{index}", seed=index))
            set_final_metrics(connection, f"run{index}", {"test.mae": value}, attempt=1)
            update_run(connection, f"run{index}", attempt=1, state="succeeded")
        add_run(connection, new_run("alone", variant="v2"))
        set_final_metrics(connection, "alone", {"test.mae": 0.5}, attempt=1)
        update_run(connection, "alone", attempt=1, state="succeeded")
        add_run(connection, new_run("unfinished"))

    alone, three = rows(database, "SELECT * FROM leaderboard ORDER BY mae")
    assert (three["seeds"], three["runs"]) == (3, 3)
    assert three["mae"] == pytest.approx(statistics.mean(values))
    assert three["mae_sd"] == pytest.approx(statistics.stdev(values))
    assert three["acc7"] is None
    assert (alone["variant"], alone["mae"], alone["mae_sd"]) == ("v2", 0.5, None)


def test_queue_and_point_are_readable_without_joins(database: Database) -> None:
    job = running_job(database)
    add_one(database, 2)
    with database.write() as connection:
        ingest(
            connection, job.run_id, 1, points([0.5, 0.4], series="valid.text.mae"), points_offset=56
        )
        update_run(connection, job.run_id, attempt=1, epoch=2)

    queue = rows(database, "SELECT job_id, state, epoch FROM queue ORDER BY job_id")
    assert queue == [
        {"job_id": 1, "state": "running", "epoch": 2},
        {"job_id": 2, "state": "queued", "epoch": 0},
    ]
    assert rows(database, "SELECT * FROM point WHERE value < 0.45") == [
        {
            "run_id": job.run_id,
            "split": "valid",
            "branch": "text",
            "name": "mae",
            "attempt": 1,
            "step": 2,
            "epoch": 1,
            "value": 0.4,
            "time": NOW + 2,
        }
    ]


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM runs",
        "UPDATE runs SET name = 'x'",
        "INSERT INTO tags VALUES ('a', 'b')",
        "DROP TABLE runs",
        "CREATE TABLE x (y)",
        "CREATE TEMP TABLE x (y)",
        "PRAGMA user_version = 9",
        "PRAGMA journal_mode = DELETE",
        "ATTACH DATABASE '/tmp/x.db' AS x",
        "VACUUM",
        "VACUUM INTO '/tmp/x.db'",
        "BEGIN IMMEDIATE",
        "WITH x AS (SELECT 1) DELETE FROM runs",
        "REINDEX",
        "ANALYZE",
    ],
)
def test_anything_but_reading_is_refused(database: Database, statement: str) -> None:
    running_job(database)
    before = database.data_version()

    with pytest.raises(DatabaseError, match="Only a SELECT is allowed here"):
        Query(database).sql(statement)

    assert database.data_version() == before


def test_extensions_are_not_loaded_and_two_statements_not_run(database: Database) -> None:
    with pytest.raises(DatabaseError, match=r"not authorized to use function|does not exist"):
        Query(database).sql("SELECT load_extension('x')")
    with pytest.raises(DatabaseError, match=r"(one statement|multiple commands).*[^.]\.$"):
        Query(database).sql("SELECT 1; DELETE FROM runs")


@pytest.mark.parametrize("query", ["", "  ;", "\n"])
def test_no_query_is_said_to_be_none(database: Database, query: str) -> None:
    with pytest.raises(DatabaseError, match=r"There is no query\. Give one SELECT"):
        Query(database).sql(query)


def test_a_mistake_is_said_in_the_databases_words(database: Database) -> None:
    with pytest.raises(DatabaseError, match=r'no such column: nope|"nope" does not exist'):
        Query(database).sql("SELECT nope FROM runs")


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("WITH x AS (DELETE FROM runs RETURNING id) SELECT * FROM x", "Only a SELECT"),
        ("COPY runs TO PROGRAM 'true'", "Only a SELECT"),
        ("SET TRANSACTION READ WRITE", "Only a SELECT"),
        ("SELECT 1 AS y INTO x", "can't run this query"),
        ("SELECT nextval('events_id_seq')", "Only a SELECT"),
        ("SELECT set_config('transaction_read_only', 'off', false)", "can't run this query"),
        ("SELECT 1; COMMIT; DELETE FROM runs", "can't run this query"),
    ],
)
def test_a_server_is_not_talked_into_writing(empty_url: str, query: str, sentence: str) -> None:
    with open_query(empty_url) as asked:
        running_job(asked.database)
        with pytest.raises(DatabaseError, match=sentence):
            asked.sql(query)
        assert len(asked.runs()) == 1
        add_one(asked.database, 2)


def test_what_a_server_counts_and_stores_comes_as_plain_values(empty_url: str) -> None:
    with open_query(empty_url) as asked:
        running_job(asked.database)
        query = "SELECT sum(id), avg(id), config, '50%' AS share, now() FROM jobs GROUP BY id"
        (row,) = asked.sql(query)[1]

    assert row[:2] == (1, 1)
    assert json.loads(row[2]) == {"optim": {"lr": 0.001}}
    assert row[3] == "50%"
    assert row[4].startswith("20")


def test_functions_and_recursion_are_allowed(database: Database) -> None:
    query = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 4) SELECT"
    assert Query(database).sql(f"{query} sum(i), sqrt(16.0) FROM n")[1] == ((10, 4.0),)
