from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from db.engine import Database, open_database
from db.jobs import add_jobs, cancel, get_job, list_attempts
from db.query import open as open_query
from db.records import FailureClass, Job, JobState
from setgf.errors import DiskFullError
from setgf.home import Home
from setgf.runs.folder import AttemptFolder, RunFolder
from setgf.runs.reader import read_points
from setgf.worker.daemon import Worker, WorkerOptions
from setgf.worker.engines.local import LocalEngine, Order
from setgf.worker.shim import EXIT_LOCKED
from setgf.worker.supervision import read_process
from tests.worker.builders import a_new_job
from tests.worker.processes import wait_until
from tests.worker.stub_worker import COMMAND


@pytest.fixture
def database(home: Path) -> Iterator[Database]:
    opened = open_database(Home(home).database_url)
    yield opened
    opened.close()


def a_worker(home: Path, database: Database, *, slots: int = 2, **options) -> Worker:
    place = Home(home)
    worker = Worker(
        place,
        database,
        WorkerOptions(slots=slots, gpus=(), **options),
        engine=LocalEngine(place, grace_seconds=2, command=COMMAND),
    )
    worker.register(time.time())
    return worker


def add(database: Database, *new_jobs) -> list[Job]:
    with database.write() as connection:
        return list(add_jobs(connection, new_jobs, actor="me", now=time.time()))


def job(database: Database, job_id: int) -> Job:
    with database.read() as connection:
        return get_job(connection, job_id)


def turn_until(worker: Worker, condition) -> None:
    def turn() -> bool:
        worker.step(worker.clock())
        return condition()

    wait_until(turn, seconds=30)


def is_over(database: Database, job_id: int) -> bool:
    return job(database, job_id).state.is_finished


def test_a_job_goes_through_the_queue_and_its_points_reach_the_database(
    home: Path, database: Database
) -> None:
    (added,) = add(database, a_new_job("aaaaaaa1", "steps=10"))
    worker = a_worker(home, database)

    turn_until(worker, lambda: is_over(database, added.id))

    assert job(database, added.id).state is JobState.SUCCEEDED
    opened = open_query(Home(home).database_url)
    run = opened.run("aaaaaaa1")
    assert (run.state, run.epoch, run.step) == (JobState.SUCCEEDED, 2, 10)
    assert run.best_epoch == 1
    assert run.parameters == 7
    assert run.metrics["test.mae"] == run.metrics["valid.mae"] + 1
    stored = opened.points("aaaaaaa1", "train.loss")
    written = read_points(RunFolder(home / "runs" / "aaaaaaa1"), "train.loss")
    assert list(stored.values) == [point.value for point in written]
    assert stored.steps == tuple(range(1, 11))


def test_points_are_in_the_database_while_the_child_runs(home: Path, database: Database) -> None:
    (added,) = add(database, a_new_job("aaaaaaa1", "steps=100000", "pause=0.01"))
    worker = a_worker(home, database)
    opened = open_query(Home(home).database_url)

    def has_points() -> bool:
        return "train.loss" in opened.series("aaaaaaa1")

    turn_until(worker, lambda: job(database, added.id).state is JobState.RUNNING and has_points())

    with database.write() as connection:
        cancel(connection, [added.id], "me", time.time())
    turn_until(worker, lambda: is_over(database, added.id))
    assert job(database, added.id).state is JobState.CANCELLED


def test_a_failed_job_says_why_and_is_not_tried_again(home: Path, database: Database) -> None:
    (added,) = add(database, a_new_job("aaaaaaa1", "fail"))
    worker = a_worker(home, database)

    turn_until(worker, lambda: is_over(database, added.id))

    ended = job(database, added.id)
    assert (ended.state, ended.error, ended.attempt) == (JobState.FAILED, "The loss is NaN.", 1)
    with database.read() as connection:
        (attempt,) = list_attempts(connection, "aaaaaaa1")
    assert attempt.failure_class is FailureClass.DIVERGED
    assert attempt.exit_code == 1


def test_a_poison_job_stops_after_its_attempts_and_blocks_nobody(
    home: Path, database: Database
) -> None:
    poison, good = add(
        database, a_new_job("aaaaaaa1", "crash", max_attempts=2), a_new_job("aaaaaaa2", "steps=5")
    )
    worker = a_worker(home, database, slots=1)

    turn_until(worker, lambda: is_over(database, poison.id) and is_over(database, good.id))

    ended = job(database, poison.id)
    assert (ended.state, ended.attempt) == (JobState.FAILED, 2)
    assert "SIGSEGV" in str(ended.error)
    assert job(database, good.id).state is JobState.SUCCEEDED


