"""Which waiting job goes on which free device: a pure function, no clock, no database."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from db.records import Device, Job


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """A job that can start now, and the devices it would hold."""

    job: Job
    devices: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Obstacle:
    """Why a job can't start on this worker now, in words."""

    job: Job
    why: str


def place(
    candidates: Sequence[Job], devices: Sequence[Device], taken: Collection[str]
) -> tuple[tuple[Placement, ...], tuple[Obstacle, ...]]:
    """Give free devices to jobs in the order given.

    A job that does not fit is passed over when it could never run here or waits for devices of
    another kind; behind a job that waits for several GPUs no later job takes one, so that it is
    never starved.

    Args:
        candidates: jobs that may start, best first.
        devices: all devices of this worker.
        taken: names of devices in use, by whomever.
    """
    free = {
        kind: [
            device.name for device in devices if device.kind == kind and device.name not in taken
        ]
        for kind in ("cpu", "gpu")
    }
    total = {kind: sum(device.kind == kind for device in devices) for kind in free}
    placements: list[Placement] = []
    obstacles: list[Obstacle] = []
    blocked: set[str] = set()
    for job in candidates:
        kind, wanted = needs(job)
        if wanted > total[kind]:
            obstacles.append(Obstacle(job=job, why=_never(kind, wanted, total[kind])))
        elif kind in blocked or wanted > len(free[kind]):
            blocked.add(kind)
            obstacles.append(Obstacle(job=job, why=_waits(kind)))
        else:
            placements.append(Placement(job=job, devices=tuple(free[kind][:wanted])))
            del free[kind][:wanted]
    return tuple(placements), tuple(obstacles)


def needs(job: Job) -> tuple[str, int]:
    """Return the kind of device a job needs and how many: a CPU slot, or whole GPUs."""
    return ("cpu", 1) if job.gpus <= 0 else ("gpu", max(1, round(job.gpus)))


def _never(kind: str, wanted: int, total: int) -> str:
    name = "CPU slots" if kind == "cpu" else "GPUs"
    return f"needs {wanted} {name}, but this worker has {total}"


def _waits(kind: str) -> str:
    return "waits for a CPU slot" if kind == "cpu" else "waits for a GPU"
