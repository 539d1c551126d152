"""Everything that happened, written in the transaction that made it happen."""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, Named, Table, TypedColumns

from db.tables.base import metadata, one_of

KINDS = ("job", "run", "worker", "command")


class EventColumns(TypedColumns):
    """History, audit and incremental refresh. Keeps its ids when a run is deleted: no keys."""

    id = Column(Integer, primary_key=True, autoincrement=True)
    at: Named[float]
    kind: Named[str]
    job_id: Named[int | None]
    run_id: Named[str | None]
    attempt: Named[int | None]
    from_state: Named[str | None]
    to_state: Named[str | None]
    why: Named[str]
    actor: Named[str]


events = Table(
    "events",
    metadata,
    EventColumns,
    one_of("kind", KINDS),
    Index(None, "job_id"),
    Index(None, "run_id"),
    sqlite_autoincrement=True,
)
