"""Valid records of the run database; a test states only what matters to it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection

from db.engine import Database
from db.jobs import add_jobs, claim, start_attempt
from db.records import Attempt, Claim, Device, Job, NewJob, NewRun, NewWorker, Point
from db.runs import add_run
from db.workers import register_worker

NOW = 1_800_000_000.0


def new_job(number: int = 1, **changes: Any) -> NewJob:
    values: dict[str, Any] = {
        "run_id": f"run{number:05}",
        "name": f"job {number}",
        "config": {"optim": {"lr": 0.001}},
        "settings": {"optim.lr": 0.001, "model.name": "setgf"},
        "fingerprint": f"f{number}",
        "variant": "v1",
        "dataset": "mosi",
        "data_name": "mosi400",
        "model": "setgf",
        "seed": 1110 + number,
        "max_epochs": 3,
        "command": ("setgf", "queue", "add"),
    }
    return NewJob(**{**values, **changes})


def new_run(run_id: str = "run00001", **changes: Any) -> NewRun:
    values: dict[str, Any] = {
        "id": run_id,
        "job_id": None,
        "group_id": None,
        "name": f"run {run_id}",
        "config": {"optim": {"lr": 0.001}},
        "settings": {"optim.lr": 0.001, "model.name": "setgf"},
        "fingerprint": "f1",
        "variant": "v1",
        "dataset": "mosi",
        "data_name": "mosi400",
        "model": "setgf",
        "seed": 1111,
        "max_epochs": 3,
        "monitor": "mae",
        "tags": (),
        "command": ("setgf", "train"),
        "folder": f"/runs/{run_id}",
        "created_at": NOW,
    }
    return NewRun(**{**values, **changes})


def new_attempt(run_id: str = "run00001", **changes: Any) -> Attempt:
    """Return the first attempt of a run that no job made."""
    values: dict[str, Any] = {
        "job_id": None,
        "run_id": run_id,
        "number": 1,
        "worker_id": None,
        "host": "host",
        "boot_id": "boot",
        "pid": None,
        "pid_start": None,
        "devices": (),
        "started_at": NOW,
        "ended_at": None,
        "outcome": None,
        "exit_code": None,
        "failure_class": None,
        "error": None,
        "resume_step": 0,
        "log_path": "",
        "points_offset": 0,
        "events_offset": 0,
    }
    return Attempt(**{**values, **changes})


def new_device(worker_id: str, name: str, **changes: Any) -> Device:
    values: dict[str, Any] = {
        "worker_id": worker_id,
        "name": name,
        "kind": "cpu" if name.startswith("cpu") else "gpu",
        "model": "model of device",
        "memory_mib": 1000,
        "memory_used_mib": 10,
        "utilisation": 1.0,
        "job_id": None,
    }
    return Device(**{**values, **changes})


def new_worker(worker_id: str = "w1", devices: Sequence[str] = ("cpu0",)) -> NewWorker:
    return NewWorker(
        id=worker_id,
        host="host",
        boot_id="boot",
        pid=10,
        pid_start=20,
        version="0.1.0",
        devices=tuple(new_device(worker_id, name) for name in devices),
    )


def take(
    connection: Connection,
    job_id: int,
    *,
    worker_id: str = "w1",
    devices: Sequence[str] = ("cpu0",),
    now: float = NOW,
    **changes: Any,
) -> Claim | None:
    values: dict[str, Any] = {"host": "host", "boot_id": "boot", "lease_seconds": 30.0}
    return claim(
        connection, job_id, worker_id=worker_id, devices=devices, now=now, **{**values, **changes}
    )


def add_one(database: Database, number: int = 1, **changes: Any) -> Job:
    with database.write() as connection:
        return add_jobs(connection, [new_job(number, **changes)], actor="ada", now=NOW)[0]


def running_job(database: Database, number: int = 1, device: str = "cpu0") -> Job:
    """Add a job with its run, and bring it to running."""
    job = add_one(database, number)
    with database.write() as connection:
        register_worker(connection, new_worker("w1", ("cpu0", "cpu1", "cuda:0")), now=NOW)
        claimed = take(connection, job.id, devices=(device,))
        assert claimed is not None
        add_run(connection, new_run(job.run_id, job_id=job.id))
        return start_attempt(
            connection, job.id, claimed.attempt, pid=5, pid_start=6, log_path="log.txt", now=NOW + 1
        )


def points(values: Sequence[float], series: str = "train.loss", first: int = 1) -> list[Point]:
    return [
        Point(series=series, step=step, epoch=1 + step // 10, value=value, time=NOW + step)
        for step, value in enumerate(values, start=first)
    ]
