"""The queue: adding, claiming, the fence, cancelling, retrying, reordering."""

from __future__ import annotations

from typing import Any

import pytest

from db.commands import handle_command, pending_commands
from db.engine import Database
from db.errors import FencedError, JobStateError, NotFoundError
from db.events import list_events
from db.jobs import (
    add_jobs,
    adopt,
    cancel,
    candidates,
    change_state,
    expired,
    fail_blocked,
    finish_attempt,
    get_attempt,
    get_job,
    hold,
    list_jobs,
    live_jobs,
    move,
    next_start,
    release,
    renew_leases,
    retry,
    start_attempt,
)
from db.query import Query
from db.records import Checkpoint, FailureClass, JobState, Verb
from db.workers import list_workers, register_worker
from tests.db.builders import NOW, add_one, new_job, new_worker, running_job, take

FROM_W1: dict[str, Any] = {
    "previous": "w1",
    "host": "host",
    "boot_id": "boot",
    "lease_seconds": 30.0,
}


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


def test_a_job_can_not_wait_for_one_that_does_not_exist(database: Database) -> None:
    with pytest.raises(NotFoundError, match="There is no job 99"):
        add_one(database, after=(99,))

    with database.read() as connection:
        assert list_jobs(connection) == ()


def test_a_claim_takes_job_devices_and_lease_at_once(database: Database) -> None:
    job = add_one(database)
    with database.write() as connection:
        register_worker(connection, new_worker("w1", ("cpu0", "cuda:0")), now=NOW)
        claimed = take(connection, job.id, devices=("cuda:0",))

    assert claimed is not None
    assert (claimed.attempt, claimed.resume_from) == (1, None)
    assert (claimed.job.state, claimed.job.worker_id) == (JobState.STARTING, "w1")
    assert claimed.job.lease_until == NOW + 30
    with database.read() as connection:
        ((live, attempt),) = live_jobs(connection, "host")
        held = {d.name: d.job_id for d in list_workers(connection, now=NOW)[0].devices}
        assert live_jobs(connection, "other host") == ()
    assert (live.id, attempt.number, attempt.devices) == (job.id, 1, ("cuda:0",))
    assert held == {"cpu0": None, "cuda:0": job.id}


def test_a_job_is_claimed_once(database: Database) -> None:
    job = add_one(database)

    with database.write() as connection:
        assert take(connection, job.id) is not None
        assert take(connection, job.id, worker_id="w2", devices=("cpu1",)) is None


def test_a_gpu_of_a_host_is_given_once_and_a_claim_without_it_takes_nothing(
    database: Database,
) -> None:
    one, two = add_one(database, 1), add_one(database, 2)

    with database.write() as connection:
        assert take(connection, one.id, devices=("cuda:0",)) is not None
        assert take(connection, two.id, worker_id="w2", devices=("cuda:1", "cuda:0")) is None
        assert get_job(connection, two.id) == two
        assert take(connection, two.id, worker_id="w2", devices=("cuda:1",)) is not None


def test_cpu_slots_belong_to_their_worker_and_gpus_of_another_host_are_others(
    database: Database,
) -> None:
    jobs = [add_one(database, number) for number in (1, 2, 3, 4)]

    with database.write() as connection:
        assert take(connection, jobs[0].id, devices=("cpu0",)) is not None
        assert take(connection, jobs[1].id, worker_id="w2", devices=("cpu0",)) is not None
        assert take(connection, jobs[2].id, devices=("cuda:0",)) is not None
        assert take(connection, jobs[3].id, devices=("cuda:0",), host="far") is not None


