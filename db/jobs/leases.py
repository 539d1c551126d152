"""Writer of `device_leases`: what is given out of a device never passes the whole of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, bindparam, delete, func, insert, select, text, update

from db.tables import device_leases

_ROUNDING = 1e-6
"""Three thirds of a device are the whole."""
_SLOT_PREFIX = "cpu"
"""A CPU slot belongs to one worker; every other device is the host's."""
# Made once: putting a statement together costs more than running it.
_LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended(:device, 0))")
_GIVEN = select(func.coalesce(func.sum(device_leases.c.share), 0.0)).where(
    device_leases.c.scope == bindparam("of_scope"),
    device_leases.c.device == bindparam("of_device"),
)
_TAKE = insert(device_leases)
_FREE = delete(device_leases).where(device_leases.c.job_id == bindparam("of_job"))


def has_room(
    connection: Connection,
    devices: Sequence[str],
    *,
    host: str,
    worker_id: str,
    share: float = 1.0,
) -> bool:
    """Return True when each of the devices has `share` left; nobody takes it until we commit.

    Parts are added up inside the write transaction, which SQLite gives to one process at a time; on
    PostgreSQL a lock on the device does the same.
    """
    for device in sorted(devices):  # in one order: two workers can't wait for each other
        scope = _scope(device, host, worker_id)
        if connection.dialect.name == "postgresql":
            connection.execute(_LOCK, {"device": f"{scope} {device}"})
        which = {"of_scope": scope, "of_device": device}
        if connection.execute(_GIVEN, which).scalar_one() + share > 1.0 + _ROUNDING:
            return False
    return True


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
) -> None:
    """Take `share` of each of the devices for an attempt, after `has_room` said yes."""
    rows = [
        {
            "scope": _scope(device, host, worker_id),
            "device": device,
            "worker_id": worker_id,
            "job_id": job_id,
            "share": share,
            "attempt": attempt,
            "taken_at": now,
        }
        for device in devices
    ]
    if rows:
        connection.execute(_TAKE, rows)


def device_shares(connection: Connection, host: str) -> Mapping[str, float]:
    """Return how much of the host's own devices (not CPU slots) is given out, by name."""
    query = (
        select(device_leases.c.device, func.sum(device_leases.c.share).label("share"))
        .where(device_leases.c.scope == host)
        .group_by(device_leases.c.device)
    )
    return {row.device: row.share for row in connection.execute(query)}


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
    connection.execute(_FREE, {"of_job": job_id})


def _scope(device: str, host: str, worker_id: str) -> str:
    return worker_id if device.startswith(_SLOT_PREFIX) else host
