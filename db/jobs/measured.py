"""Writer of `memory_peaks`: the most memory that earlier attempts of a kind of work held."""

from __future__ import annotations

from sqlalchemy import Connection, case, select

from db import upsert
from db.tables import memory_peaks


def memory_peak(connection: Connection, key: str) -> int | None:
    """Return the most memory, in MiB, that attempts of this kind held; None before the first."""
    query = select(memory_peaks.c.mib).where(memory_peaks.c.key == key)
    return connection.execute(query).scalar()


def store_memory_peak(connection: Connection, key: str, mib: int, now: float) -> None:
    """Store the memory an attempt held; the most of all attempts counts."""
    made = upsert.insert(connection, memory_peaks).values(
        key=key, mib=mib, attempts=1, measured_at=now
    )
    most = case(
        (made.excluded.mib > memory_peaks.c.mib, made.excluded.mib), else_=memory_peaks.c.mib
    )
    connection.execute(
        made.on_conflict_do_update(
            index_elements=["key"],
            set_={"mib": most, "attempts": memory_peaks.c.attempts + 1, "measured_at": now},
        )
    )
