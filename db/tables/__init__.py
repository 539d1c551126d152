"""The tables, one file a theme; each is written by one module of this package."""

from db.tables.base import metadata
from db.tables.events import events
from db.tables.files import artifacts, checkpoints
from db.tables.metrics import points, predictions, pyramid, series
from db.tables.presence import device_leases, devices, samples, workers
from db.tables.queue import attempts, commands, groups, job_dependencies, jobs
from db.tables.runs import final_metrics, runs, settings, tags

__all__ = [
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
