"""Writer of `device_leases`: its unique key is what keeps two jobs off one device."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, delete, select, update

from db import upsert
from db.tables import device_leases

_SLOT_PREFIX = "cpu"
"""A CPU slot belongs to one worker; every other device is the host's."""


def take_devices(
    connection: Connection,
    devices: Sequence[str],
    *,
    host: str,
    worker_id: str,
    job_id: int,
    attempt: int,
    now: float,
) -> bool:
    """Take all the devices for an attempt; False when another job has one of them (take none then:
    the caller rolls back)."""
    for device in sorted(devices):  # in one order: two workers can't wait for each other
        taken = connection.execute(
            upsert.insert(connection, device_leases)
            .values(
                scope=_scope(device, host, worker_id),
                device=device,
                worker_id=worker_id,
                job_id=job_id,
                attempt=attempt,
                taken_at=now,
            )
            .on_conflict_do_nothing()
            .returning(device_leases.c.device)
        )
        if taken.first() is None:
            return False
    return True


def hand_over(connection: Connection, job_id: int, *, host: str, worker_id: str) -> None:
    """Give the devices of a job to the worker that has adopted it.

    A CPU slot keeps its old owner's scope when the new worker uses the slot of that name itself.
    """
    rows = connection.execute(
        select(device_leases.c.scope, device_leases.c.device).where(
            device_leases.c.job_id == job_id
        )
    ).all()
    for scope, device in rows:
        wanted = _scope(device, host, worker_id)
        taken = select(device_leases.c.job_id).where(
            device_leases.c.scope == wanted, device_leases.c.device == device
        )
        is_free = connection.execute(taken).first() is None
        connection.execute(
            update(device_leases)
            .where(device_leases.c.scope == scope, device_leases.c.device == device)
            .values(worker_id=worker_id, scope=wanted if is_free else scope)
        )


def free_devices(connection: Connection, job_id: int) -> None:
    """Give back every device a job holds."""
    connection.execute(delete(device_leases).where(device_leases.c.job_id == job_id))


def _scope(device: str, host: str, worker_id: str) -> str:
    return worker_id if device.startswith(_SLOT_PREFIX) else host
