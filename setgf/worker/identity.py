"""Who a worker is: its name, its machine, this boot of it, and how long it keeps what it takes."""

from __future__ import annotations

import secrets
import socket
from dataclasses import dataclass

from setgf.worker.supervision import boot_id

LEASE_SECONDS = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What stands beside every job a worker takes."""

    worker_id: str
    host: str
    boot_id: str
    lease_seconds: float = LEASE_SECONDS


def new_identity(lease_seconds: float) -> Identity:
    """Return a fresh identity on this machine."""
    host = socket.gethostname()
    return Identity(
        worker_id=f"{host}-{secrets.token_hex(2)}",
        host=host,
        boot_id=boot_id(),
        lease_seconds=lease_seconds,
    )
