"""What users and limits do to living attempts, with real workers, shims and stub children."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, func, select

from db.engine import Database, open_database
from db.jobs import (
    add_jobs,
    cancel,
    freeze,
    get_job,
    hold,
    list_attempts,
    memory_peak,
    pause,
    requeue,
    resume,
    thaw,
)
from db.records import FailureClass, Job, JobState
from db.tables import points
from setgf.home import Home
from setgf.runs.folder import AttemptFolder, RunFolder
from setgf.runs.reader import read_events
from setgf.worker.daemon import Worker, WorkerOptions
from setgf.worker.engines.local import LocalEngine
from setgf.worker.held import Held
from setgf.worker.memory import memory_key
from setgf.worker.processes import members, process_table
from setgf.worker.supervision import read_process
from tests.worker.builders import a_new_job
from tests.worker.processes import wait_until
from tests.worker.stub_worker import COMMAND

RUN = "aaaaaaa1"


@pytest.fixture
def database(home: Path) -> Iterator[Database]:
    opened = open_database(Home(home).database_url)
    yield opened
    opened.close()


@pytest.fixture
def workers() -> Iterator[list[Worker]]:
    """Workers of the test; what they still hold is ended after it."""
    made: list[Worker] = []
    yield made
    for worker in made:
        for held in tuple(worker.keeper.held.values()):
            held.job = replace(held.job, attempt=0)
            _kill(held)


def _kill(held: Held) -> None:
    record = read_process(held.attempt)
    if record is not None:
        for process in members(process_table(), record):
            os.kill(process.pid, signal.SIGKILL)


@pytest.fixture
def start(home: Path, database: Database, workers: list[Worker]) -> Callable[..., Worker]:
    def make(place: Path = home, **options: object) -> Worker:
        known: dict[str, Any] = {"slots": 2, "gpus": (), "back_off_seconds": 0.0, **options}
        engine = LocalEngine(Home(place), grace_seconds=2, command=COMMAND)
        worker = Worker(Home(place), database, WorkerOptions(**known), engine=engine)
        worker.register(time.time())
        workers.append(worker)
        return worker

    return make


def add(database: Database, *plan: str, **changes: object) -> Job:
    with database.write() as connection:
        new = a_new_job(RUN, *plan, **changes)
        return add_jobs(connection, [new], actor="me", now=time.time())[0]


def job(database: Database, job_id: int = 1) -> Job:
    with database.read() as connection:
        return get_job(connection, job_id)


def ask(database: Database, what: Callable[..., object]) -> None:
    with database.write() as connection:
        what(connection, [1], "me", time.time())


def turn_until(worker: Worker, condition: Callable[[], object]) -> None:
    def turn() -> object:
        worker.step(worker.clock())
        return condition()

    wait_until(turn, seconds=30)


def attempt(home: Path, number: int = 1) -> AttemptFolder:
    return RunFolder(home / "runs" / RUN).attempt_folder(number)


def states(folder: AttemptFolder) -> set[str]:
    """Return the states of an attempt's processes, the shim left out."""
    record = read_process(folder)
    return set() if record is None else {p.state for p in members(process_table(), record)}


def num_steps(folder: AttemptFolder) -> int:
    return folder.points.stat().st_size


def test_a_paused_job_frees_its_slot_and_resumes_where_it_was(
    home: Path, database: Database, start: Callable[..., Worker]
) -> None:
    add(database, "steps=40", "pause=0.02")
    worker = start()
    turn_until(worker, lambda: job(database).epoch >= 1)

    ask(database, pause)
    turn_until(worker, lambda: job(database).state is JobState.PAUSED)

    paused = job(database)
    assert worker.keeper.taken_devices() == set()
    assert (paused.attempt, paused.error) == (1, None)
    assert attempt(home).has_checkpoint()
    ask(database, resume)
    turn_until(worker, lambda: job(database).state is JobState.SUCCEEDED)
    with database.read() as connection:
        first, second = list_attempts(connection, RUN)
        steps = connection.execute(select(points.c.step).order_by(points.c.step)).scalars().all()
    assert (first.outcome, second.outcome) == ("paused", "succeeded")
    assert second.resume_step > 0
    assert set(steps) == set(range(1, 41))


