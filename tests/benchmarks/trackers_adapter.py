"""setgf for the scripts that measure experiment trackers (`bench_log.py --adapter` and others).

`make()` logs as a training process does: into its run's folder, which is where a point is safe.
`count()` reads as anyone later does: from the run database, made from the folders.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

from setgf.home import Home
from setgf.runs.folder import RunFolder, RunIdentity, new_run_id
from setgf.runs.recorder import FolderRecorder

STEPS_AN_EPOCH = 1000


class Setgf:
    """One run in a home; logs through the recorder that training uses."""

    def open(self, folder: str) -> None:
        """Begin the first attempt of a new run in the home `folder`."""
        self._recorder = FolderRecorder(make_run(Path(folder)).begin_attempt(1))
        self._recorder.event("started", resume_step=0, parameters=1, device="cpu")

    def log(self, step: int, metrics: Mapping[str, float]) -> None:
        """Log values by name at a step."""
        if step % STEPS_AN_EPOCH == 0:
            self._recorder.begin_epoch(1 + step // STEPS_AN_EPOCH)
        self._recorder.log(step, metrics)

    def close(self) -> None:
        """End recording."""
        self._recorder.close()


def make() -> Setgf:
    """Return what the scripts log through."""
    return Setgf()


def count(folder: str) -> int:
    """Return the number of points in the run database of the home `folder`, made if need be."""
    from db.engine import open_database
    from setgf.worker.rebuild import rebuild

    home = Home(Path(folder))
    database = open_database(home.database_url)
    try:
        rebuild(home, database)
        with database.read() as connection:
            return connection.exec_driver_sql("SELECT count(*) FROM points").scalar_one()
    finally:
        database.close()


def make_run(home: Path) -> RunFolder:
    """Make the folder of a new run in a home."""
    run = RunFolder(Home(home).runs / new_run_id())
    identity = RunIdentity(
        id=run.id,
        name="benchmark",
        dataset="mosi",
        data_name="none",
        model="setgf",
        seed=1,
        fingerprint="0",
        variant="0",
        max_epochs=1000,
        monitor="mae",
        created_at=time.time(),
    )
    run.create(identity, {"optim": {"lr": 0.1}})
    return run
