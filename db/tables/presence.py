"""Who is there: workers, their devices, who holds which, and how much it is used."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, Integer, Named, String, Table, TypedColumns

from db.tables.base import WIDE, metadata, one_of


class WorkerColumns(TypedColumns):
    """A process that claims jobs; whether it is stale is read from its heartbeat."""

    id = Column(String, primary_key=True)
    host: Named[str]
    boot_id: Named[str]
    pid: Named[int]
    pid_start: Named[int] = Column(WIDE, nullable=False)
    version: Named[str]
    state: Named[str]
    started_at: Named[float]
    heartbeat_at: Named[float]


class DeviceColumns(TypedColumns):
    """A GPU or a CPU slot of a worker."""

    worker_id = Column(String, ForeignKey("workers.id", ondelete="CASCADE"), primary_key=True)
    name = Column(String, primary_key=True)
    kind: Named[str]
    model: Named[str]
    memory_mib: Named[int]
    memory_used_mib: Named[int]
    utilisation: Named[float]


class DeviceLeaseColumns(TypedColumns):
    """A device, or a part of one, given to an attempt; the parts given out never pass the whole."""

    scope = Column(String, primary_key=True)
    """Who can't have the device twice: the host for a GPU, the worker for a CPU slot."""
    device = Column(String, primary_key=True)
    worker_id: Named[str]
    job_id = Column(Integer, ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    share: Named[float] = Column(server_default="1", nullable=False)
    """Part of the device, 1 for the whole."""
    attempt: Named[int]
    taken_at: Named[float]


class SampleColumns(TypedColumns):
    """Use of a device at a moment."""

    worker_id = Column(String, ForeignKey("workers.id", ondelete="CASCADE"), primary_key=True)
    device = Column(String, primary_key=True)
    at: Named[float] = Column(primary_key=True)
    utilisation: Named[float]
    memory_used_mib: Named[float]


workers = Table("workers", metadata, WorkerColumns, one_of("state", ("alive", "stopped")))
devices = Table("devices", metadata, DeviceColumns, one_of("kind", ("cpu", "gpu")))
device_leases = Table("device_leases", metadata, DeviceLeaseColumns, Index(None, "job_id"))
samples = Table("samples", metadata, SampleColumns, sqlite_with_rowid=False)