def test_a_full_disk_costs_no_job_an_attempt(home: Path, database: Database, monkeypatch) -> None:
    added = add(database, *(a_new_job(f"aaaaaaa{i}", "steps=5", max_attempts=1) for i in range(3)))
    worker = a_worker(home, database, slots=1)
    begin = RunFolder.begin_attempt
    found_full: list[str] = []

    def find_full(folder: RunFolder, number: int) -> AttemptFolder:
        found_full.append(folder.id)
        raise DiskFullError("The disk is full: nothing can be written.")

    monkeypatch.setattr(RunFolder, "begin_attempt", find_full)
    turn_until(worker, lambda: found_full)
    for _ in range(9):
        worker.step(worker.clock() + 1)
    waiting = [job(database, one.id) for one in added]
    monkeypatch.setattr(RunFolder, "begin_attempt", begin)
    worker.keeper.rests_until = 0.0
    turn_until(worker, lambda: all(is_over(database, one.id) for one in added))

    assert found_full == ["aaaaaaa0"]
    assert [one.state for one in waiting] == [JobState.QUEUED] * 3
    assert "The disk is full" in str(waiting[0].error)
    assert [job(database, one.id).state for one in added] == [JobState.SUCCEEDED] * 3


def test_a_child_that_had_finished_when_its_shim_was_killed_is_not_run_again(
    home: Path, database: Database
) -> None:
    (added,) = add(database, a_new_job("aaaaaaa1", "steps=100000", "pause=0.01"))
    worker = a_worker(home, database)
    attempt = RunFolder(home / "runs" / "aaaaaaa1").attempt_folder(1)
    turn_until(worker, lambda: attempt.points.exists() and attempt.points.stat().st_size)
    process = read_process(attempt)
    assert process is not None
    os.kill(process.child_pid, signal.SIGSTOP)
    end = {"best_epoch": 1, "best_valid": 0.5, "epochs": 1, "steps": 5, "metrics": {}}
    with attempt.events.open("a") as events:
        events.write(json.dumps({"at": 1.0, "kind": "finished", "weights_sha256": "0", **end}))
        events.write("\n")

    os.kill(process.shim_pid, signal.SIGKILL)

    turn_until(worker, lambda: is_over(database, added.id))
    ended = job(database, added.id)
    assert (ended.state, ended.attempt) == (JobState.SUCCEEDED, 1)


def test_a_child_that_will_not_stop_is_killed_and_its_job_cancelled(
    home: Path, database: Database
) -> None:
    (added,) = add(database, a_new_job("aaaaaaa1", "stubborn", "steps=100000", "pause=1"))
    worker = a_worker(home, database)
    log = home / "runs" / "aaaaaaa1" / "a1" / "log.txt"
    turn_until(worker, lambda: log.exists() and "started" in log.read_text())

    with database.write() as connection:
        cancel(connection, [added.id], "me", time.time())

    turn_until(worker, lambda: is_over(database, added.id))
    assert job(database, added.id).state is JobState.CANCELLED


def test_leaving_at_once_requeues_and_the_next_worker_goes_on_from_the_checkpoint(
    home: Path, database: Database
) -> None:
    (added,) = add(database, a_new_job("aaaaaaa1", "steps=60", "pause=0.02"))
    first = a_worker(home, database)
    turn_until(first, lambda: job(database, added.id).epoch >= 1)

    first.leave(now=True)
    turn_until(first, lambda: first.is_done)

    waiting = job(database, added.id)
    assert (waiting.state, waiting.attempt, waiting.max_attempts) == (JobState.QUEUED, 1, 4)
    second = a_worker(home, database)
    turn_until(second, lambda: is_over(database, added.id))
    opened = open_query(Home(home).database_url)
    points = opened.points("aaaaaaa1", "train.loss")
    assert points.steps == tuple(range(1, 61))
    log = (home / "runs" / "aaaaaaa1" / "a2" / "log.txt").read_text()
    assert "started at step 0" not in log


