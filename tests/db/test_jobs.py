"""The queue as users see it: adding, order, waiting, cancelling, retrying."""

from __future__ import annotations

import pytest

from db.commands import handle_command, pending_commands
from db.engine import Database
from db.errors import JobStateError, NotFoundError
from db.jobs import (
    add_jobs,
    cancel,
    candidates,
    fail_blocked,
    finish_attempt,
    get_job,
    hold,
    list_jobs,
    move,
    next_start,
    release,
    retry,
)
from db.query import Query
from db.records import JobState, Verb
from tests.db.builders import NOW, add_one, new_job, running_job, take


def test_a_job_comes_back_as_it_was_added(database: Database) -> None:
    job = add_one(database, 7, priority=3, gpus=0.5, tags=("b", "a"), held=True, not_before=NOW + 9)

    assert (job.run_id, job.priority, job.gpus, job.seed) == ("run00007", 3, 0.5, 1117)
    assert (job.tags, job.command) == (("a", "b"), ("setgf", "queue", "add"))
    assert job.config == {"optim": {"lr": 0.001}}
    assert (job.state, job.attempt, job.epoch) == (JobState.HELD, 0, 0)
    with database.read() as connection:
        assert get_job(connection, job.id) == job


def test_jobs_of_one_group_share_it_and_are_counted(database: Database) -> None:
    with database.write() as connection:
        for number in (1, 2):
            add_jobs(
                connection,
                [new_job(number)],
                group_name="seeds of mosi",
                group_kind="seeds",
                actor="ada",
                now=NOW,
            )
    (group,) = Query(database).groups()

    assert (group.name, group.kind, dict(group.counts)) == ("seeds of mosi", "seeds", {"queued": 2})


def test_candidates_come_by_priority_then_position(database: Database) -> None:
    first, second = add_one(database, 1), add_one(database, 2)
    urgent = add_one(database, 3, priority=5)
    add_one(database, 4, held=True)

    with database.read() as connection:
        order = [job.id for job in candidates(connection, now=NOW)]
    assert order == [urgent.id, first.id, second.id]


def test_a_job_moved_before_another_starts_before_it(database: Database) -> None:
    one, two, three = (add_one(database, number) for number in (1, 2, 3))

    with database.write() as connection:
        move(connection, three.id, before=two.id, actor="ada", now=NOW)
        order = [job.id for job in candidates(connection, now=NOW)]
        move(connection, three.id, before=one.id, actor="ada", now=NOW)
        then = [job.id for job in candidates(connection, now=NOW)]

    assert order == [one.id, three.id, two.id]
    assert then == [three.id, one.id, two.id]


def test_a_delayed_job_waits_for_its_time(database: Database) -> None:
    job = add_one(database, not_before=NOW + 60)

    with database.write() as connection:
        assert candidates(connection, now=NOW) == ()
        assert take(connection, job.id, now=NOW) is None
        assert next_start(connection, now=NOW) == NOW + 60
        assert take(connection, job.id, now=NOW + 60) is not None


def test_a_job_waits_until_those_it_depends_on_have_succeeded(database: Database) -> None:
    first = running_job(database, 1)
    second = add_one(database, 2, after=(first.id,))

    with database.write() as connection:
        assert take(connection, second.id, devices=("cpu1",)) is None
        finish_attempt(connection, first.id, 1, outcome="succeeded", exit_code=0, now=NOW + 9)
        assert [job.id for job in candidates(connection, now=NOW)] == [second.id]


def test_jobs_that_wait_for_a_failed_one_fail_with_the_reason(database: Database) -> None:
    first = running_job(database, 1)
    second = add_one(database, 2, after=(first.id,))
    third = add_one(database, 3, after=(second.id,))

    with database.write() as connection:
        assert fail_blocked(connection, now=NOW) == ()
        finish_attempt(connection, first.id, 1, outcome="failed", exit_code=1, now=NOW)
        blocked = fail_blocked(connection, now=NOW + 1)

    assert [(job.id, job.state) for job in blocked] == [
        (second.id, JobState.FAILED),
        (third.id, JobState.FAILED),
    ]
    assert blocked[0].error == f"job {first.id}, which it waits for, is failed"


