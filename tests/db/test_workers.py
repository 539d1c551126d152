"""Presence: workers, devices, samples, commands and events."""

from __future__ import annotations

import pytest

from db.commands import add_command, handle_command, pending_commands
from db.engine import Database
from db.errors import NotFoundError
from db.events import add_event
from db.query import Query
from db.records import Sample, Verb
from db.workers import (
    add_samples,
    forget_samples,
    heartbeat,
    register_worker,
    stop_worker,
)
from tests.db.builders import NOW, add_one, new_worker, running_job


def register(database: Database, worker_id: str = "w1", *, now: float = NOW) -> None:
    with database.write() as connection:
        register_worker(connection, new_worker(worker_id, ("cpu0", "cuda:0")), now=now)


def test_a_worker_is_alive_then_stale_then_stopped(database: Database) -> None:
    register(database)
    query = Query(database)
    assert query.workers(now=NOW + 29)[0].state == "alive"
    assert query.workers(now=NOW + 31)[0].state == "stale"

    with database.write() as connection:
        heartbeat(connection, "w1", now=NOW + 40)
    assert query.workers(now=NOW + 60)[0].state == "alive"

    with database.write() as connection:
        stop_worker(connection, "w1", now=NOW + 70, why="drained")
    assert query.workers(now=NOW + 999)[0].state == "stopped"
    assert [e.why for e in query.events()] == ["w1 started", "w1 stopped: drained"]


def test_a_worker_that_comes_back_begins_anew_with_its_devices(database: Database) -> None:
    register(database)
    register(database, "w2", now=NOW + 5)
    with database.write() as connection:
        register_worker(connection, new_worker("w1", ("cpu0",)), now=NOW + 9)

    workers = Query(database).workers(now=NOW + 9)
    assert [(one.id, one.started_at) for one in workers] == [("w1", NOW + 9), ("w2", NOW + 5)]
    assert [device.name for device in workers[0].devices] == ["cpu0"]


def test_devices_list_gpus_first_with_the_job_that_holds_them(database: Database) -> None:
    job = running_job(database, device="cuda:0")

    devices = Query(database).workers(now=NOW)[0].devices
    assert [(d.name, d.kind, d.job_id) for d in devices] == [
        ("cuda:0", "gpu", job.id),
        ("cpu0", "cpu", None),
        ("cpu1", "cpu", None),
    ]


def test_samples_are_kept_in_order_and_the_newest_stands_on_the_device(database: Database) -> None:
    register(database)
    new = [
        Sample(worker_id="w1", device="cuda:0", at=NOW + at, utilisation=at, memory_used_mib=100.0)
        for at in (1.0, 2.0, 3.0)
    ]
    with database.write(durable=False) as connection:
        add_samples(connection, new)
        add_samples(connection, new[2:])
    query = Query(database)

    assert query.samples("w1", "cuda:0") == tuple(new)
    assert query.samples("w1", "cuda:0", since=NOW + 2) == (new[2],)
    gpu = query.workers(now=NOW)[0].devices[0]
    assert (gpu.utilisation, gpu.memory_used_mib) == (3.0, 100)

    with database.write() as connection:
        forget_samples(connection, before=NOW + 2)
    assert query.samples("w1", "cuda:0") == tuple(new[1:])


def test_a_heartbeat_of_an_unknown_worker_is_refused(database: Database) -> None:
    with (
        pytest.raises(NotFoundError, match="There is no worker `w9`"),
        database.write() as connection,
    ):
        heartbeat(connection, "w9", now=NOW)


def test_a_worker_sees_commands_for_itself_and_for_the_jobs_it_holds(database: Database) -> None:
    held, waiting = running_job(database, 1), add_one(database, 2)
    with database.write() as connection:
        mine = add_command(connection, Verb.CANCEL, job_id=held.id, actor="ada", now=NOW)
        add_command(connection, Verb.CANCEL, job_id=waiting.id, actor="ada", now=NOW)
        stop = add_command(
            connection,
            Verb.STOP_WORKER,
            worker_id="w1",
            arguments={"now": True},
            actor="ada",
            now=NOW,
        )
        add_command(connection, Verb.STOP_WORKER, worker_id="w2", actor="ada", now=NOW)
        found = pending_commands(connection, worker_id="w1")

    assert found == (mine, stop)
    assert stop.arguments == {"now": True}


def test_a_command_is_handled_once(database: Database) -> None:
    with database.write() as connection:
        command = add_command(connection, Verb.STOP_WORKER, worker_id="w1", actor="a", now=NOW)
        handle_command(connection, command.id, result="stopped", now=NOW)

    with (
        pytest.raises(NotFoundError, match=r"no command 1 that waits"),
        database.write() as connection,
    ):
        handle_command(connection, command.id, result="again", now=NOW)


def test_events_are_read_on_from_the_last_one_seen(database: Database) -> None:
    add_one(database, 1)
    seen = Query(database).events()[-1].id
    add_one(database, 2)
    with database.write() as connection:
        add_event(connection, "worker", now=NOW, why="hello", actor="w1")

    later = Query(database).events(since_id=seen)
    assert [event.why for event in later] == ["added", "hello"]
    assert [event.why for event in Query(database).events(limit=1)] == ["hello"]
    assert Query(database).events(job_id=2) == later[:1]
