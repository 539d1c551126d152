"""Valid records for tests of the analysis and of the commands that show it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from db.records import JobState, Run
from setgf.metrics import metric_names
from setgf.terms import Dataset

_RUN = Run(
    id="aaaaaaaa",
    job_id=None,
    group_id=None,
    group_name=None,
    name="setgf-1111",
    state=JobState.SUCCEEDED,
    attempt=1,
    dataset="mosi",
    data_name="mosi400",
    model="setgf",
    seed=1111,
    fingerprint="f",
    variant="v",
    config={},
    tags=(),
    note="",
    archived=False,
    epoch=3,
    max_epochs=3,
    step=30,
    best_epoch=2,
    best_valid=0.9,
    monitor="mae",
    metrics={},
    code_commit=None,
    code_dirty=False,
    data_fingerprint="data",
    parameters=None,
    host=None,
    device=None,
    folder="runs/aaaaaaaa",
    created_at=1.0,
    started_at=1.0,
    finished_at=2.0,
    updated_at=2.0,
    error=None,
)


def make_run(**changes: Any) -> Run:
    """Return a finished run; `mae=0.9` sets that test metric, other names are fields."""
    dataset = Dataset(changes.get("dataset", "mosi"))
    names = set(metric_names(dataset))
    metrics = {f"test.{name}": changes.pop(name) for name in list(changes) if name in names}
    return replace(_RUN, **{"metrics": metrics, **changes})