def test_a_requeued_job_goes_back_and_loses_no_attempt(
    database: Database, start: Callable[..., Worker]
) -> None:
    add(database, "steps=4000", "pause=0.02", max_attempts=1)
    worker = start()
    turn_until(worker, lambda: job(database).state is JobState.RUNNING)

    ask(database, requeue)
    turn_until(worker, lambda: job(database).attempt == 2)

    again = job(database)
    assert again.max_attempts == 2
    ask(database, cancel)
    turn_until(worker, lambda: job(database).state is JobState.CANCELLED)


def test_a_frozen_job_stands_still_survives_its_worker_and_goes_on(
    home: Path, database: Database, start: Callable[..., Worker], workers: list[Worker]
) -> None:
    add(database, "steps=60", "pause=0.01", "helper")
    first = start()
    folder = attempt(home)
    turn_until(first, lambda: job(database).state is JobState.RUNNING and folder.points.exists())

    ask(database, freeze)
    turn_until(first, lambda: job(database).frozen_at is not None)

    assert job(database).state is JobState.RUNNING
    wait_until(lambda: states(folder) == {"T"})  # loaders in sessions of their own, too
    before = num_steps(folder)
    first.leave(now=False)
    with database.write() as connection:
        first._presence.sign_off = lambda now: None
        connection.exec_driver_sql("DELETE FROM workers")
    workers.remove(first)
    second = start()
    turn_until(second, lambda: 1 in second.keeper.held)
    second.step(second.clock())
    assert states(folder) == {"T"}
    assert num_steps(folder) == before

    ask(database, thaw)
    turn_until(second, lambda: job(database).state is JobState.SUCCEEDED)
    with database.read() as connection:
        (ended,) = list_attempts(connection, RUN)
    assert ended.frozen_seconds > 0
    assert job(database).frozen_at is None


def test_a_frozen_job_that_is_cancelled_goes_on_first_and_writes_its_checkpoint(
    home: Path, database: Database, start: Callable[..., Worker]
) -> None:
    add(database, "steps=4000", "pause=0.01")
    worker = start()
    turn_until(worker, lambda: attempt(home).points.exists())
    turn_until(worker, lambda: job(database).state is JobState.RUNNING)
    ask(database, freeze)
    turn_until(worker, lambda: job(database).frozen_at is not None)

    ask(database, cancel)
    turn_until(worker, lambda: job(database).state is JobState.CANCELLED)

    assert attempt(home).has_checkpoint()
    assert "stopped" in {event["kind"] for event in read_events(attempt(home))}


def test_a_job_at_its_time_limit_keeps_its_checkpoint_and_goes_on_with_more_time(
    home: Path, database: Database, start: Callable[..., Worker]
) -> None:
    add(database, "steps=4000", "pause=0.01", time_limit=1.0)
    worker = start()

    turn_until(worker, lambda: job(database).state is JobState.FAILED)

    ended = job(database)
    assert "reached its time limit of 1 s at step" in str(ended.error)
    assert ended.running_seconds > 0.5
    assert attempt(home).has_checkpoint()
    with database.read() as connection:
        (first,) = list_attempts(connection, RUN)
    assert first.failure_class is FailureClass.TIME_LIMIT


def test_a_hung_child_is_ended_and_tried_again(
    home: Path, database: Database, start: Callable[..., Worker]
) -> None:
    add(database, "steps=20", "hang=1")
    worker = start(hung_after=1.0)

    turn_until(worker, lambda: job(database).state is JobState.SUCCEEDED)

    with database.read() as connection:
        first, second = list_attempts(connection, RUN)
    assert (first.failure_class, first.outcome) == (FailureClass.HUNG, "failed")
    assert "made no progress" in str(first.error)
    assert second.resume_step > 0


