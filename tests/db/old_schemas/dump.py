"""Writes a small run database of today's schema as SQL text: one file for every version.

    python -m tests.db.old_schemas.dump

Run it before a migration is added: the file of the version then current stays as it is for ever,
and the tests upgrade it.
"""

from __future__ import annotations

import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

from db.checkpoints import add_checkpoint
from db.engine import Database, open_database
from db.jobs import add_jobs, finish_attempt
from db.metrics import ingest
from db.migrations import SCHEMA_VERSION
from db.predictions import store_predictions
from db.records import Checkpoint, Prediction
from db.runs import add_tag, set_environment, set_final_metrics, set_note
from tests.db.builders import NOW, new_job, points, running_job

FOLDER = Path(__file__).parent


def fill(database: Database) -> None:
    """Store something in every table that users care for."""
    done = running_job(database, 1)
    live = running_job(database, 2, device="cuda:0")
    with database.write() as connection:
        ingest(connection, done.run_id, 1, points([3.0, 1.0, float("nan")]), points_offset=84)
        rows = [Prediction(sample_id="a$_$0", label=1.0, fusion=0.5, text=0.4)]
        store_predictions(connection, done.run_id, "test", rows)
        add_checkpoint(
            connection,
            Checkpoint(
                run_id=live.run_id,
                attempt=1,
                role="last",
                path="a1/checkpoints/last-40.pt",
                epoch=2,
                step=40,
                size=9,
                sha256="ab",
                created_at=NOW,
            ),
        )
        set_environment(connection, done.run_id, {"host": "box", "python": "3.11"}, attempt=1)
        set_final_metrics(connection, done.run_id, {"test.mae": 0.8}, attempt=1)
        add_tag(connection, done.run_id, "it's", actor="ada", now=NOW)
        set_note(connection, done.run_id, 'look "again"', actor="ada", now=NOW)
        finish_attempt(connection, done.id, 1, outcome="succeeded", exit_code=0, now=NOW + 9)
        waiting = new_job(3, after=(live.id,), priority=2)
        add_jobs(connection, [waiting], actor="ada", now=NOW, group_name="sweep")


def main() -> None:
    """Write the file of this version."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "setgf.db"
        database = open_database(str(path))
        fill(database)
        database.close()
        with closing(sqlite3.connect(path)) as connection:
            lines = [f"PRAGMA user_version={SCHEMA_VERSION};", *connection.iterdump()]
    (FOLDER / f"v{SCHEMA_VERSION:04}.sql").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
