"""Waits before another attempt while the wall clock is set back."""

from __future__ import annotations

from db.engine import Database
from db.jobs import add_jobs, candidates, claim, edit, finish_attempt
from db.jobs.waits import shorten_waits
from db.records import Job
from tests.db.builders import NOW, new_job

HOUR = 3600.0


def fail_once(database: Database, *, at: float, wait: float) -> Job:
    """A job whose first attempt failed at a moment, and that waits for the next one."""
    with database.write() as connection:
        (job,) = add_jobs(connection, [new_job()], actor="me", now=NOW)
        claim(
            connection, job.id, worker_id="w", host="h", boot_id="b", devices=("cpu0",),
            lease_seconds=30, now=at,
        )  # fmt: skip
        return finish_attempt(
            connection, job.id, 1, outcome="lost", requeue=True, not_before=at + wait, now=at
        )


def ready(database: Database, now: float) -> list[int]:
    with database.read() as connection:
        return [job.id for job in candidates(connection, now=now)]


def test_a_wait_that_began_in_the_future_begins_anew(database: Database) -> None:
    job = fail_once(database, at=NOW + HOUR, wait=4)

    with database.write() as connection:
        assert shorten_waits(connection, now=NOW) == (job.id,)
        assert shorten_waits(connection, now=NOW + 1) == ()

    assert ready(database, NOW + 3) == []
    assert ready(database, NOW + 4) == [job.id]


def test_a_wait_of_now_is_left_as_it_is(database: Database) -> None:
    job = fail_once(database, at=NOW, wait=60)

    with database.write() as connection:
        assert shorten_waits(connection, now=NOW + 1) == ()

    assert ready(database, NOW + 59) == []
    assert ready(database, NOW + 60) == [job.id]


def test_a_start_that_a_user_has_set_is_left_as_it_is(database: Database) -> None:
    job = fail_once(database, at=NOW + HOUR, wait=4)

    with database.write() as connection:
        edit(connection, [job.id], "me", NOW, not_before=NOW + 2 * HOUR)
        assert shorten_waits(connection, now=NOW) == ()

    assert ready(database, NOW + HOUR) == []
