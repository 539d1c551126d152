"""Attempts of other machines whose lease is over: their folders say how they ended."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from db.commands import pending_commands
from db.engine import Database, open_database
from db.jobs import add_jobs, cancel, get_job, list_attempts
from db.query import Query
from db.records import FailureClass, Job, JobState
from setgf.home import Home
from setgf.runs.folder import AttemptFolder, RunFolder
from setgf.runs.recorder import FolderRecorder
from setgf.worker.daemon import Worker, WorkerOptions
from tests.worker.builders import a_new_job
from tests.worker.test_claiming import NeverEnds, turn_until

RUN = "aaaaaaa1"
FINISHED = {"best_epoch": 1, "best_valid": 0.5, "epochs": 1, "steps": 2, "weights_sha256": "0"}


@pytest.fixture
def database(home: Path) -> Iterator[Database]:
    opened = open_database(Home(home).database_url)
    yield opened
    opened.close()


def a_worker(home: Path, database: Database) -> Worker:
    options = WorkerOptions(slots=1, gpus=(), back_off_seconds=0)
    worker = Worker(Home(home), database, options, engine=NeverEnds())
    worker.register(time.time())
    return worker


@pytest.fixture
def attempt(home: Path, database: Database) -> AttemptFolder:
    """The first attempt at job 1, on another machine that has vanished."""
    with database.write() as connection:
        add_jobs(connection, [a_new_job(RUN)], actor="me", now=time.time())
    worker = a_worker(home, database)
    turn_until(worker, lambda: worker.keeper.held)
    lose_machine(database)
    return RunFolder(home / "runs" / RUN).attempt_folder(1)


def lose_machine(database: Database) -> None:
    """Give the attempt to a machine whose lease is over."""
    with database.write() as connection:
        connection.exec_driver_sql("UPDATE attempts SET host = 'alpha', boot_id = 'another'")
        connection.exec_driver_sql("UPDATE jobs SET lease_until = 1, lease_boot_id = 'another'")
        connection.exec_driver_sql("DELETE FROM workers")


def job(database: Database) -> Job:
    with database.read() as connection:
        return get_job(connection, 1)


def reap(home: Path, database: Database) -> Job:
    """Let a worker of this machine look once, before it claims anything; return the job then."""
    a_worker(home, database)._adopter.reap(time.time())
    return job(database)


def train(attempt: AttemptFolder, last: str, **more: Any) -> None:
    """Leave what a child does, with a last event."""
    recorder = FolderRecorder(attempt)
    recorder.event("started", resume_step=0)
    for step in (1, 2):
        recorder.log(step, {"train.loss": 1.0 / step})
    recorder.event(last, **more)
    recorder.close()


def test_what_had_finished_when_its_machine_vanished_has_succeeded(
    home: Path, database: Database, attempt: AttemptFolder
) -> None:
    train(attempt, "finished", metrics={"test.mae": 0.7}, **FINISHED)

    ended = reap(home, database)

    assert (ended.state, ended.attempt) == (JobState.SUCCEEDED, 1)
    query = Query(database)
    assert query.run(RUN).metrics == {"test.mae": 0.7}
    assert query.points(RUN, "train.loss").values == (1.0, 0.5)
    with database.read() as connection:
        (tried,) = list_attempts(connection, RUN)
    assert tried.outcome == "succeeded"


def test_what_was_said_to_have_failed_is_not_tried_again(
    home: Path, database: Database, attempt: AttemptFolder
) -> None:
    train(attempt, "failed", failure_class="diverged", message="The loss is NaN.")
    attempt.exit.write_text(json.dumps({"code": 1, "asked_to_stop": False, "ended_at": 2.0}))

    ended = reap(home, database)

    assert (ended.state, ended.error) == (JobState.FAILED, "The loss is NaN.")
    with database.read() as connection:
        (tried,) = list_attempts(connection, RUN)
    assert (tried.failure_class, tried.exit_code) == (FailureClass.DIVERGED, 1)


def test_what_said_nothing_is_lost_and_tried_again(
    home: Path, database: Database, attempt: AttemptFolder
) -> None:
    ended = reap(home, database)

    assert ended.state is JobState.QUEUED
    assert "The worker on alpha has not been heard of" in str(ended.error)
    with database.read() as connection:
        (tried,) = list_attempts(connection, RUN)
    assert (tried.outcome, tried.failure_class) == ("lost", FailureClass.LOST)


@pytest.mark.parametrize("is_heard", [True, False])
def test_what_was_to_be_cancelled_is_cancelled_and_not_tried_again(
    home: Path, database: Database, attempt: AttemptFolder, is_heard: bool
) -> None:
    with database.write() as connection:
        cancel(connection, [1], "me", time.time())
        if is_heard:
            connection.exec_driver_sql("UPDATE jobs SET state = 'stopping', aim = 'cancelled'")
            connection.exec_driver_sql("UPDATE commands SET handled_at = 1")

    assert reap(home, database).state is JobState.CANCELLED
    with database.read() as connection:
        assert pending_commands(connection, job_id=1) == ()


def test_a_folder_that_can_not_be_read_holds_nothing_up(
    home: Path, database: Database, attempt: AttemptFolder
) -> None:
    attempt.events.mkdir()

    assert reap(home, database).state is JobState.QUEUED


def test_a_lease_that_was_renewed_meanwhile_is_left_alone(
    home: Path, database: Database, attempt: AttemptFolder
) -> None:
    adopter = a_worker(home, database)._adopter
    look = adopter._expired

    def look_and_renew(*words: Any) -> Any:
        found = look(*words)
        adopter._expired = look
        with database.write() as connection:
            connection.exec_driver_sql("UPDATE jobs SET lease_until = 9e9")
        return found

    adopter._expired = look_and_renew  # type: ignore[method-assign]
    adopter.reap(time.time())

    assert job(database).state is JobState.STARTING