def test_an_attempt_runs_from_claim_to_success(database: Database) -> None:
    job = running_job(database)
    with database.write() as connection:
        done = finish_attempt(
            connection, job.id, 1, outcome="succeeded", exit_code=0, now=NOW + 100
        )
        attempt = get_attempt(connection, job.run_id, 1)
        events = list_events(connection, job_id=job.id)

    assert (job.state, job.started_at) == (JobState.RUNNING, NOW + 1)
    assert (attempt.pid, attempt.pid_start, attempt.log_path) == (5, 6, "log.txt")
    assert (attempt.outcome, attempt.exit_code, attempt.ended_at) == ("succeeded", 0, NOW + 100)
    assert (done.state, done.finished_at) == (JobState.SUCCEEDED, NOW + 100)
    assert (done.worker_id, done.lease_until) == (None, None)
    assert [(e.from_state, e.to_state) for e in events if e.kind == "job"] == [
        (None, "queued"),
        ("queued", "starting"),
        ("starting", "running"),
        ("running", "succeeded"),
    ]
    assert Query(database).run(job.run_id).state is JobState.SUCCEEDED


def test_a_lost_attempt_goes_back_to_the_queue_with_its_checkpoint(database: Database) -> None:
    from db.checkpoints import add_checkpoint

    job = running_job(database)
    with database.write() as connection:
        add_checkpoint(
            connection,
            Checkpoint(
                run_id=job.run_id,
                attempt=1,
                role="last",
                path="a1/checkpoints/last-40.pt",
                epoch=2,
                step=40,
                size=9,
                sha256="ab",
                created_at=NOW,
            ),
        )
        back = finish_attempt(
            connection,
            job.id,
            1,
            outcome="lost",
            failure_class=FailureClass.LOST,
            error="its process is gone",
            requeue=True,
            not_before=NOW + 10,
            now=NOW + 5,
        )
        again = take(connection, job.id, now=NOW + 10)

    assert (back.state, back.not_before) == (JobState.QUEUED, NOW + 10)
    assert back.reason == "its process is gone"
    assert again is not None
    assert (again.attempt, again.resume_from) == (2, "a1")


def test_a_lost_attempt_that_may_not_go_on_is_a_failure(database: Database) -> None:
    job = running_job(database)

    with database.write() as connection:
        done = finish_attempt(connection, job.id, 1, outcome="lost", error="gone", now=NOW)
        states = [e.to_state for e in list_events(connection, job_id=job.id) if e.kind == "job"]

    assert done.state is JobState.FAILED
    assert states[-2:] == ["lost", "failed"]


def test_a_paused_attempt_that_goes_back_to_the_queue_does_not_count(database: Database) -> None:
    job = running_job(database)

    with database.write() as connection:
        back = finish_attempt(
            connection, job.id, 1, outcome="paused", exit_code=130, requeue=True, now=NOW
        )

    assert (back.state, back.max_attempts) == (JobState.QUEUED, job.max_attempts + 1)


def test_a_stale_attempt_can_write_nothing(database: Database) -> None:
    job = running_job(database)
    with database.write() as connection:
        finish_attempt(connection, job.id, 1, outcome="lost", requeue=True, now=NOW)
        take(connection, job.id, worker_id="w2", now=NOW)

    for late in (
        lambda c: finish_attempt(c, job.id, 1, outcome="succeeded", now=NOW),
        lambda c: start_attempt(c, job.id, 1, pid=1, pid_start=1, log_path="", now=NOW),
        lambda c: change_state(
            c, job.id, JobState.STOPPING, attempt=1, why="", actor="w1", now=NOW
        ),
        lambda c: change_state(
            c, job.id, JobState.STOPPING, attempt=2, worker_id="w1", why="", actor="w1", now=NOW
        ),
    ):
        with pytest.raises(FencedError, match="write nothing more"), database.write() as c:
            late(c)
    with database.write() as connection:
        held = [(job.id, 1)]
        assert renew_leases(connection, "w1", held, lease_seconds=30, now=NOW) == ()
        assert get_job(connection, job.id).state is JobState.STARTING
        assert get_attempt(connection, job.run_id, 1).outcome == "lost"


