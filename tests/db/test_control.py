"""What users ask of jobs: waiting ones change at once, live ones by a command to their worker."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from db.commands import pending_commands
from db.engine import Database
from db.errors import JobStateError, NotFoundError
from db.jobs import (
    cancel,
    change_state,
    clear,
    finish_attempt,
    freeze,
    get_job,
    hold,
    list_attempts,
    list_jobs,
    pause,
    release,
    requeue,
    restart,
    resume,
    retry,
    set_frozen,
    thaw,
)
from db.query import Query
from db.records import Job, JobState, Verb
from tests.db.builders import NOW, add_one, running_job


def asked(database: Database, job: Job) -> list[Verb]:
    with database.read() as connection:
        return [command.verb for command in pending_commands(connection, job_id=job.id)]


@pytest.mark.parametrize(
    ("ask", "verb"),
    [
        (cancel, Verb.CANCEL),
        (pause, Verb.PAUSE),
        (requeue, Verb.REQUEUE),
        (freeze, Verb.FREEZE),
    ],
)
def test_a_live_job_is_changed_by_its_worker_and_asked_once(
    database: Database, ask: Callable[..., tuple[Job, ...]], verb: Verb
) -> None:
    job = running_job(database)

    with database.write() as connection:
        (same,) = ask(connection, [job.id], "ada", NOW)
        ask(connection, [job.id], "ada", NOW)

    assert same.state is JobState.RUNNING
    assert asked(database, job) == [verb]


def test_pausing_a_queued_job_holds_it_and_resuming_lets_it_start(database: Database) -> None:
    job = add_one(database)

    with database.write() as connection:
        (paused,) = pause(connection, [job.id], "ada", NOW)
        (resumed,) = resume(connection, [job.id], "ada", NOW)

    assert (paused.state, resumed.state) == (JobState.HELD, JobState.QUEUED)


def test_a_paused_job_is_queued_by_resume(database: Database) -> None:
    job = running_job(database)

    with database.write() as connection:
        finish_attempt(connection, job.id, 1, outcome="paused", now=NOW)
        (resumed,) = resume(connection, [job.id], "ada", NOW)

    assert resumed.state is JobState.QUEUED


def test_resuming_before_the_worker_heard_of_the_pause_takes_it_back(database: Database) -> None:
    job = running_job(database)

    with database.write() as connection:
        pause(connection, [job.id], "ada", NOW)
        (still,) = resume(connection, [job.id], "ada", NOW)

    assert still.state is JobState.RUNNING
    assert asked(database, job) == []


def test_a_frozen_job_is_thawed_by_thaw_or_resume(database: Database) -> None:
    job = running_job(database)
    with database.write() as connection:
        frozen = set_frozen(connection, job.id, 1, True, NOW + 10)
        thaw(connection, [job.id], "ada", NOW + 11)

    assert frozen.frozen_at == NOW + 10
    assert asked(database, job) == [Verb.THAW]
    with database.write() as connection:
        thawed = set_frozen(connection, job.id, 1, False, NOW + 40)
        (attempt,) = list_attempts(connection, job.run_id)
    assert thawed.frozen_at is None
    assert attempt.frozen_seconds == 30


def test_freezing_again_before_the_thaw_was_heard_takes_the_thaw_back(database: Database) -> None:
    job = running_job(database)

    with database.write() as connection:
        set_frozen(connection, job.id, 1, True, NOW)
        thaw(connection, [job.id], "ada", NOW)
        freeze(connection, [job.id], "ada", NOW)

    assert asked(database, job) == []


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (freeze, "Job 1 is queued; only a running job can be frozen"),
        (thaw, "Job 1 is queued and not frozen; only a frozen job can be thawed"),
        (resume, "Job 1 is queued; only a paused, held or frozen job can be resumed"),
        (release, "Job 1 is queued; only a held job can be released"),
        (requeue, "Job 1 is queued; only a running, paused, failed, cancelled or lost job"),
        (retry, "Job 1 is queued; only a failed, cancelled or lost job"),
    ],
)
def test_what_a_queued_job_can_not_do_is_said(
    database: Database, ask: Callable[..., tuple[Job, ...]], words: str
) -> None:
    job = add_one(database)

    with pytest.raises(JobStateError, match=words), database.write() as connection:
        ask(connection, [job.id], "ada", NOW)


def test_nothing_changes_when_one_of_the_jobs_is_not_there(database: Database) -> None:
    job = add_one(database)

    with pytest.raises(NotFoundError, match="no job 99"), database.write() as connection:
        hold(connection, [job.id, 99], "ada", NOW)

    assert Query(database).job(job.id) == job


def test_what_was_asked_of_an_ended_attempt_does_not_reach_the_next(database: Database) -> None:
    job = running_job(database)

    with database.write() as connection:
        cancel(connection, [job.id], "ada", NOW)
        finish_attempt(connection, job.id, 1, outcome="failed", now=NOW)
        retry(connection, [job.id], "ada", NOW)

    assert asked(database, job) == []


def test_a_requeued_failed_job_is_retried_with_a_new_allowance(database: Database) -> None:
    job = running_job(database)

    with database.write() as connection:
        finish_attempt(connection, job.id, 1, outcome="failed", now=NOW, error="it broke")
        (again,) = requeue(connection, [job.id], "ada", NOW)

    assert (again.state, again.error, again.max_attempts) == (JobState.QUEUED, None, 4)


def test_restarting_a_succeeded_job_makes_a_new_one_and_leaves_the_old(database: Database) -> None:
    job = running_job(database)
    with database.write() as connection:
        done = finish_attempt(connection, job.id, 1, outcome="succeeded", now=NOW)
        (new,) = restart(connection, [job.id], "bob", NOW, new_run_id=lambda: "run00099")

        assert get_job(connection, job.id) == done
    assert (new.run_id, new.state, new.attempt, new.owner) == (
        "run00099",
        JobState.QUEUED,
        0,
        "bob",
    )
    assert new.tags == ("restart-of-run00001",)
    assert (new.config, new.fingerprint, new.seed) == (job.config, job.fingerprint, job.seed)


def test_only_a_job_that_is_over_is_started_anew(database: Database) -> None:
    job = add_one(database)

    with (
        pytest.raises(JobStateError, match="Job 1 is queued; only"),
        database.write() as connection,
    ):
        restart(connection, [job.id], "ada", NOW, new_run_id=lambda: "run00099")


def test_cleared_jobs_leave_the_list_and_stay_in_history(database: Database) -> None:
    job, other = running_job(database), add_one(database, 2)

    with database.write() as connection:
        finish_attempt(connection, job.id, 1, outcome="failed", now=NOW)
        cleared = clear(connection, None, "ada", NOW + 5)
        shown = list_jobs(connection)
        everything = list_jobs(connection, cleared=True)

    assert [(one.id, one.cleared_at) for one in cleared] == [(job.id, NOW + 5)]
    assert [one.id for one in shown] == [other.id]
    assert [one.id for one in everything] == [job.id, other.id]


def test_a_cleared_job_that_is_retried_is_listed_again(database: Database) -> None:
    job = running_job(database)

    with database.write() as connection:
        finish_attempt(connection, job.id, 1, outcome="failed", now=NOW)
        clear(connection, [job.id], "ada", NOW)
        retry(connection, [job.id], "ada", NOW)

        assert [one.id for one in list_jobs(connection)] == [job.id]


def test_a_job_that_is_not_over_can_not_be_cleared(database: Database) -> None:
    job = add_one(database)

    with pytest.raises(JobStateError, match="only a finished job"), database.write() as connection:
        clear(connection, [job.id], "ada", NOW)


def test_a_stopping_job_has_an_aim_until_it_has_stopped(database: Database) -> None:
    job = running_job(database)

    def stop(aim: str) -> Job:
        with database.write() as connection:
            return change_state(
                connection,
                job.id,
                JobState.STOPPING,
                attempt=1,
                aim=aim,
                why="asked",
                actor="w1",
                now=NOW,
            )

    assert stop("paused").aim == "paused"
    assert stop("cancelled").aim == "cancelled"
    with database.write() as connection:
        ended = finish_attempt(connection, job.id, 1, outcome="cancelled", now=NOW)
    assert ended.aim is None


def test_time_running_leaves_out_time_frozen_and_adds_up_over_attempts(database: Database) -> None:
    job = running_job(database)

    with database.write() as connection:
        set_frozen(connection, job.id, 1, True, NOW + 20)
        ended = finish_attempt(
            connection,
            job.id,
            1,
            outcome="paused",
            requeue=True,
            now=NOW + 60,
            peak_memory_mib=700,
            peak_gpu_mib=300,
            alone=True,
        )
        (attempt,) = list_attempts(connection, job.run_id)

    assert (ended.running_seconds, ended.frozen_at, ended.is_alone) == (20, None, True)
    assert (attempt.peak_memory_mib, attempt.peak_gpu_mib) == (700, 300)
    assert attempt.frozen_seconds == 40


def test_the_workers_own_clock_decides_over_time_running(database: Database) -> None:
    job = running_job(database)

    with database.write() as connection:
        ended = finish_attempt(
            connection, job.id, 1, outcome="failed", now=NOW - 3600, running_seconds=12.5
        )

    assert ended.running_seconds == 12.5