def test_a_worker_takes_no_more_jobs_than_it_has_slots(home: Path, database: Database) -> None:
    new = [a_new_job(f"aaaaaaa{n}", "steps=8", "pause=0.02") for n in range(5)]
    added = add(database, *new)
    worker = a_worker(home, database, slots=2)
    most = 0

    def all_over() -> bool:
        nonlocal most
        most = max(most, len(worker.keeper.held))
        return all(is_over(database, entry.id) for entry in added)

    turn_until(worker, all_over)
    assert most == 2


def test_two_workers_never_run_one_job_twice(home: Path, database: Database) -> None:
    added = add(database, *(a_new_job(f"aaaaaa{n:02}", "steps=5") for n in range(8)))
    first, second = a_worker(home, database, slots=1), a_worker(home, database, slots=1)

    def turn_both() -> bool:
        first.step(first.clock())
        return all(is_over(database, entry.id) for entry in added)

    turn_until(second, turn_both)

    assert {job(database, entry.id).attempt for entry in added} == {1}
    with database.read() as connection:
        workers = {list_attempts(connection, e.run_id)[0].worker_id for e in added}
    assert workers == {first.id, second.id}


def test_draining_ends_when_nothing_is_left_that_fits(home: Path, database: Database) -> None:
    good, wide = add(database, a_new_job("aaaaaaa1", "steps=5"), a_new_job("aaaaaaa2", gpus=1.0))
    worker = a_worker(home, database, drain=True)

    turn_until(worker, lambda: worker.is_done)

    assert job(database, good.id).state is JobState.SUCCEEDED
    assert job(database, wide.id).state is JobState.QUEUED


def test_a_run_folder_that_cannot_be_made_is_tried_again_and_then_failed(
    home: Path, database: Database
) -> None:
    (added,) = add(database, a_new_job("aaaaaaa1", max_attempts=1))
    (home / "runs").mkdir(exist_ok=True)
    (home / "runs" / "aaaaaaa1").write_text("in the way")
    worker = a_worker(home, database)

    turn_until(worker, lambda: is_over(database, added.id))

    ended = job(database, added.id)
    assert ended.state is JobState.FAILED
    assert "aaaaaaa1 can't be read or written" in str(ended.error)


class BrokenEngine:
    """Its shims end at once."""

    def __init__(self, code: int) -> None:
        self.code = code
        self.started: list[int] = []

    def start(self, order: Order) -> int:
        self.started.append(order.attempt.number)
        return len(self.started)

    def reap(self) -> dict[int, int]:
        return dict.fromkeys(range(1, len(self.started) + 1), self.code)


def a_broken_worker(home: Path, database: Database, code: int) -> Worker:
    options = WorkerOptions(slots=1, gpus=(), back_off_seconds=0)
    worker = Worker(Home(home), database, options, engine=BrokenEngine(code))
    worker.register(time.time())
    return worker


def test_a_shim_that_fails_by_itself_uses_up_attempts(home: Path, database: Database) -> None:
    (added,) = add(database, a_new_job("aaaaaaa1", max_attempts=3))
    worker = a_broken_worker(home, database, 1)

    turn_until(worker, lambda: is_over(database, added.id))

    ended = job(database, added.id)
    assert (ended.state, ended.attempt) == (JobState.FAILED, 3)
    assert "ended with code 1 before the child" in str(ended.error)


def test_a_shim_that_found_the_run_locked_uses_up_no_attempt(
    home: Path, database: Database
) -> None:
    (added,) = add(database, a_new_job("aaaaaaa1", max_attempts=1))
    worker = a_broken_worker(home, database, EXIT_LOCKED)

    turn_until(worker, lambda: job(database, added.id).attempt >= 4)

    waiting = job(database, added.id)
    assert not waiting.state.is_finished
    assert waiting.max_attempts >= 4


def test_a_job_cancelled_before_its_child_was_there_is_cancelled(
    home: Path, database: Database
) -> None:
    (added,) = add(database, a_new_job("aaaaaaa1"))
    worker = a_broken_worker(home, database, EXIT_LOCKED)
    engine = worker.keeper.engine
    assert isinstance(engine, BrokenEngine)
    engine.reap = dict  # the shim has not said anything yet
    turn_until(worker, lambda: job(database, added.id).state is JobState.STARTING)

    with database.write() as connection:
        cancel(connection, [added.id], "me", time.time())
    turn_until(worker, lambda: job(database, added.id).state is JobState.STOPPING)
    engine.reap = lambda: {1: EXIT_LOCKED}

    turn_until(worker, lambda: is_over(database, added.id))
    assert job(database, added.id).state is JobState.CANCELLED
