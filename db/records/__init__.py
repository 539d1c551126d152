"""What crosses the border of the database: frozen values, never rows.

Times are seconds since the epoch, UTC. A series is named `split.name` when it belongs to the fusion
branch (`valid.mae`), else `split.branch.name` (`valid.text.mae`).
"""

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
