"""The claim and the look for candidates must not slow down with the history or a long queue."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from db.engine import Database, open_database
from db.jobs import add_jobs, candidates, fail_blocked, hold, set_parallelism
from tests.db.builders import NOW, new_job, take


@pytest.fixture
def full(path: Path) -> Generator[Database]:
    """A queue with groups, limits and dependencies on SQLite, whose plans are asked for."""
    database = open_database(str(path))
    with database.write() as connection:
        new = [new_job(number) for number in range(40)]
        add_jobs(connection, new, group_name="g", actor="ada", now=NOW)
        later = [new_job(100 + number, after=(1,)) for number in range(10)]
        add_jobs(connection, later, actor="ada", now=NOW)
        set_parallelism(connection, "g", 5, "ada", NOW)
    yield database
    database.close()


@contextmanager
def statements(database: Database) -> Generator[list[tuple[str, Any]]]:
    """Collect what is executed."""
    found: list[tuple[str, Any]] = []

    def hear(*heard: Any) -> None:
        found.append((heard[2], heard[3]))

    event.listen(database.engine, "before_cursor_execute", hear)
    yield found
    event.remove(database.engine, "before_cursor_execute", hear)


def plans(database: Database, found: list[tuple[str, Any]]) -> list[str]:
    with database.read() as connection:
        return [
            str(row[3])
            for text, values in found
            if text.split()[0] in ("SELECT", "UPDATE", "DELETE")
            for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", values)
        ]


def test_candidates_come_in_the_order_of_the_index_of_queued_jobs(full: Database) -> None:
    with statements(full) as found, full.read() as connection:
        candidates(connection, now=NOW)

    steps = plans(full, found)
    assert "SCAN jobs USING INDEX ix_jobs_queued" in steps
    assert "SCAN member USING INDEX ix_jobs_live" in steps
    assert not [step for step in steps if "TEMP B-TREE FOR ORDER BY" in step and "tags" in step]
    assert "USE TEMP B-TREE FOR ORDER BY" not in steps


def test_a_claim_looks_at_one_job_and_at_those_that_are_live(full: Database) -> None:
    with statements(full) as found, full.write() as connection:
        assert take(connection, 1) is not None

    scans = [step for step in plans(full, found) if step.startswith("SCAN")]
    assert scans
    assert set(scans) <= {"SCAN groups", "SCAN member USING INDEX ix_jobs_live"}


def test_adding_looks_at_the_ends_of_two_indexes(full: Database) -> None:
    with statements(full) as found, full.write() as connection:
        add_jobs(connection, [new_job(500)], actor="ada", now=NOW)

    scans = [step for step in plans(full, found) if step.startswith("SCAN")]
    assert scans == []


@pytest.mark.parametrize("count", [1, 9])
def test_jobs_that_wait_in_vain_are_failed_in_as_many_statements_as_one(
    path: Path, count: int
) -> None:
    database = open_database(str(path))
    with database.write() as connection:
        add_jobs(connection, [new_job(1, held=True)], actor="ada", now=NOW)
        new = [new_job(10 + number, after=(1,)) for number in range(count)]
        add_jobs(connection, new, actor="ada", now=NOW)
        connection.exec_driver_sql("UPDATE jobs SET state = 'failed' WHERE id = 1")
    with statements(database) as found, database.write() as connection:
        assert len(fail_blocked(connection, now=NOW)) == count
    database.close()

    assert len(found) == 8


def test_holding_many_jobs_takes_as_many_statements_as_holding_one(full: Database) -> None:
    sizes: list[int] = []
    for ids in ([1], list(range(2, 30))):
        with statements(full) as found, full.write() as connection:
            hold(connection, ids, "ada", NOW)
        sizes.append(len(found))

    assert sizes[0] == sizes[1]
