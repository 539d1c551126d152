"""Which clock decides over leases: the server's, where hosts share one."""

from __future__ import annotations

from sqlalchemy import Connection

from db import postgres


def lease_clock(connection: Connection, now: float) -> float:
    """Return `now` by the clock that all who share this database go by.

    SQLite is one host's. On PostgreSQL it is the server's clock: the clocks of two hosts are never
    compared with each other.
    """
    if connection.dialect.name == "sqlite":
        return now
    return now + postgres.clock_skew(connection)
