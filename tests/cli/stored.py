"""Runs in a real database, stored by the writers a worker uses."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import contextmanager
from typing import Any

from db.engine import open_database
from db.jobs import ensure_group
from db.jobs.attempts import add_attempt
from db.metrics import ingest
from db.records import Attempt, JobState, NewRun, Point
from db.runs import add_run, set_final_metrics, update_run
from setgf.config import build_config
from setgf.home import find_home
from setgf.terms import Dataset
from tests.db.builders import new_attempt


@contextmanager
def writing():
    """Open a writing transaction on the home's database."""
    database = open_database(find_home().database_url)
    try:
        with database.write() as connection:
            yield connection
    finally:
        database.close()


def store_run(
    run_id: str,
    *,
    dataset: Dataset = Dataset.MOSI,
    data: str = "mosi400",
    model: str = "setgf",
    seed: int = 1111,
    state: JobState = JobState.SUCCEEDED,
    metrics: Mapping[str, float] | None = None,
    series: Mapping[str, list[float]] | None = None,
    created_at: float = 1000.0,
    group: str | None = None,
    settings: Mapping[str, Any] | None = None,
) -> None:
    """Store a foreground run; `metrics` are its final values, `series` its points from step 1."""
    config = build_config(
        dataset=dataset,
        settings={"data.name": data, "model.name": model, "seed": seed, **(settings or {})},
    )
    with writing() as connection:
        group_id = ensure_group(connection, group, "seeds", now=created_at) if group else None
    run = NewRun(
        id=run_id,
        job_id=None,
        group_id=group_id,
        name=f"{model}-{seed}",
        config=config.to_dict(),
        settings=config.flatten(),
        fingerprint=config.fingerprint,
        variant=config.variant,
        dataset=dataset,
        data_name=data,
        model=model,
        seed=seed,
        max_epochs=config.train.max_epochs,
        monitor=config.train.monitor,
        tags=(),
        command=("setgf", "train"),
        folder=str(find_home().runs / run_id),
        created_at=created_at,
    )
    with writing() as connection:
        add_run(connection, run, state=JobState.RUNNING)
        add_attempt(connection, make_attempt(run_id, created_at))
        if metrics:
            set_final_metrics(connection, run_id, metrics, attempt=1)
        points = [
            Point(series=name, step=step, epoch=1, value=value, time=created_at + step)
            for name, values in (series or {}).items()
            for step, value in enumerate(values, 1)
        ]
        if points:
            ingest(connection, run_id, 1, points, points_offset=28 * len(points))
        update_run(
            connection,
            run_id,
            attempt=1,
            state=state.value,
            epoch=2,
            step=20,
            started_at=created_at,
        )


def make_attempt(run_id: str, started_at: float) -> Attempt:
    """Return the first attempt of a foreground run."""
    return new_attempt(
        run_id,
        host="here",
        started_at=started_at,
        ended_at=started_at + 65,
        outcome="succeeded",
        exit_code=0,
    )
