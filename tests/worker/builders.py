"""Valid jobs and devices; a test states only what matters to it."""

from __future__ import annotations

from typing import Any

from db.records import Device, Job, JobState, NewJob
from setgf.config import ExperimentConfig, override


def a_job(job_id: int = 1, **changes: Any) -> Job:
    values: dict[str, Any] = {
        "id": job_id,
        "run_id": f"run{job_id:05d}",
        "group_id": None,
        "group_name": None,
        "name": f"job {job_id}",
        "state": JobState.QUEUED,
        "reason": "",
        "priority": 0,
        "position": float(job_id),
        "not_before": None,
        "attempt": 0,
        "max_attempts": 3,
        "config": {"train": {"monitor": "mae"}},
        "fingerprint": "f",
        "variant": "v",
        "dataset": "mosi",
        "data_name": "demo",
        "model": "setgf",
        "seed": 1111,
        "gpus": 0.0,
        "max_epochs": 3,
        "tags": (),
        "command": (),
        "created_at": 0.0,
        "started_at": None,
        "finished_at": None,
        "worker_id": None,
        "lease_until": None,
        "error": None,
    }
    return Job(**(values | changes))


def a_device(name: str) -> Device:
    kind = "cpu" if name.startswith("cpu") else "gpu"
    return Device(
        worker_id="w", name=name, kind=kind, model="", memory_mib=1, memory_used_mib=0,
        utilisation=0.0, job_id=None,
    )  # fmt: skip


def a_new_job(run_id: str, *plan: str, **changes: Any) -> NewJob:
    """A job for the stub child; `plan` says what it does."""
    config = override(ExperimentConfig(), {"data.name": "demo"})
    values: dict[str, Any] = {
        "run_id": run_id,
        "name": run_id,
        "config": config.to_dict(),
        "settings": config.flatten(),
        "fingerprint": config.fingerprint,
        "variant": config.variant,
        "dataset": "mosi",
        "data_name": "demo",
        "model": "setgf",
        "seed": 1111,
        "max_epochs": 9,
        "tags": plan,
    }
    return NewJob(**(values | changes))
