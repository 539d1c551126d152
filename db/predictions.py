"""Writer of `predictions`: the scores of a split's samples, at the best epoch."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, delete, insert, select

from db.records import Prediction
from db.rows import from_float, to_float
from db.tables import predictions


def store_predictions(
    connection: Connection, run_id: str, split: str, rows: Sequence[Prediction]
) -> None:
    """Store the predictions of a run on a split, in their order, in place of those it had."""
    connection.execute(
        delete(predictions).where(predictions.c.run_id == run_id, predictions.c.split == split)
    )
    values = [
        {
            "run_id": run_id,
            "split": split,
            "position": position,
            "sample_id": row.sample_id,
            "label": from_float(row.label),
            "fusion": from_float(row.fusion),
            "text": from_float(row.text),
            "audio": from_float(row.audio),
            "vision": from_float(row.vision),
        }
        for position, row in enumerate(rows)
    ]
    if values:
        connection.execute(insert(predictions), values)


def list_predictions(connection: Connection, run_id: str, split: str) -> tuple[Prediction, ...]:
    """Return the predictions of a run on a split, in order; a branch the model lacks is None."""
    query = select(*predictions.c).where(
        predictions.c.run_id == run_id, predictions.c.split == split
    )
    return tuple(
        Prediction(
            sample_id=row.sample_id,
            label=to_float(row.label),
            fusion=to_float(row.fusion),
            text=row.text,
            audio=row.audio,
            vision=row.vision,
        )
        for row in connection.execute(query.order_by(predictions.c.position))
    )
