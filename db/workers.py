"""Writer of `workers`, `devices` and `samples`: who is there, and how much it is used."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, and_, delete, insert, select, update

from db import upsert
from db.errors import NotFoundError
from db.events import add_event
from db.records import Device, NewWorker, Sample, Worker
from db.tables import device_leases, devices, samples, workers

STALE_SECONDS = 30.0
"""Without a heartbeat for this long a worker counts as stale."""


def register_worker(connection: Connection, worker: NewWorker, *, now: float) -> None:
    """Store a worker that starts, with its devices; the same id again begins anew."""
    values = {
        "host": worker.host,
        "boot_id": worker.boot_id,
        "pid": worker.pid,
        "pid_start": worker.pid_start,
        "version": worker.version,
        "state": "alive",
        "started_at": now,
        "heartbeat_at": now,
    }
    connection.execute(
        upsert.insert(connection, workers)
        .values(id=worker.id, **values)
        .on_conflict_do_update(index_elements=[workers.c.id], set_=values)
    )
    connection.execute(delete(devices).where(devices.c.worker_id == worker.id))
    for device in worker.devices:
        connection.execute(
            insert(devices).values(
                worker_id=worker.id,
                name=device.name,
                kind=device.kind,
                model=device.model,
                memory_mib=device.memory_mib,
                memory_used_mib=device.memory_used_mib,
                utilisation=device.utilisation,
            )
        )
    add_event(connection, "worker", now=now, why=f"{worker.id} started", actor=worker.id)


def heartbeat(connection: Connection, worker_id: str, *, now: float) -> None:
    """Store that a worker is alive.

    Raises:
        NotFoundError: the worker is not registered.
    """
    changed = connection.execute(
        update(workers).where(workers.c.id == worker_id).values(heartbeat_at=now, state="alive")
    )
    if changed.rowcount != 1:
        raise NotFoundError(f"There is no worker `{worker_id}` in the database.")


def stop_worker(connection: Connection, worker_id: str, *, now: float, why: str = "") -> None:
    """Store that a worker has ended."""
    connection.execute(
        update(workers).where(workers.c.id == worker_id).values(state="stopped", heartbeat_at=now)
    )
    words = f"{worker_id} stopped" + (f": {why}" if why else "")
    add_event(connection, "worker", now=now, why=words, actor=worker_id)


def add_samples(connection: Connection, new: Sequence[Sample]) -> None:
    """Store how much devices are used; the newest also stands on the device."""
    for sample in new:
        connection.execute(
            upsert.insert(connection, samples)
            .values(
                worker_id=sample.worker_id,
                device=sample.device,
                at=sample.at,
                utilisation=sample.utilisation,
                memory_used_mib=sample.memory_used_mib,
            )
            .on_conflict_do_nothing()
        )
        connection.execute(
            update(devices)
            .where(devices.c.worker_id == sample.worker_id, devices.c.name == sample.device)
            .values(utilisation=sample.utilisation, memory_used_mib=int(sample.memory_used_mib))
        )


def forget_samples(connection: Connection, *, before: float) -> None:
    """Remove the samples older than a moment."""
    connection.execute(delete(samples).where(samples.c.at < before))


def list_samples(
    connection: Connection, worker_id: str, device: str, *, since: float = 0.0
) -> tuple[Sample, ...]:
    """Return the use of a device after a moment, oldest first."""
    query = select(*samples.c).where(
        samples.c.worker_id == worker_id, samples.c.device == device, samples.c.at > since
    )
    return tuple(
        Sample(
            worker_id=row.worker_id,
            device=row.device,
            at=row.at,
            utilisation=row.utilisation,
            memory_used_mib=row.memory_used_mib,
        )
        for row in connection.execute(query.order_by(samples.c.at))
    )


def list_workers(
    connection: Connection, *, now: float, stale_seconds: float = STALE_SECONDS
) -> tuple[Worker, ...]:
    """Return the workers with their devices, newest first."""
    held = _devices(connection)
    rows = connection.execute(select(*workers.c).order_by(workers.c.started_at.desc())).all()
    return tuple(
        Worker(
            id=row.id,
            host=row.host,
            boot_id=row.boot_id,
            pid=row.pid,
            pid_start=row.pid_start,
            version=row.version,
            state=_state(row.state, now - row.heartbeat_at, stale_seconds),
            started_at=row.started_at,
            heartbeat_at=row.heartbeat_at,
            devices=tuple(device for device in held if device.worker_id == row.id),
        )
        for row in rows
    )


def _state(stored: str, silence: float, stale_seconds: float) -> str:
    return "stale" if stored == "alive" and silence > stale_seconds else stored


def _devices(connection: Connection) -> tuple[Device, ...]:
    lease = and_(
        device_leases.c.worker_id == devices.c.worker_id, device_leases.c.device == devices.c.name
    )
    query = select(*devices.c, device_leases.c.job_id).select_from(
        devices.outerjoin(device_leases, lease)
    )
    return tuple(
        Device(
            worker_id=row.worker_id,
            name=row.name,
            kind=row.kind,
            model=row.model,
            memory_mib=row.memory_mib,
            memory_used_mib=row.memory_used_mib,
            utilisation=row.utilisation,
            job_id=row.job_id,
        )
        for row in connection.execute(query.order_by(devices.c.kind.desc(), devices.c.name))
    )
