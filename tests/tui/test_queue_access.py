"""What the dashboard does to a real run database: the queue, new jobs, events and alerts."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import Connection, update

from db.commands import pending_commands
from db.engine import Database, open_database
from db.jobs import add_jobs, finish_attempt, start_attempt
from db.metrics import ingest
from db.records import FailureClass, Verb
from db.runs import add_run
from db.tables import runs
from db.workers import register_worker
from setgf.config import setting_names
from setgf.data.synthetic import synthesise
from setgf.home import Home
from setgf.worker.supervision import boot_id, start_ticks
from tests.db.builders import new_device, new_job, new_run, new_worker, points, take
from tui.database_gateway import DatabaseGateway
from tui.gateway import GatewayError, MissingError
from tui.job_records import AlertKind, JobChange, JobDraft
from tui.sources.heat import hot_gpus

NOW = 1_764_000_000.0
TINY = {"text.encoder": "tiny", "train.max_epochs": "2"}


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


@pytest.fixture
def database(home: Home) -> Iterator[Database]:
    """Three queued jobs of a group, and a fourth alone."""
    database = open_database(home.database_url)
    with database.write() as c:
        jobs = [new_job(n) for n in (1, 2, 3)]
        add_jobs(c, jobs, actor="ada", now=NOW, group_name="sweep")
        add_jobs(c, [new_job(4)], actor="ada", now=NOW)
    yield database
    database.close()


@pytest.fixture
def gateway(database: Database, home: Home, clock: Clock) -> Iterator[DatabaseGateway]:
    gateway = DatabaseGateway(home.database_url, home, clock=clock)
    yield gateway
    gateway.close()


def states(gateway: DatabaseGateway) -> dict[int, str]:
    return {line.job.id: line.job.state for line in gateway.read_queue().lines}


def order(gateway: DatabaseGateway) -> list[int]:
    jobs = [line.job for line in gateway.read_queue().lines]
    return [job.id for job in sorted(jobs, key=lambda job: (-job.priority, job.position))]


def worker_at(database: Database, now: float, **changes: Any) -> None:
    with database.write() as c:
        register_worker(c, replace(new_worker(), **changes), now=now)


def set_epoch(connection: Connection, run_id: str, epoch: int, *, best: int | None = None) -> None:
    values = {"epoch": epoch, "best_epoch": best, "best_valid": 0.9}
    connection.execute(update(runs).where(runs.c.id == run_id).values(values))


def run_job(database: Database, job_id: int, **ending: Any) -> None:
    """Let a worker take a job, run it, and end it if that is said."""
    with database.write() as c:
        claimed = take(c, job_id, now=NOW)
        assert claimed is not None
        job = claimed.job
        add_run(c, new_run(job.run_id, job_id=job.id, name=job.name, config=job.config))
        start_attempt(c, job.id, 1, pid=5, pid_start=6, log_path="log.txt", now=NOW + 1)
        if ending:
            finish_attempt(c, job.id, 1, now=NOW + 61, **ending)


# Every action has the effect of its command


def test_waiting_jobs_are_held_released_cancelled_retried_and_cleared(
    gateway: DatabaseGateway,
) -> None:
    assert gateway.change_jobs(JobChange.HOLD, [1, 2]) == "Held jobs 1, 2."
    assert gateway.change_jobs(JobChange.RELEASE, [1]) == "Released job 1."
    assert gateway.change_jobs(JobChange.CANCEL, [1]) == "Cancelled job 1."
    assert gateway.change_jobs(JobChange.RETRY, [1]) == "Queued job 1 again."
    assert gateway.change_jobs(JobChange.PAUSE, [3]) == "Paused job 3."
    assert states(gateway) == {1: "queued", 2: "held", 3: "held", 4: "queued"}
    assert gateway.change_jobs(JobChange.RESUME, [3]) == "Let job 3 go on."

    gateway.change_jobs(JobChange.CANCEL, [2])
    assert "Took job 2 off the list" in gateway.change_jobs(JobChange.CLEAR, [2])
    assert states(gateway) == {1: "queued", 3: "queued", 4: "queued"}
    assert gateway.read_queue().num_older == 1


def test_a_running_job_is_asked_and_its_worker_told(
    database: Database, gateway: DatabaseGateway
) -> None:
    worker_at(database, NOW)
    run_job(database, 1)
    assert "1 will stop in a moment" in gateway.change_jobs(JobChange.CANCEL, [1])
    assert "will write a checkpoint and pause" in gateway.change_jobs(JobChange.PAUSE, [1])
    gateway.change_jobs(JobChange.FREEZE, [1])
    gateway.change_jobs(JobChange.REQUEUE, [1])

    with database.read() as c:
        asked = [command.verb for command in pending_commands(c, job_id=1)]
    assert asked == [Verb.CANCEL, Verb.PAUSE, Verb.FREEZE, Verb.REQUEUE]


def test_a_finished_job_is_restarted_with_a_run_of_its_own(
    database: Database, gateway: DatabaseGateway
) -> None:
    worker_at(database, NOW)
    run_job(database, 1, outcome="succeeded")
    assert gateway.change_jobs(JobChange.RESTART, [1]) == "Queued job 5 from the beginning."
    assert states(gateway)[5] == "queued"
    assert gateway.clear_finished() == "Took job 1 off the list; the runs stay."
    assert gateway.clear_finished() == "No job is over."


def test_jobs_are_moved_step_by_step_and_to_the_front(gateway: DatabaseGateway) -> None:
    assert gateway.move_job(1, step=1) == "Job 1 waits behind job 2."
    assert order(gateway) == [2, 1, 3, 4]
    assert gateway.move_job(4, step=-1) == "Job 4 waits before job 3."
    assert gateway.move_job(3, first=True) == "Job 3 is the first that waits."
    assert order(gateway) == [3, 2, 1, 4]
    assert "first that waits already" in gateway.move_job(3, step=-1)

    assert gateway.set_priority([4], 5) == "Priority 5 for job 4."
    assert order(gateway) == [4, 3, 2, 1]
    with pytest.raises(GatewayError, match="1000000"):
        gateway.set_priority([4], 10**7)


def test_edits_are_read_as_the_command_line_reads_them(gateway: DatabaseGateway) -> None:
    gateway.edit_jobs([1, 2], {"time limit": "4h"})
    gateway.edit_jobs(
        [1],
        {
            "name": "better",
        },
    )
    gateway.edit_jobs([1], {"memory": "6G"})
    gateway.edit_jobs([1], {"retries": "5"})
    gateway.edit_jobs([1], {"not before": "in 2h"})
    gateway.edit_jobs([3], {"after": "1,2:any"})
    job = next(line.job for line in gateway.read_queue().lines if line.job.id == 1)
    assert (job.name, job.time_limit, job.memory_mib) == ("better", 14400.0, 6144)
    assert (job.max_attempts, job.not_before) == (6, NOW + 7200)
    third = next(line for line in gateway.read_queue().lines if line.job.id == 3)
    assert third.why == "waits for job 1 (queued), 2 (queued)"

    gateway.edit_jobs([1], {"time limit": "none"})
    assert gateway.read_queue().lines[0].job.time_limit is None


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"time limit": "long"}, "A duration must be"),
        ({"priority": "high"}, "A priority must be"),
        ({"retries": "-1"}, "Retries must be 0 to"),
        ({"gpus": "auto"}, "must be a number"),
        ({"name": "two\nlines"}, "one line of text"),
        ({"optim.lr": "fast"}, "must be a number"),
        ({"optim.speed": "1"}, "optim.speed"),
    ],
)
def test_an_edit_that_cannot_be_read_changes_nothing(
    gateway: DatabaseGateway, values: dict[str, str], words: str
) -> None:
    before = gateway.read_queue().lines
    with pytest.raises(GatewayError, match=words):
        gateway.edit_jobs([1], values)
    assert gateway.read_queue().lines == before


def test_groups_are_limited_paused_and_resumed(gateway: DatabaseGateway) -> None:
    assert [group.name for group in gateway.list_groups()] == ["sweep"]
    gateway.change_group("sweep", parallelism="2")
    gateway.change_group("sweep", paused=True)
    (group,) = gateway.list_groups()
    assert group.parallelism == 2 and group.paused_at == NOW
    assert gateway.read_queue().lines[0].why == "group `sweep` is paused"

    gateway.change_group("sweep", parallelism="none")
    gateway.change_group("sweep", paused=False)
    assert gateway.list_groups()[0].parallelism is None
    with pytest.raises(GatewayError, match="A limit must be 1 to"):
        gateway.change_group("sweep", parallelism="0")


def test_undo_takes_the_last_action_back_and_says_which(gateway: DatabaseGateway) -> None:
    gateway.change_jobs(JobChange.HOLD, [1])
    assert gateway.undo() == "Undone: hold job 1."
    assert states(gateway)[1] == "queued"
    with pytest.raises(GatewayError, match="nothing to the queue"):
        gateway.undo()


def test_read_only_refuses_every_action(database: Database, home: Home) -> None:
    del database
    reading = DatabaseGateway(home.database_url, home, read_only=True, clock=Clock())
    actions: list[Callable[[], str]] = [
        *(partial(reading.change_jobs, change, [1]) for change in JobChange),
        reading.clear_finished,
        partial(reading.move_job, 1, step=1),
        partial(reading.set_priority, [1], 2),
        partial(reading.edit_jobs, [1], {"priority": "3"}),
        partial(reading.change_group, "sweep", paused=True),
        reading.undo,
        reading.start_worker,
        partial(reading.add_jobs, JobDraft(values={"data": "demo"})),
    ]
    for action in actions:
        with pytest.raises(GatewayError, match="read-only"):
            action()
    assert set(states(reading).values()) == {"queued"}
    reading.close()


# What is expected


def test_waiting_jobs_have_a_time_to_start_once_similar_ones_have_run(
    database: Database, gateway: DatabaseGateway
) -> None:
    assert {line.why for line in gateway.read_queue().lines} == {"no worker is running"}

    worker_at(database, NOW)
    run_job(database, 1, outcome="succeeded", running_seconds=60.0)
    with database.write() as c:
        set_epoch(c, "run00001", 3)
    lines = {line.job.id: line for line in gateway.read_queue().lines}
    assert lines[2].starts_at == NOW and lines[3].starts_at == NOW + 60
    assert lines[4].ends_at == NOW + 180


# Workers


def test_a_worker_is_gone_after_two_heartbeats_or_when_its_process_ended(
    database: Database, gateway: DatabaseGateway, clock: Clock
) -> None:
    worker_at(database, NOW)
    assert gateway.list_workers()[0].state == "alive"
    clock.now = NOW + 19
    assert gateway.list_workers()[0].state == "alive"
    clock.now = NOW + 21
    assert gateway.list_workers()[0].state == "stale"

    clock.now = NOW
    here = {"host": socket.gethostname(), "boot_id": boot_id()}
    worker_at(database, NOW, pid=os.getpid(), pid_start=start_ticks(os.getpid()) or 0, **here)
    assert gateway.list_workers()[0].state == "alive"
    worker_at(database, NOW, pid=os.getpid(), pid_start=1, **here)
    assert gateway.list_workers()[0].state == "stale"
    assert [a.kind for a in gateway.watch(0).alerts] == [AlertKind.WORKER]


# New jobs


@pytest.fixture
def demo(home: Home) -> None:
    synthesise(home, "demo", num_samples=30, seed=0)


@pytest.mark.usefixtures("demo")
def test_a_form_becomes_the_jobs_of_the_command_line(gateway: DatabaseGateway) -> None:
    values = {"data": "demo", "seeds": "1-2", "grid": "optim.lr=1e-4,5e-4", "time limit": "4h"}
    draft = JobDraft(values={**values, **TINY})
    plan = gateway.plan_jobs(draft)
    assert plan.problems == {} and not plan.has_worker
    assert plan.jobs[0].name == "setgf demo lr=1e-4 1"
    assert gateway.add_jobs(draft) == "Queued jobs 5, 6, 7, 8."

    again = gateway.plan_jobs(draft)
    assert [job.same_as for job in again.jobs] == [f"job {n} (queued)" for n in (5, 6, 7, 8)]
    with pytest.raises(GatewayError, match="Nothing new to queue"):
        gateway.add_jobs(draft)
    assert gateway.add_jobs(replace(draft, again=True)) == "Queued jobs 9, 10, 11, 12."
    job = gateway.read_queue().lines[-1].job
    assert job.time_limit == 14400 and (job.group_name or "").startswith("setgf-demo-")
    assert gateway.undo().startswith("Undone: add")


@pytest.mark.usefixtures("demo")
def test_every_field_says_what_is_wrong_with_it(gateway: DatabaseGateway) -> None:
    wrong = {
        "data": "demo", "seeds": "many", "gpus": "half", "memory": "much", "time limit": "long",
        "priority": "high", "not before": "later", "after": "x", "retries": "-1",
        "optim.lr": "fast", "grid": "optim.speed=1",
    }  # fmt: skip
    assert set(gateway.plan_jobs(JobDraft(values=wrong)).problems) == set(wrong) - {"data"}

    for values, field in (
        ({}, "data"),
        ({"data": "demmo"}, "data"),
        ({"data": "demo", "model": "setgff"}, "model"),
        ({"data": "demo", "preset": "nosuch"}, "preset"),
        ({"data": "demo", "model.heads": "7"}, "model.heads"),
        ({"data": "demo", "text.encoder": "/nowhere"}, "text.encoder"),
    ):
        assert list(gateway.plan_jobs(JobDraft(values=values)).problems) == [field], values


@pytest.mark.usefixtures("demo")
def test_fields_have_the_defaults_of_the_data_set_and_all_settings(
    gateway: DatabaseGateway,
) -> None:
    fields = {field.name: field for field in gateway.plan_jobs(JobDraft()).fields}
    assert set(setting_names()) - set(fields) == {"data.name", "model.name", "seed"}
    assert fields["data"].choices == ("demo",)
    assert fields["train.max_epochs"].meaning and fields["labels.mode"].choices

    chosen = gateway.plan_jobs(JobDraft(values={"data": "demo"})).fields
    assert {field.name: field for field in chosen}["preset"].default == "mosi"


@pytest.mark.usefixtures("demo")
def test_the_first_jobs_make_the_database(home: Home) -> None:
    gateway = DatabaseGateway(home.database_url, home, clock=Clock())
    draft = JobDraft(values={"data": "demo", **TINY})
    with pytest.raises(MissingError):
        gateway.read_queue()
    assert len(gateway.plan_jobs(draft).jobs) == 1
    assert gateway.add_jobs(draft) == "Queued job 1."
    gateway.close()


@pytest.mark.usefixtures("demo")
def test_the_form_of_a_run_makes_the_same_experiment(gateway: DatabaseGateway) -> None:
    values = {"data": "demo", "seeds": "7", "optim.lr": "0.005", "tags": "base", **TINY}
    gateway.add_jobs(JobDraft(values=values))
    job = gateway.read_queue().lines[-1].job
    draft = gateway.draft_of(job.run_id)

    assert draft.values["optim.lr"] == "0.005" and draft.values["tags"] == "base"
    (planned,) = gateway.plan_jobs(draft).jobs
    assert planned.same_as == f"job {job.id} (queued)"
    with pytest.raises(GatewayError, match="nosuch"):
        gateway.draft_of("nosuch")


# Events and alerts


def test_ends_are_told_with_their_reasons(database: Database, gateway: DatabaseGateway) -> None:
    worker_at(database, NOW)
    run_job(database, 1, outcome="succeeded")
    run_job(database, 2, outcome="failed", error="Loss is NaN in epoch 2.",
            failure_class=FailureClass.DIVERGED)  # fmt: skip
    events = gateway.read_events(1000).lines
    assert events[0].event.to_state == "failed" and events[0].name == "job 2"
    assert len(gateway.read_events(3).lines) <= 3

    watched = gateway.watch(0)
    told = {alert.kind: alert for alert in watched.alerts}
    assert set(told) == {AlertKind.FINISHED, AlertKind.FAILED}
    assert told[AlertKind.FAILED].run_id == "run00002"
    assert told[AlertKind.FAILED].text.startswith("job 2 has failed: ")
    assert gateway.watch(watched.newest_event).alerts == ()


def test_a_live_run_with_nan_or_on_a_plateau_is_told(
    database: Database, gateway: DatabaseGateway
) -> None:
    worker_at(database, NOW)
    run_job(database, 1)
    with database.write() as c:
        ingest(c, "run00001", 1, points([1.0, float("nan")]), points_offset=1)
        set_epoch(c, "run00001", 9, best=3)
    told = {alert.kind: alert.text for alert in gateway.watch(10**6).alerts}

    assert told[AlertKind.NOT_FINITE] == "job 1 logs NaN or infinity: train.loss, 1 so far."
    assert "has not improved for 6 epochs" in told[AlertKind.PLATEAU]


def test_a_gpu_that_is_full_or_hot_is_told(database: Database, gateway: DatabaseGateway) -> None:
    full = new_device("w1", "cuda:0", memory_mib=1000, memory_used_mib=980)
    worker_at(database, NOW, devices=(full,))
    (alert,) = gateway.watch(0).alerts
    assert alert.kind is AlertKind.GPU and "almost out of memory" in alert.text

    class NvmlError(Exception):
        pass

    def library(degrees: int) -> Any:
        return SimpleNamespace(
            NVMLError=NvmlError,
            NVML_TEMPERATURE_GPU=0,
            NVML_TEMPERATURE_THRESHOLD_SLOWDOWN=1,
            nvmlDeviceGetCount=lambda: 1,
            nvmlDeviceGetHandleByIndex=lambda index: index,
            nvmlDeviceGetTemperature=lambda handle, kind: degrees,
            nvmlDeviceGetTemperatureThreshold=lambda handle, kind: 92,
        )

    assert hot_gpus(library(90)) == (("cuda:0", 90, 92),)
    assert hot_gpus(library(70)) == ()


# Trouble


def test_a_database_that_vanishes_is_said_and_found_when_it_is_back(
    database: Database, gateway: DatabaseGateway, home: Home
) -> None:
    assert len(gateway.read_queue().lines) == 4
    database.close()
    away = home.root / "away"
    away.mkdir()
    for path in home.root.glob("setgf.db*"):
        path.rename(away / path.name)
    with pytest.raises(GatewayError):
        gateway.version()
        gateway.read_queue()

    for path in away.glob("setgf.db*"):
        path.rename(home.root / path.name)
    assert len(gateway.read_queue().lines) == 4


def test_a_lock_of_another_process_holds_up_no_look(
    database: Database, gateway: DatabaseGateway
) -> None:
    with database.write() as c:
        add_jobs(c, [new_job(9)], actor="ada", now=NOW)  # not yet committed
        assert len(gateway.read_queue().lines) == 4
    assert len(gateway.read_queue().lines) == 5


def test_a_dead_server_is_named_without_its_password(home: Home) -> None:
    pytest.importorskip("psycopg")
    gateway = DatabaseGateway("postgresql+psycopg://ada:secret@127.0.0.1:9/runs", home)
    with pytest.raises(GatewayError) as caught:
        gateway.version()
    assert "secret" not in str(caught.value)
    assert "127.0.0.1" in str(caught.value)
