"""Attempts: the claim, devices, the fence, leases, adoption."""

from __future__ import annotations

from typing import Any

import pytest

from db.engine import Database
from db.errors import FencedError, JobStateError
from db.events import list_events
from db.jobs import (
    add_jobs,
    adopt,
    change_state,
    expired,
    finish_attempt,
    get_attempt,
    get_job,
    live_jobs,
    renew_leases,
    start_attempt,
)
from db.query import Query
from db.records import Checkpoint, FailureClass, JobState
from db.workers import list_workers, register_worker
from tests.db.builders import NOW, add_one, new_job, new_worker, running_job, take

FROM_W1: dict[str, Any] = {
    "previous": "w1",
    "host": "host",
    "boot_id": "boot",
    "lease_seconds": 30.0,
}


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


def test_an_attempt_that_was_given_up_is_not_started(database: Database) -> None:
    job = add_one(database)
    with database.write() as connection:
        take(connection, job.id)
        change_state(
            connection, job.id, JobState.LOST, attempt=1, why="silent", actor="w2", now=NOW
        )

    with (
        pytest.raises(JobStateError, match="is lost; only a starting job can be started"),
        database.write() as connection,
    ):
        start_attempt(connection, job.id, 1, pid=1, pid_start=1, log_path="", now=NOW)


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