def test_out_of_memory_is_tried_again_alone_and_its_peak_is_remembered(
    database: Database, start: Callable[..., Worker]
) -> None:
    added = add(database, "steps=20", "oom=1", "pause=0.02")
    worker = start()

    turn_until(worker, lambda: job(database).state is JobState.SUCCEEDED)

    assert job(database).is_alone
    with database.read() as connection:
        first, second = list_attempts(connection, RUN)
        peak = memory_peak(connection, memory_key(added.config, "host"))
    assert first.failure_class is FailureClass.OUT_OF_MEMORY
    assert (second.peak_memory_mib or 0) > 0
    assert peak == max(a.peak_memory_mib or 0 for a in (first, second))


def test_out_of_memory_alone_fails_with_the_figure(
    database: Database, start: Callable[..., Worker]
) -> None:
    add(database, "steps=20", "oom=9", max_attempts=5)
    worker = start()

    turn_until(worker, lambda: job(database).state is JobState.FAILED)

    ended = job(database)
    assert ended.attempt == 2
    assert "MiB of the machine" in str(ended.error)
    assert "optim.batch_size" in str(ended.error)


def test_draining_does_not_wait_for_held_and_paused_jobs_nor_for_what_waits_for_them(
    database: Database, start: Callable[..., Worker]
) -> None:
    add(database, "steps=5")
    with database.write() as connection:
        (held,) = add_jobs(connection, [a_new_job("held0001")], actor="me", now=0)
        hold(connection, [held.id], "me", 0)
        waiting = a_new_job("waits001", after=(held.id,))
        add_jobs(connection, [waiting], actor="me", now=0)
    worker = start(drain=True)

    turn_until(worker, lambda: worker.is_done)

    assert job(database).state is JobState.SUCCEEDED
    assert (job(database, 2).state, job(database, 3).state) == (JobState.HELD, JobState.QUEUED)


def test_draining_waits_for_a_delayed_job(database: Database, start: Callable[..., Worker]) -> None:
    add(database, "steps=5", not_before=time.time() + 1)
    worker = start(drain=True)

    turn_until(worker, lambda: worker.is_done)

    assert job(database).state is JobState.SUCCEEDED


def num_points(connection: Connection) -> dict[int, int]:
    query = select(points.c.attempt, func.count()).group_by(points.c.attempt)
    return dict(connection.execute(query).all())


def test_a_child_stopped_past_its_lease_cannot_write_one_row_after_the_job_went_on_elsewhere(
    home: Path, tmp_path: Path, database: Database, start: Callable[..., Worker]
) -> None:
    add(database, "steps=100000", "pause=0.005")
    here = start(lease_seconds=2.0)
    turn_until(here, lambda: job(database).state is JobState.RUNNING and job(database).epoch >= 1)
    first = read_process(attempt(home))
    assert first is not None
    os.kill(first.child_pid, signal.SIGSTOP)
    with database.write() as connection:  # and nobody renews its lease any more
        connection.exec_driver_sql("UPDATE jobs SET lease_until = 1, lease_boot_until = 1")
        connection.exec_driver_sql("UPDATE attempts SET host = 'far', boot_id = 'far'")
        connection.exec_driver_sql("UPDATE jobs SET lease_boot_id = 'far'")
    elsewhere = start(tmp_path / "elsewhere", lease_seconds=2.0)

    turn_until(elsewhere, lambda: job(database).attempt == 2 and job(database).epoch >= 1)
    with database.read() as connection:
        before = num_points(connection)
    os.kill(first.child_pid, signal.SIGCONT)
    size = attempt(home).points.stat().st_size
    wait_until(lambda: attempt(home).points.stat().st_size > size + 1000)  # it is alive and writes
    turn_until(here, lambda: not here.keeper.held)

    with database.read() as connection:
        after = num_points(connection)
        stale, current = list_attempts(connection, RUN)
    assert after.get(1) == before.get(1)
    assert stale.outcome == "lost"
    assert current.outcome is None
    wait_until(lambda: states(attempt(home)) == set())  # the zombie was ended
    ask(database, cancel)
    turn_until(elsewhere, lambda: job(database).state is JobState.CANCELLED)
