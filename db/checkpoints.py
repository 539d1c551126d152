"""Writer of `checkpoints` and `artifacts`: the files a run leaves."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, Table, delete, select

from db import upsert
from db.records import Artifact, Checkpoint
from db.tables import artifacts, checkpoints


def add_checkpoint(connection: Connection, checkpoint: Checkpoint) -> None:
    """Store a checkpoint; the same path again (a new best) replaces it."""
    values = {column.name: getattr(checkpoint, column.name) for column in checkpoints.c}
    _replace(connection, checkpoints, values)


def forget_checkpoints(
    connection: Connection, run_id: str, attempt: int, *, keep: Sequence[str]
) -> None:
    """Remove the checkpoints of an attempt whose files are gone: all but the paths in `keep`."""
    connection.execute(
        delete(checkpoints).where(
            checkpoints.c.run_id == run_id,
            checkpoints.c.attempt == attempt,
            checkpoints.c.path.not_in(list(keep)),
        )
    )


def list_checkpoints(connection: Connection, run_id: str) -> tuple[Checkpoint, ...]:
    """Return the checkpoints of a run by attempt and step."""
    query = select(*checkpoints.c).where(checkpoints.c.run_id == run_id)
    query = query.order_by(checkpoints.c.attempt, checkpoints.c.step, checkpoints.c.role)
    names = tuple(checkpoints.c.keys())
    return tuple(
        Checkpoint(**dict(zip(names, row, strict=True))) for row in connection.execute(query)
    )


def add_artifact(connection: Connection, artifact: Artifact) -> None:
    """Store a file of a run; the same path again replaces it."""
    values = {column.name: getattr(artifact, column.name) for column in artifacts.c}
    _replace(connection, artifacts, values)


def list_artifacts(connection: Connection, run_id: str) -> tuple[Artifact, ...]:
    """Return the other files of a run by attempt and path."""
    query = select(*artifacts.c).where(artifacts.c.run_id == run_id)
    query = query.order_by(artifacts.c.attempt, artifacts.c.path)
    names = tuple(artifacts.c.keys())
    return tuple(
        Artifact(**dict(zip(names, row, strict=True))) for row in connection.execute(query)
    )


def _replace(connection: Connection, table: Table, values: dict[str, object]) -> None:
    keys = [column.name for column in table.primary_key]
    changed = {name: value for name, value in values.items() if name not in keys}
    connection.execute(
        upsert.insert(connection, table)
        .values(values)
        .on_conflict_do_update(index_elements=keys, set_=changed)
    )
