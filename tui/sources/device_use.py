"""What a run needed of the machine: samples of its devices, and the peaks of its attempts."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, select

from db.query import Query
from db.records import Attempt, RunDetail
from db.tables import attempts as attempts_table
from db.tables import samples as samples_table
from tui.run_records import AttemptUse, DeviceUse

MAX_KEPT = 50

_Key = tuple[str, str, float]
"""Worker, device and start of an attempt."""


class DeviceUseSource:
    """Samples of devices while attempts held them; what was read before is not read again."""

    def __init__(self) -> None:
        self._kept: dict[_Key, NDArray[np.float64]] = {}

    def read(self, query: Query, attempts: Iterable[Attempt], now: float) -> tuple[DeviceUse, ...]:
        """Return the use of every device the attempts held, by name."""
        found: dict[str, list[NDArray[np.float64]]] = {}
        with query.database.read() as connection:
            for one in attempts:
                for device in one.devices if one.worker_id else ():
                    rows = self._rows(connection, one, device)
                    rows = rows[rows[:, 0] <= (one.ended_at or now)]
                    found.setdefault(device, []).append(rows)
        whole = {name: np.concatenate(parts) for name, parts in sorted(found.items())}
        return tuple(
            DeviceUse(name=name, times=rows[:, 0], utilisation=rows[:, 1], memory_mib=rows[:, 2])
            for name, rows in whole.items()
            if len(rows)
        )

    def _rows(self, connection: Connection, one: Attempt, device: str) -> NDArray[np.float64]:
        """Return (S, 3): moment, percent and MiB of all samples since the attempt began."""
        key = (one.worker_id or "", device, one.started_at)
        kept = self._kept.get(key, np.zeros((0, 3)))
        if len(kept) and one.ended_at is not None and kept[-1, 0] > one.ended_at:
            return kept
        table = samples_table.c
        since = float(kept[-1, 0]) if len(kept) else one.started_at
        rows = connection.execute(
            select(table.at, table.utilisation, table.memory_used_mib)
            .where(table.worker_id == key[0], table.device == device, table.at > since)
            .order_by(table.at)
        ).all()
        if rows:
            kept = np.concatenate([kept, np.asarray([tuple(row) for row in rows])])
            if len(self._kept) >= MAX_KEPT:
                self._kept.clear()
            self._kept[key] = kept
        return kept


def attempts_used(query: Query, detail: RunDetail) -> tuple[AttemptUse, ...]:
    """Return the attempts of a run with the most memory each has held."""
    table = attempts_table.c
    statement = select(table.number, table.peak_memory_mib, table.peak_gpu_mib)
    with query.database.read() as connection:
        rows = connection.execute(statement.where(table.run_id == detail.run.id)).all()
    peaks = {row.number: (row.peak_memory_mib, row.peak_gpu_mib) for row in rows}
    return tuple(
        AttemptUse(
            number=one.number,
            host=one.host,
            devices=one.devices,
            started_at=one.started_at,
            ended_at=one.ended_at,
            outcome=one.outcome,
            peak_memory_mib=peaks.get(one.number, (None, None))[0],
            peak_gpu_mib=peaks.get(one.number, (None, None))[1],
        )
        for one in detail.attempts
    )
