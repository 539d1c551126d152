"""What a worker takes from the queue, without processes; and whom it lets go of."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from db.commands import add_command, pending_commands
from db.engine import Database, open_database
from db.jobs import add_jobs, get_job
from db.records import Job, JobState, Verb
from setgf.home import Home
from setgf.runs.folder import RunFolder
from setgf.worker.daemon import Worker, WorkerOptions
from setgf.worker.engines.local import LocalEngine
from setgf.worker.gpus import Nvml
from setgf.worker.processes import members, process_table
from setgf.worker.supervision import read_process
from tests.worker.builders import a_new_job
from tests.worker.engines import ExitsAtOnce
from tests.worker.processes import wait_until
from tests.worker.stub_worker import COMMAND
from tests.worker.test_machine import FakeLibrary


@pytest.fixture
def database(home: Path) -> Iterator[Database]:
    opened = open_database(Home(home).database_url)
    yield opened
    opened.close()


class TwoGpus(FakeLibrary):
    """Both are idle but for those named in `used`: MiB by index."""

    def __init__(self, used: dict[int, int] | None = None) -> None:
        self.used = used or {}

    def nvmlDeviceGetMemoryInfo(self, handle: int) -> SimpleNamespace:  # noqa: N802
        return SimpleNamespace(total=10 << 30, used=self.used.get(handle, 0) << 20)

    def nvmlDeviceGetComputeRunningProcesses(self, handle: int) -> list[Any]:  # noqa: N802
        mib = self.used.get(handle, 0)
        return [SimpleNamespace(pid=1, usedGpuMemory=mib << 20)] if mib else []


class NeverEnds(ExitsAtOnce):
    """Its attempts run for ever."""

    def start(self, order: Any) -> int:
        self.order.append(order.attempt.run.id)
        self.devices = {**getattr(self, "devices", {}), order.attempt.run.id: order.devices}
        return self.pid


def a_worker(home: Path, database: Database, engine: Any, **options: Any) -> Worker:
    nvml = options.pop("nvml", None)
    known: dict[str, Any] = {"slots": 1, "gpus": () if nvml is None else None, **options}
    worker = Worker(Home(home), database, WorkerOptions(**known), engine=engine, nvml=nvml)
    worker.register(time.time())
    return worker


def add(database: Database, *new: Any) -> tuple[Job, ...]:
    with database.write() as connection:
        return add_jobs(connection, new, actor="me", now=time.time())


def job(database: Database, job_id: int) -> Job:
    with database.read() as connection:
        return get_job(connection, job_id)


def turn_until(worker: Worker, condition: Any) -> None:
    def turn() -> object:
        worker.step(worker.clock())
        return condition()

    wait_until(turn, seconds=30)


def test_many_jobs_that_cannot_run_here_hide_none_that_can(home: Path, database: Database) -> None:
    add(database, *(a_new_job(f"gpu{n:05}", gpus=1.0) for n in range(40)))
    add(database, a_new_job("cpu00001"))
    engine = ExitsAtOnce()
    worker = a_worker(home, database, engine)

    turn_until(worker, lambda: job(database, 41).state is JobState.SUCCEEDED)

    assert engine.order == ["cpu00001"]


def test_jobs_share_a_gpu_by_their_parts_and_leave_one_whole(
    home: Path, database: Database
) -> None:
    parts = (0.5, 1.0, 0.5)
    add(database, *(a_new_job(f"aaaaaaa{n}", gpus=part) for n, part in enumerate(parts)))
    engine = NeverEnds()
    worker = a_worker(home, database, engine, nvml=Nvml(TwoGpus()))

    turn_until(worker, lambda: len(worker.keeper.held) == 3)

    assert [engine.devices[f"aaaaaaa{n}"] for n in range(3)] == [
        ("cuda:0",), ("cuda:1",), ("cuda:0",),
    ]  # fmt: skip


def test_a_second_worker_sees_the_parts_the_first_one_gave_out(
    home: Path, database: Database
) -> None:
    add(database, *(a_new_job(f"aaaaaaa{n}", gpus=0.5) for n in range(3)))
    first, second = (a_worker(home, database, NeverEnds(), nvml=Nvml(TwoGpus())) for _ in range(2))

    first._claimer.claim(time.time(), at_most=1)
    second._claimer.claim(time.time())

    (one,) = first.keeper.held.values()
    others = sorted(held.devices for held in second.keeper.held.values())
    assert one.devices == ("cuda:0",)
    assert others == [("cuda:0",), ("cuda:1",)]


def test_a_gpu_of_strangers_is_given_out_only_when_it_is_to_be_shared(
    home: Path, database: Database
) -> None:
    add(database, *(a_new_job(f"aaaaaaa{n}", gpus=1.0, memory_mib=3000) for n in range(3)))
    busy = Nvml(TwoGpus({0: 5000, 1: 9000}))
    careful = a_worker(home, database, NeverEnds(), nvml=busy)
    sharing = a_worker(home, database, NeverEnds(), nvml=busy, share_gpus=True)

    assert careful._claimer.claim(time.time()) == 0
    assert sharing._claimer.claim(time.time()) == 1

    (held,) = sharing.keeper.held.values()
    assert held.devices == ("cuda:0",)  # 5 GiB are really free there; half of it is then left


def test_a_cancel_that_came_too_late_for_the_attempt_still_cancels_the_job(
    home: Path, database: Database
) -> None:
    (added,) = add(database, a_new_job("aaaaaaa1", max_attempts=5))
    worker = a_worker(home, database, NeverEnds(), back_off_seconds=60.0)
    turn_until(worker, lambda: worker.keeper.held)
    with database.write() as connection:
        add_command(connection, Verb.CANCEL, actor="me", now=time.time(), job_id=added.id)
    (held,) = worker.keeper.held.values()
    held.shim_pid, held.shim_exit = 1, 1  # its shim has failed meanwhile

    worker.keeper.tend(time.time())

    assert job(database, added.id).state is JobState.CANCELLED
    with database.read() as connection:
        assert pending_commands(connection, job_id=added.id) == ()


def test_a_worker_that_starts_while_the_database_refuses_waits_for_it(
    home: Path, database: Database
) -> None:
    add(database, a_new_job("aaaaaaa1"))
    options = WorkerOptions(slots=1, gpus=())
    worker = Worker(Home(home), database, options, engine=ExitsAtOnce())
    with database.write() as connection:
        connection.exec_driver_sql("ALTER TABLE workers RENAME TO away")
    worker.step(time.time())
    with database.write() as connection:
        connection.exec_driver_sql("ALTER TABLE away RENAME TO workers")

    turn_until(worker, lambda: job(database, 1).state is JobState.SUCCEEDED)


def test_attempts_stand_still_while_nobody_knows_whether_they_are_still_ours(
    home: Path, database: Database
) -> None:
    add(database, a_new_job("aaaaaaa1", "steps=40", "pause=0.02"))
    worker = a_worker(home, database, LocalEngine(Home(home), command=COMMAND), lease_seconds=3.0)
    turn_until(worker, lambda: job(database, 1).state is JobState.RUNNING)
    attempt = RunFolder(home / "runs" / "aaaaaaa1").attempt_folder(1)
    record = read_process(attempt)
    assert record is not None

    def states() -> set[str]:
        return {process.state for process in members(process_table(), record)}

    worker.fence.until = 0.0
    worker.fence.look()
    assert "T" not in states()  # of an SQLite file all users are on this machine
    worker.keeper.database = SimpleNamespace(path=None)  # type: ignore[assignment]
    with worker.fence.watched():  # though the worker itself does nothing
        wait_until(lambda: states() == {"T"})

    worker.keeper.database = database
    worker._due.pop("beat", None)
    turn_until(worker, lambda: job(database, 1).state is JobState.SUCCEEDED)
    assert job(database, 1).attempt == 1


def test_an_attempt_of_this_boot_is_adopted_though_the_machine_has_a_new_name(
    home: Path, database: Database
) -> None:
    add(database, a_new_job("aaaaaaa1", "steps=40", "pause=0.02"))
    first = a_worker(home, database, LocalEngine(Home(home), command=COMMAND))
    turn_until(first, lambda: job(database, 1).state is JobState.RUNNING)
    with database.write() as connection:
        connection.exec_driver_sql("UPDATE attempts SET host = 'old-name'")
        connection.exec_driver_sql("DELETE FROM workers")
    second = a_worker(home, database, LocalEngine(Home(home), command=COMMAND))

    turn_until(second, lambda: job(database, 1).state is JobState.SUCCEEDED)

    assert job(database, 1).attempt == 1


def test_a_stopped_worker_gets_its_job_back_only_if_nobody_has_taken_it(
    home: Path, database: Database
) -> None:
    add(database, a_new_job("aaaaaaa1", "steps=100000", "pause=0.01"))
    engine = LocalEngine(Home(home), grace_seconds=1, command=COMMAND)
    first = a_worker(home, database, engine)
    turn_until(first, lambda: job(database, 1).state is JobState.RUNNING)
    (held,) = first.keeper.held.values()
    with database.write() as connection:
        connection.exec_driver_sql("DELETE FROM workers")
    second = a_worker(home, database, engine)
    turn_until(second, lambda: second.keeper.held)

    first._due.pop("beat", None)
    first.step(time.time())

    assert first.keeper.held == {}
    record = read_process(held.attempt)
    assert record is not None
    assert members(process_table(), record)  # another worker has it: it lives on
    os.kill(record.shim_pid, signal.SIGKILL)
    turn_until(second, lambda: job(database, 1).attempt == 2)
    second.leave(now=True)
    for entry in second.keeper.held.values():
        entry.job = replace(entry.job, max_attempts=0)
    turn_until(second, lambda: second.is_done)


def test_a_run_id_that_leads_out_of_the_home_is_never_started_and_blocks_nobody(
    home: Path, database: Database
) -> None:
    add(database, a_new_job("aaaaaaa1"), a_new_job("aaaaaaa2"))
    with database.write() as connection:
        connection.exec_driver_sql("UPDATE jobs SET run_id = '../../out' WHERE id = 1")
    engine = ExitsAtOnce()
    worker = a_worker(home, database, engine)

    turn_until(worker, lambda: job(database, 2).state is JobState.SUCCEEDED)

    assert engine.order == ["aaaaaaa2"]
    assert job(database, 1).state is JobState.QUEUED
