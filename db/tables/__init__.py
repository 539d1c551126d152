"""The tables, one file a theme; each is written by one module of this package."""

from db.tables.base import metadata
from db.tables.events import events
from db.tables.files import artifacts, checkpoints
from db.tables.metrics import points, predictions, pyramid, series
from db.tables.presence import device_leases, devices, samples, workers
from db.tables.queue import (
    actions,
    attempts,
    commands,
    groups,
    job_dependencies,
    jobs,
    memory_peaks,
)
from db.tables.runs import final_metrics, runs, settings, tags

__all__ = [
    "actions",
    "artifacts",
    "attempts",
    "checkpoints",
    "commands",
    "device_leases",
    "devices",
    "events",
    "final_metrics",
    "groups",
    "job_dependencies",
    "jobs",
    "memory_peaks",
    "metadata",
    "points",
    "predictions",
    "pyramid",
    "runs",
    "samples",
    "series",
    "settings",
    "tags",
    "workers",
]
