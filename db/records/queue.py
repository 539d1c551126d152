"""Jobs, attempts at them, groups of them, commands and events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from db.records.states import FailureClass, JobState, Verb


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
    """GPUs needed; 0 runs on a CPU slot, below 1 is a part of one."""
    memory_mib: int | None = None
    """Memory needed: of the GPU, or of the machine for a job without one; None: as measured."""
    time_limit: float | None = None
    """Seconds it may run, all attempts together."""
    owner: str = ""
    """Login name of who adds it."""
    priority: int = 0
    """Higher starts first."""
    max_attempts: int = 3
    held: bool = False
    not_before: float | None = None
    tags: tuple[str, ...] = ()
    after: tuple[int, ...] = ()
    """Ids of jobs that must succeed first."""
    after_any: tuple[int, ...] = ()
    """Ids of jobs that must be over first, however they end."""
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
    """GPUs it holds while it runs; 0 for a CPU slot, below 1 for a part of one."""
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
    memory_mib: int | None = None
    """Memory asked for: of the GPU, or of the machine for a job without one."""
    is_alone: bool = False
    """It ran out of memory beside others: it gets whole devices."""
    time_limit: float | None = None
    """Seconds it may run, all attempts together."""
    aim: str | None = None
    """What a stopping job is to become."""
    frozen_at: float | None = None
    """Since when its processes are stopped where they are."""
    running_seconds: float = 0.0
    """Time its ended attempts have run."""
    cleared_at: float | None = None
    """When a user took it off the list."""
    owner: str = ""
    """Login name of who added it; empty for jobs of earlier versions."""


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
    engine: str = "local"
    """What started it."""
    engine_ref: str | None = None
    """What the engine calls it; None on this machine."""
    peak_memory_mib: int | None = None
    """Most memory of the machine its processes held; None when it was not measured."""
    peak_gpu_mib: int | None = None
    """Most memory of one GPU its processes held."""
    frozen_seconds: float = 0.0
    """Time it was frozen; not counted as running."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A job that a worker has just claimed."""

    job: Job
    attempt: int
    resume_from: str | None
    """Attempt folder name (`a1`) with the checkpoint to go on from, if any."""


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
class Group:
    """Jobs queued together."""

    id: int
    name: str
    kind: str
    """`seeds`, `grid` or `jobs`."""
    created_at: float
    parallelism: int | None = None
    """Jobs of it that may run at once; None for no limit."""
    paused_at: float | None = None
    """Since when none of its waiting jobs may start."""
    counts: Mapping[str, int] = field(default_factory=dict[str, int])
    """Jobs by state."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """What a user did to the queue, and what `undo` made of it."""

    id: int
    at: float
    actor: str
    what: str
    """In words: `hold`, `move before job 3`."""
    job_ids: tuple[int, ...]
    """The jobs it changed."""
    undone_at: float | None
    restored: tuple[int, ...] = ()
    """Of an undone one: the jobs that have their old values again."""
    refused: tuple[str, ...] = ()
    """Of an undone one: a sentence for every job that has moved on."""


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
