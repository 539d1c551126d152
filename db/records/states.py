"""The words a state column may hold."""

from __future__ import annotations

from enum import StrEnum


class JobState(StrEnum):
    """State of a job; runs use the same words."""

    HELD = "held"
    QUEUED = "queued"
    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    PAUSED = "paused"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    LOST = "lost"

    @property
    def is_finished(self) -> bool:
        """True where nothing more will happen by itself."""
        return self in (JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED)

    @property
    def is_live(self) -> bool:
        """True while a worker holds the job."""
        return self in (JobState.STARTING, JobState.RUNNING, JobState.STOPPING)


class FailureClass(StrEnum):
    """Why an attempt failed."""

    ERROR = "error"
    CONFIG = "config"
    DATA = "data"
    DIVERGED = "diverged"
    OUT_OF_MEMORY = "out_of_memory"
    HOST_OUT_OF_MEMORY = "host_out_of_memory"
    TIME_LIMIT = "time_limit"
    HUNG = "hung"
    DISK_FULL = "disk_full"
    KILLED = "killed"
    LOST = "lost"


class Verb(StrEnum):
    """What a command asks of a worker."""

    CANCEL = "cancel"
    PAUSE = "pause"
    REQUEUE = "requeue"
    FREEZE = "freeze"
    THAW = "thaw"
    STOP_WORKER = "stop_worker"