def test_an_attempt_ends_once(database: Database) -> None:
    job = running_job(database)
    with database.write() as connection:
        finish_attempt(connection, job.id, 1, outcome="succeeded", now=NOW)

    with (
        pytest.raises(FencedError, match=r"Attempt 1 of job 1 is over: the job is succeeded"),
        database.write() as connection,
    ):
        finish_attempt(connection, job.id, 1, outcome="failed", now=NOW)


def test_a_live_job_is_moved_only_by_its_attempt(database: Database) -> None:
    job = running_job(database)

    with (
        pytest.raises(JobStateError, match=r"is running; only the worker .* queue cancel 1`"),
        database.write() as connection,
    ):
        change_state(connection, job.id, JobState.CANCELLED, why="", actor="ada", now=NOW)


def test_leases_are_renewed_and_run_out(database: Database) -> None:
    job = running_job(database)

    with database.write() as connection:
        assert expired(connection, now=NOW + 30) == ()
        assert [j.id for j, _ in expired(connection, now=NOW + 31)] == [job.id]
        renewed = renew_leases(
            connection, "w1", [(job.id, 1), (99, 1)], lease_seconds=30, now=NOW + 20
        )
        assert renewed == (job.id,)
        assert expired(connection, now=NOW + 31) == ()


def test_a_clock_set_forward_ends_no_lease_of_this_boot(database: Database) -> None:
    job = add_one(database)
    with database.write() as connection:
        take(connection, job.id, boot_time=100.0)
        tomorrow = NOW + 86_400

        assert len(expired(connection, now=tomorrow)) == 1
        assert expired(connection, now=tomorrow, boot_id="boot", boot_time=120.0) == ()
        assert len(expired(connection, now=NOW, boot_id="boot", boot_time=131.0)) == 1
        assert len(expired(connection, now=tomorrow, boot_id="next boot", boot_time=1.0)) == 1


def test_a_running_attempt_is_adopted_once(database: Database) -> None:
    job = running_job(database)

    with database.write() as connection:
        adopted = adopt(connection, job.id, 1, "w2", now=NOW + 50, **FROM_W1)
        attempt = get_attempt(connection, job.run_id, 1)
    with (
        pytest.raises(FencedError, match=r"can't be taken over at attempt 1 from `w1`"),
        database.write() as connection,
    ):
        adopt(connection, job.id, 1, "w3", now=NOW + 50, **FROM_W1)

    assert (adopted.state, adopted.worker_id) == (JobState.RUNNING, "w2")
    assert (adopted.lease_until, attempt.worker_id) == (NOW + 80, "w2")


def test_an_adopted_job_brings_its_cpu_slot_unless_the_worker_uses_it(database: Database) -> None:
    old, own = running_job(database, 1, "cpu0"), add_one(database, 2)
    with database.write() as connection:
        take(connection, own.id, worker_id="w2", devices=("cpu0",))
        adopt(connection, old.id, 1, "w2", now=NOW, **FROM_W1)
        finish_attempt(connection, own.id, 1, outcome="failed", now=NOW)
        third = add_jobs(connection, [new_job(3)], actor="ada", now=NOW)[0]
        assert take(connection, third.id, worker_id="w2", devices=("cpu0",)) is not None
        finish_attempt(connection, old.id, 1, outcome="succeeded", now=NOW)


def test_a_lost_job_whose_process_turns_up_again_runs_on(database: Database) -> None:
    job = running_job(database)
    with database.write() as connection:
        change_state(connection, job.id, JobState.LOST, attempt=1, why="", actor="w2", now=NOW)
        assert get_attempt(connection, job.run_id, 1).outcome == "lost"
        back = adopt(
            connection,
            job.id,
            1,
            "w2",
            previous=None,
            host="host",
            boot_id="boot",
            lease_seconds=30,
            now=NOW,
        )
        attempt = get_attempt(connection, job.run_id, 1)

    assert (back.state, back.worker_id, back.attempt) == (JobState.RUNNING, "w2", 1)
    assert (attempt.outcome, attempt.ended_at) == (None, None)


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
