"""What crosses the border of the database: frozen values, never rows.

Times are seconds since the epoch, UTC. A series is named `split.name` when it belongs to the fusion
branch (`valid.mae`), else `split.branch.name` (`valid.text.mae`).

Each module of this package is loaded when a name of it is first asked for: making the classes of
all of them takes longer than many a command does.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from db.records.curves import Buckets, Curve
    from db.records.files import Artifact, Checkpoint
    from db.records.metrics import Point, Points, Prediction, SeriesSummary
    from db.records.presence import Device, NewWorker, Sample, Worker
    from db.records.queue import (
        Action,
        Attempt,
        Claim,
        Command,
        Event,
        Group,
        Job,
        NewJob,
    )
    from db.records.runs import NewRun, Run, RunDetail
    from db.records.states import FailureClass, JobState, Verb

__all__ = [
    "Action",
    "Artifact",
    "Attempt",
    "Buckets",
    "Checkpoint",
    "Claim",
    "Command",
    "Curve",
    "Device",
    "Event",
    "FailureClass",
    "Group",
    "Job",
    "JobState",
    "NewJob",
    "NewRun",
    "NewWorker",
    "Point",
    "Points",
    "Prediction",
    "Run",
    "RunDetail",
    "Sample",
    "SeriesSummary",
    "Verb",
    "Worker",
]

_NAMES = {
    "curves": ("Buckets", "Curve"),
    "files": ("Artifact", "Checkpoint"),
    "metrics": ("Point", "Points", "Prediction", "SeriesSummary"),
    "presence": ("Device", "NewWorker", "Sample", "Worker"),
    "queue": ("Action", "Attempt", "Claim", "Command", "Event", "Group", "Job", "NewJob"),
    "runs": ("NewRun", "Run", "RunDetail"),
    "states": ("FailureClass", "JobState", "Verb"),
}
_MODULES = {name: module for module, names in _NAMES.items() for name in names}


def __getattr__(name: str) -> object:
    """Load the module of a record that is asked for the first time."""
    if name not in _MODULES:
        raise AttributeError(f"module `{__name__}` has no attribute `{name}`")
    found: object = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    globals()[name] = found
    return found
