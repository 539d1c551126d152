"""Writer of `device_leases`: what is given out of a device never passes the whole of it."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, delete, func, insert, select, text, update

from db.tables import device_leases

_ROUNDING = 1e-6
"""Three thirds of a device are the whole."""
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
    share: float = 1.0,
) -> bool:
    """Take `share` of each of the devices for an attempt; False when one has not so much left.

    Then the caller rolls back what was taken. Parts are added up inside the write transaction,
    which SQLite gives to one process at a time; on PostgreSQL a lock on the device does the same.
    """
    for device in sorted(devices):  # in one order: two workers can't wait for each other
        scope = _scope(device, host, worker_id)
        if connection.dialect.name == "postgresql":
            lock = text("SELECT pg_advisory_xact_lock(hashtextextended(:device, 0))")
            connection.execute(lock, {"device": f"{scope} {device}"})
        given = select(func.coalesce(func.sum(device_leases.c.share), 0.0)).where(
            device_leases.c.scope == scope, device_leases.c.device == device
        )
        if connection.execute(given).scalar_one() + share > 1.0 + _ROUNDING:
            return False
        connection.execute(
            insert(device_leases).values(
                scope=scope,
                device=device,
                worker_id=worker_id,
                job_id=job_id,
                share=share,
                attempt=attempt,
                taken_at=now,
            )
        )
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
            .where(
                device_leases.c.scope == scope,
                device_leases.c.device == device,
                device_leases.c.job_id == job_id,
            )
            .values(worker_id=worker_id, scope=wanted if is_free else scope)
        )


def free_devices(connection: Connection, job_id: int) -> None:
    """Give back every device a job holds."""
    connection.execute(delete(device_leases).where(device_leases.c.job_id == job_id))


def _scope(device: str, host: str, worker_id: str) -> str:
    return worker_id if device.startswith(_SLOT_PREFIX) else host
