"""Groups: how many of their jobs run at once, whether any, and what that means for the others."""

from __future__ import annotations

import threading

import pytest

from db.engine import Database
from db.errors import FencedError, NotFoundError
from db.jobs import (
    add_jobs,
    adopt,
    candidates,
    change_state,
    finish_attempt,
    list_groups,
    list_jobs,
    pause_group,
    resume_group,
    set_parallelism,
)
from db.query import Query
from db.records import Job, JobState
from tests.db.builders import NOW, add_one, new_job, take


def add_group(database: Database, name: str, count: int, first: int = 1) -> tuple[Job, ...]:
    new = [new_job(number) for number in range(first, first + count)]
    with database.write() as connection:
        return add_jobs(connection, new, group_name=name, actor="ada", now=NOW)


def startable(database: Database, limit: int = 32) -> list[int]:
    with database.read() as connection:
        return [job.id for job in candidates(connection, now=NOW, limit=limit)]


def test_a_group_never_has_more_live_jobs_than_it_may(database: Database) -> None:
    one, two, three = add_group(database, "ablation", 3)
    with database.write() as connection:
        set_parallelism(connection, "ablation", 1, "ada", NOW)

        assert take(connection, one.id, devices=()) is not None
        assert take(connection, two.id, devices=()) is None
    assert startable(database) == []
    with database.write() as connection:
        finish_attempt(connection, one.id, 1, outcome="succeeded", now=NOW)
    assert startable(database) == [two.id]
    with database.write() as connection:
        set_parallelism(connection, "ablation", None, "ada", NOW)
    assert startable(database) == [two.id, three.id]


def test_a_limited_group_at_the_head_does_not_hide_the_jobs_behind_it(database: Database) -> None:
    first = add_group(database, "narrow", 8)
    behind = add_group(database, "narrow too", 8, first=20)
    free = add_one(database, 50)
    with database.write() as connection:
        set_parallelism(connection, "narrow", 2, "ada", NOW)
        set_parallelism(connection, "narrow too", 1, "ada", NOW)

    expected = [first[0].id, first[1].id, behind[0].id, free.id]
    assert startable(database, limit=4) == expected
    assert startable(database) == expected


def test_a_paused_group_starts_nothing_until_it_is_resumed(database: Database) -> None:
    (job,) = add_group(database, "later", 1)
    with database.write() as connection:
        paused = pause_group(connection, "later", "ada", NOW)
        assert take(connection, job.id) is None

    assert paused.paused_at == NOW
    assert startable(database) == []
    with database.write() as connection:
        resume_group(connection, "later", "ada", NOW)
    assert startable(database) == [job.id]


def test_groups_tell_their_limits_and_counts(database: Database) -> None:
    add_group(database, "one", 2)
    with database.write() as connection:
        set_parallelism(connection, "one", 3, "ada", NOW)
        pause_group(connection, "one", "ada", NOW + 1)
        (group,) = list_groups(connection)

    assert (group.parallelism, group.paused_at) == (3, NOW + 1)
    assert dict(group.counts) == {"queued": 2}
    assert Query(database).groups() == (group,)


def test_an_unknown_group_is_refused_with_the_nearest_name(database: Database) -> None:
    add_group(database, "ablation", 1)

    with (
        pytest.raises(NotFoundError, match="Did you mean `ablation`"),
        database.write() as connection,
    ):
        pause_group(connection, "ablatoin", "ada", NOW)


@pytest.mark.parametrize("number", [0, -1])
def test_a_group_must_be_allowed_at_least_one_job(database: Database, number: int) -> None:
    add_group(database, "one", 1)

    with pytest.raises(ValueError, match="must be 1 or more"), database.write() as connection:
        set_parallelism(connection, "one", number, "ada", NOW)


def test_two_claims_at_the_same_moment_do_not_pass_the_limit_of_a_group(
    database: Database,
) -> None:
    """Writers of PostgreSQL that do not wait for each other: the claim's own lock must hold."""
    jobs = add_group(database, "narrow", 2)
    with database.write() as connection:
        set_parallelism(connection, "narrow", 1, "ada", NOW)
    is_server = database.path is None
    write = database.engine.begin if is_server else lambda: database.write(durable=False)
    has_claimed = threading.Event()
    claimed: list[int] = []

    def second() -> None:
        has_claimed.wait()
        with write() as connection:
            if take(connection, jobs[1].id, worker_id="w2", devices=()) is not None:
                claimed.append(jobs[1].id)

    other = threading.Thread(target=second)
    other.start()
    with write() as connection:
        if take(connection, jobs[0].id, worker_id="w1", devices=()) is not None:
            claimed.append(jobs[0].id)
        has_claimed.set()
        other.join(0.3)  # the other waits for us, or has failed
    other.join()

    assert claimed == [jobs[0].id]


def test_a_lost_job_that_turns_up_again_does_not_pass_the_limit(database: Database) -> None:
    lost, other = add_group(database, "narrow", 2)
    with database.write() as connection:
        set_parallelism(connection, "narrow", 1, "ada", NOW)
        take(connection, lost.id, devices=("cuda:0",))
        change_state(
            connection, lost.id, JobState.LOST, attempt=1, why="silent", actor="w2", now=NOW
        )
        assert take(connection, other.id, devices=("cpu1",)) is not None

    with pytest.raises(FencedError, match="has gone to others"), database.write() as connection:
        adopt(
            connection,
            lost.id,
            1,
            "w2",
            previous=None,
            host="host",
            boot_id="boot",
            lease_seconds=30,
            now=NOW,
        )
    with database.read() as connection:
        assert [job.state.is_live for job in list_jobs(connection)] == [False, True]
