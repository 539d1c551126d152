"""Workers, their devices and how much those are used."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A GPU or a CPU slot of a worker."""

    worker_id: str
    name: str
    """`cpu0`, `cuda:0`."""
    kind: str
    """`cpu` or `gpu`."""
    model: str
    memory_mib: int
    memory_used_mib: int
    utilisation: float
    """Percent."""
    job_id: int | None
    """Job that holds it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """A process that claims jobs on one machine."""

    id: str
    host: str
    boot_id: str
    pid: int
    pid_start: int
    version: str
    state: str
    """`alive`, `stale` (no heartbeat) or `stopped`."""
    started_at: float
    heartbeat_at: float
    devices: tuple[Device, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NewWorker:
    """A worker that registers."""

    id: str
    host: str
    boot_id: str
    pid: int
    pid_start: int
    version: str
    devices: tuple[Device, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """Use of a device at a moment."""

    worker_id: str
    device: str
    at: float
    utilisation: float
    memory_used_mib: float