@pytest.mark.parametrize("outcome", ["succeeded", "failed", "cancelled"])
def test_a_job_may_wait_for_any_end_of_another(database: Database, outcome: str) -> None:
    first = running_job(database, 1)
    second = add_one(database, 2, after_any=(first.id,))

    with database.write() as connection:
        assert candidates(connection, now=NOW) == ()
        finish_attempt(connection, first.id, 1, outcome=outcome, now=NOW)
        assert fail_blocked(connection, now=NOW) == ()
        assert [job.id for job in candidates(connection, now=NOW)] == [second.id]


def test_a_job_can_not_wait_for_one_that_does_not_exist(database: Database) -> None:
    with pytest.raises(NotFoundError, match="There is no job 99"):
        add_one(database, after=(99,))

    with database.read() as connection:
        assert list_jobs(connection) == ()


def test_cancelling_waiting_jobs_is_immediate_and_a_live_one_gets_one_command(
    database: Database,
) -> None:
    live = running_job(database, 1)
    waiting, held = add_one(database, 2), add_one(database, 3, held=True)

    with database.write() as connection:
        done = cancel(connection, [live.id, waiting.id, held.id], "ada", NOW)
        cancel(connection, [live.id], "ada", NOW)
        (command,) = pending_commands(connection, worker_id="w1")
        handle_command(connection, command.id, result="told the child", now=NOW + 1)
        left = pending_commands(connection)

    assert [job.state for job in done] == [JobState.RUNNING, *[JobState.CANCELLED] * 2]
    assert (command.verb, command.job_id, command.actor) == (Verb.CANCEL, live.id, "ada")
    assert left == ()


def test_cancelling_only_what_is_over_is_refused_in_words(database: Database) -> None:
    job = running_job(database)
    with database.write() as connection:
        finish_attempt(connection, job.id, 1, outcome="succeeded", now=NOW)

    with (
        pytest.raises(JobStateError, match=r"Job 1 is succeeded; only a .* can be cancelled"),
        database.write() as connection,
    ):
        cancel(connection, [job.id], "ada", NOW)


def test_a_retry_keeps_the_run_and_allows_as_many_attempts_again(database: Database) -> None:
    job = running_job(database)
    with database.write() as connection:
        finish_attempt(connection, job.id, 1, outcome="failed", error="bad", now=NOW)
        (back,) = retry(connection, [job.id], "ada", NOW + 1)
        again = take(connection, job.id, now=NOW + 2)

    assert (back.state, back.run_id) == (JobState.QUEUED, job.run_id)
    assert (back.max_attempts, back.error, back.finished_at) == (4, None, None)
    assert again is not None
    assert again.attempt == 2


def test_a_succeeded_job_can_not_be_retried(database: Database) -> None:
    job = running_job(database)
    with database.write() as connection:
        finish_attempt(connection, job.id, 1, outcome="succeeded", now=NOW)

    with (
        pytest.raises(
            JobStateError,
            match=r"Job 1 is succeeded; only a failed, cancelled or lost job can be queued again\.",
        ),
        database.write() as connection,
    ):
        retry(connection, [job.id], "ada", NOW)


def test_a_held_job_does_not_start_until_released(database: Database) -> None:
    job = add_one(database)

    with database.write() as connection:
        hold(connection, [job.id], "ada", NOW)
        assert candidates(connection, now=NOW) == ()
        release(connection, [job.id], "ada", NOW)
        assert [one.id for one in candidates(connection, now=NOW)] == [job.id]


def test_a_job_that_does_not_exist_names_the_list(database: Database) -> None:
    with (
        pytest.raises(NotFoundError, match=r"There is no job 12\. `setgf queue list --all`"),
        database.read() as connection,
    ):
        get_job(connection, 12)


def test_jobs_are_listed_by_state_and_the_newest_are_kept(database: Database) -> None:
    one, two, three = (add_one(database, number) for number in (1, 2, 3))
    with database.write() as connection:
        cancel(connection, [two.id], "ada", NOW)
    query = Query(database)

    assert [job.id for job in query.jobs(states=[JobState.QUEUED])] == [one.id, three.id]
    assert [job.id for job in query.jobs(limit=2)] == [two.id, three.id]
    assert [job.id for job in query.jobs(ids=[one.id, 99])] == [one.id]
    assert query.job(one.id).id == one.id
