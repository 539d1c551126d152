"""Editing jobs that wait, and their order."""

from __future__ import annotations

from typing import Any

import pytest

from db.engine import Database
from db.errors import JobStateError, NotFoundError
from db.jobs import (
    add_jobs,
    candidates,
    dependencies,
    edit,
    finish_attempt,
    get_job,
    hold,
    memory_peak,
    move,
    set_priority,
    store_memory_peak,
)
from db.query import Query
from tests.db.builders import NOW, add_one, new_job, running_job


def order(database: Database) -> list[int]:
    with database.read() as connection:
        return [job.id for job in candidates(connection, now=NOW)]


def moved(database: Database, job_id: int, **place: Any) -> list[int]:
    with database.write() as connection:
        move(connection, job_id, actor="ada", now=NOW, **place)
    return order(database)


def test_a_job_goes_before_after_first_and_last(database: Database) -> None:
    for number in (1, 2, 3, 4):
        add_one(database, number)

    assert moved(database, 1, after=3) == [2, 3, 1, 4]
    assert moved(database, 4, before=3) == [2, 4, 3, 1]
    assert moved(database, 3, first=True) == [3, 2, 4, 1]
    assert moved(database, 2, last=True) == [3, 4, 1, 2]
    assert moved(database, 3, after=2) == [4, 1, 2, 3]


def test_a_job_added_later_comes_behind_one_that_was_moved_last(database: Database) -> None:
    for number in (1, 2):
        add_one(database, number)
    moved(database, 1, last=True)
    moved(database, 2, after=1)

    add_one(database, 3)

    assert order(database) == [1, 2, 3]


def test_first_and_last_are_over_all_priorities(database: Database) -> None:
    add_one(database, 1, priority=5)
    add_one(database, 2)
    add_one(database, 3, priority=-5)

    assert moved(database, 3, first=True) == [3, 1, 2]
    assert moved(database, 3, last=True) == [1, 2, 3]


def test_jobs_can_be_put_between_two_any_number_of_times(database: Database) -> None:
    for number in (1, 2, 3):
        add_one(database, number)

    for _ in range(40):
        assert moved(database, 3, after=1) == [1, 3, 2]
        assert moved(database, 2, after=1) == [1, 2, 3]


def test_a_move_to_nowhere_or_beside_a_started_job_is_refused(database: Database) -> None:
    started, job = running_job(database), add_one(database, 2)
    with database.write() as connection:
        with pytest.raises(JobStateError, match="Job 1 is running"):
            move(connection, job.id, before=started.id, actor="ada", now=NOW)
        with pytest.raises(JobStateError, match="beside itself"):
            move(connection, job.id, after=job.id, actor="ada", now=NOW)
        with pytest.raises(ValueError, match="before or after one other"):
            move(connection, job.id, actor="ada", now=NOW)
        with pytest.raises(ValueError, match="before or after one other"):
            move(connection, job.id, first=True, last=True, actor="ada", now=NOW)
        assert get_job(connection, job.id) == job


def test_a_priority_is_given_to_many_jobs_at_once(database: Database) -> None:
    for number in (1, 2, 3):
        add_one(database, number)

    with database.write() as connection:
        set_priority(connection, [2, 3], 4, "ada", NOW)

    assert order(database) == [2, 3, 1]


def test_a_waiting_job_asks_for_something_else_after_an_edit(database: Database) -> None:
    job = add_one(database)
    wanted: dict[str, Any] = {
        "name": "longer",
        "time_limit": 7200.0,
        "memory_mib": 4000,
        "gpus": 0.5,
        "not_before": NOW + 5,
        "priority": 2,
        "max_attempts": 7,
    }

    with database.write() as connection:
        (edited,) = edit(connection, [job.id], "ada", NOW, **wanted)

    assert {name: getattr(edited, name) for name in wanted} == wanted
    last = Query(database).events(job_id=job.id)[-1]
    assert last.why.startswith("edited: gpus, max_attempts")


def test_the_settings_of_a_job_that_never_began_can_be_edited(database: Database) -> None:
    job = add_one(database)

    with database.write() as connection:
        (edited,) = edit(
            connection,
            [job.id],
            "ada",
            NOW,
            config={"optim": {"lr": 0.5}},
            settings={"optim.lr": 0.5},
            fingerprint="f9",
            variant="v9",
        )

    assert (edited.config, edited.fingerprint) == ({"optim": {"lr": 0.5}}, "f9")


def test_a_job_that_failed_gets_more_time_but_no_other_settings(database: Database) -> None:
    job = running_job(database)
    with database.write() as connection:
        finish_attempt(connection, job.id, 1, outcome="failed", now=NOW)
        (edited,) = edit(connection, [job.id], "ada", NOW, time_limit=10.0, name="again")

        with pytest.raises(JobStateError, match="settings are part of its run"):
            edit(connection, [job.id], "ada", NOW, config={})
        with pytest.raises(JobStateError, match="has made 1 attempts"):
            edit(connection, [job.id], "ada", NOW, max_attempts=1)
    assert edited.time_limit == 10.0


def test_a_running_or_succeeded_job_is_not_edited_and_none_of_the_others(
    database: Database,
) -> None:
    job, other = running_job(database), add_one(database, 2)

    with (
        pytest.raises(JobStateError, match="Job 1 is running; only a job that waits"),
        database.write() as connection,
    ):
        edit(connection, [other.id, job.id], "ada", NOW, name="x")
    assert Query(database).job(other.id) == other


def test_what_a_job_waits_for_is_replaced_and_never_itself(database: Database) -> None:
    one, two = add_one(database, 1), add_one(database, 2)
    three = add_one(database, 3, after=(two.id,))
    with database.write() as connection:
        edit(connection, [two.id], "ada", NOW, after=[one.id], after_any=[one.id])

        assert dependencies(connection, two.id) == ((one.id, "ok"),)
        with pytest.raises(JobStateError, match="itself: job 1, which waits for job 3, which"):
            edit(connection, [one.id], "ada", NOW, after=[three.id])
        with pytest.raises(JobStateError, match="itself: job 1, which waits for job 1"):
            edit(connection, [one.id], "ada", NOW, after_any=[one.id])
        with pytest.raises(NotFoundError, match="no job 99"):
            edit(connection, [one.id], "ada", NOW, after=[99])


def test_a_thousand_jobs_are_added_held_and_found_in_few_statements(database: Database) -> None:
    count = 300
    with database.write() as connection:
        jobs = add_jobs(
            connection, [new_job(number) for number in range(count)], actor="ada", now=NOW
        )
        held = hold(connection, [job.id for job in jobs], "ada", NOW)

    assert [job.id for job in jobs] == list(range(1, count + 1))
    assert {job.state for job in held} == {"held"}
    assert len(Query(database).events()) == 2 * count


def test_the_most_memory_of_all_attempts_is_remembered(database: Database) -> None:
    with database.write() as connection:
        assert memory_peak(connection, "gpu setgf mosi 16") is None
        for mib in (900, 1200, 1000):
            store_memory_peak(connection, "gpu setgf mosi 16", mib, NOW)

        assert memory_peak(connection, "gpu setgf mosi 16") == 1200
