"""What crosses the border of the database: frozen values, never rows.

Times are seconds since the epoch, UTC. A series is named `split.name` when it belongs to the fusion
branch (`valid.mae`), else `split.branch.name` (`valid.text.mae`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


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
    DISK_FULL = "disk_full"
    KILLED = "killed"
    LOST = "lost"


class Verb(StrEnum):
    """What a command asks of a worker."""

    CANCEL = "cancel"
    STOP_WORKER = "stop_worker"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewJob:
    """A job to be added to the queue."""

    run_id: str
    """Id the run will have."""
    name: str
    config: Mapping[str, Any]
    """Nested settings, plain JSON data."""
    settings: Mapping[str, Any]
    """The same by dotted name."""
    fingerprint: str
    variant: str
    dataset: str
    data_name: str
    model: str
    seed: int
    max_epochs: int
    gpus: float = 0.0
    """GPUs needed; 0 runs on a CPU slot."""
    priority: int = 0
    """Higher starts first."""
    max_attempts: int = 3
    held: bool = False
    not_before: float | None = None
    tags: tuple[str, ...] = ()
    after: tuple[int, ...] = ()
    """Ids of jobs that must succeed first."""
    command: tuple[str, ...] = ()
    """The command line that made the job."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A request to run one config."""

    id: int
    run_id: str
    group_id: int | None
    group_name: str | None
    name: str
    state: JobState
    reason: str
    """Why it is in this state, in words; empty when there is nothing to say."""
    priority: int
    position: float
    not_before: float | None
    attempt: int
    """Number of the newest attempt: the fence. 0 before the first claim."""
    max_attempts: int
    config: Mapping[str, Any]
    fingerprint: str
    variant: str
    dataset: str
    data_name: str
    model: str
    seed: int
    gpus: float
    max_epochs: int
    tags: tuple[str, ...]
    command: tuple[str, ...]
    created_at: float
    started_at: float | None
    finished_at: float | None
    worker_id: str | None
    lease_until: float | None
    error: str | None
    """Error of the newest attempt."""
    epoch: int = 0
    """Epochs its run has finished."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One try of a worker at a job."""

    job_id: int | None
    """None for a foreground run."""
    run_id: str
    number: int
    worker_id: str | None
    host: str
    boot_id: str
    pid: int | None
    """Process id of the shim; None before it started."""
    pid_start: int | None
    """Start time of that process in clock ticks since boot."""
    devices: tuple[str, ...]
    started_at: float
    ended_at: float | None
    outcome: str | None
    """`succeeded`, `failed`, `cancelled`, `lost`, `paused`; None while it runs."""
    exit_code: int | None
    failure_class: FailureClass | None
    error: str | None
    resume_step: int
    """Step of the checkpoint it went on from; 0 from the start."""
    log_path: str
    points_offset: int
    """Bytes of the journal already ingested."""
    events_offset: int
    """Bytes of the event log already ingested."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesSummary:
    """What the run list knows of a series without touching its points."""

    last: float
    last_step: int
    minimum: float
    maximum: float
    count: int
    non_finite: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """The scientific record of one experiment."""

    id: str
    job_id: int | None
    group_id: int | None
    group_name: str | None
    name: str
    state: JobState
    attempt: int
    dataset: str
    data_name: str
    model: str
    seed: int
    fingerprint: str
    variant: str
    config: Mapping[str, Any]
    tags: tuple[str, ...]
    note: str
    archived: bool
    epoch: int
    """Epochs finished."""
    max_epochs: int
    step: int
    """Optimizer steps made."""
    best_epoch: int | None
    best_valid: float | None
    """Monitored validation metric at the best epoch."""
    monitor: str
    metrics: Mapping[str, float]
    """Final values: `test.acc7`, `valid.mae` (at the best epoch), `test.text.mae` and so on."""
    code_commit: str | None
    code_dirty: bool
    data_fingerprint: str | None
    parameters: int | None
    """Trainable parameters."""
    host: str | None
    device: str | None
    folder: str
    """Absolute path of the run folder."""
    created_at: float
    started_at: float | None
    finished_at: float | None
    updated_at: float
    error: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunDetail:
    """A run with everything stored of it but its points."""

    run: Run
    environment: Mapping[str, Any]
    code_diff: str
    command: tuple[str, ...]
    attempts: tuple[Attempt, ...]
    summaries: Mapping[str, SeriesSummary]
    """By series name."""
    checkpoints: tuple[Checkpoint, ...]
    artifacts: tuple[Artifact, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Points:
    """One series of one run, in order of step; later attempts replace earlier ones."""

    run_id: str
    series: str
    steps: tuple[int, ...]
    epochs: tuple[int, ...]
    values: tuple[float, ...]
    """NaN and infinities are kept."""
    times: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One value to store."""

    series: str
    step: int
    epoch: int
    value: float
    time: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """Scores of every branch for one sample."""

    sample_id: str
    label: float
    fusion: float
    text: float | None = None
    audio: float | None = None
    vision: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A file from which a run can go on."""

    run_id: str
    attempt: int
    role: str
    """`best` or `last`."""
    path: str
    epoch: int
    step: int
    size: int
    """Bytes."""
    sha256: str
    created_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """Any other file a run leaves."""

    run_id: str
    attempt: int
    kind: str
    path: str
    size: int
    sha256: str
    created_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A request to a worker, as a row."""

    id: int
    job_id: int | None
    worker_id: str | None
    """None: whoever holds the job."""
    verb: Verb
    arguments: Mapping[str, Any]
    actor: str
    created_at: float
    handled_at: float | None
    result: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A GPU or a CPU slot of a worker."""

    worker_id: str
    name: str
    """`cpu0`, `cuda:0`."""
    kind: str
    """`cpu` or `gpu`."""
    model: str
    memory_mib: int
    memory_used_mib: int
    utilisation: float
    """Percent."""
    job_id: int | None
    """Job that holds it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """A process that claims jobs on one machine."""

    id: str
    host: str
    boot_id: str
    pid: int
    pid_start: int
    version: str
    state: str
    """`alive`, `stale` (no heartbeat) or `stopped`."""
    started_at: float
    heartbeat_at: float
    devices: tuple[Device, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NewWorker:
    """A worker that registers."""

    id: str
    host: str
    boot_id: str
    pid: int
    pid_start: int
    version: str
    devices: tuple[Device, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A job that a worker has just claimed."""

    job: Job
    attempt: int
    resume_from: str | None
    """Attempt folder name (`a1`) with the checkpoint to go on from, if any."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened, stored in the transaction that made it happen."""

    id: int
    at: float
    kind: str
    """`job`, `run`, `worker` or `command`."""
    job_id: int | None
    run_id: str | None
    attempt: int | None
    from_state: str | None
    to_state: str | None
    why: str
    actor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """Use of a device at a moment."""

    worker_id: str
    device: str
    at: float
    utilisation: float
    memory_used_mib: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Jobs queued together."""

    id: int
    name: str
    kind: str
    """`seeds`, `grid` or `jobs`."""
    created_at: float
    counts: Mapping[str, int] = field(default_factory=dict[str, int])
    """Jobs by state."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRun:
    """A run that begins."""

    id: str
    job_id: int | None
    group_id: int | None
    name: str
    config: Mapping[str, Any]
    settings: Mapping[str, Any]
    fingerprint: str
    variant: str
    dataset: str
    data_name: str
    model: str
    seed: int
    max_epochs: int
    monitor: str
    tags: tuple[str, ...]
    command: tuple[str, ...]
    folder: str
    created_at: float
