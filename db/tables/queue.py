"""The queue: groups, jobs, what they wait for, attempts at them, and commands to workers."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    JSON,
    Column,
    ForeignKey,
    Index,
    Integer,
    Named,
    String,
    Table,
    TypedColumns,
    false,
    text,
)

from db.records import FailureClass, JobState, Verb
from db.tables.base import WIDE, metadata, one_of, quoted

LIVE_STATES = tuple(state for state in JobState if state.is_live)
DEPENDENCY_KINDS = ("ok", "any")
OUTCOMES = ("succeeded", "failed", "cancelled", "lost", "paused")


class GroupColumns(TypedColumns):
    """Jobs queued together."""

    id = Column(Integer, primary_key=True, autoincrement=True)
    name: Named[str]
    kind: Named[str]
    created_at: Named[float]
    parallelism: Named[int | None]
    """Jobs of the group that may be live at once; null for no limit."""
    paused_at: Named[float | None]
    """Since when none of its waiting jobs may start."""


class JobColumns(TypedColumns):
    """A request to run one config."""

    id = Column(Integer, primary_key=True, autoincrement=True)
    run_id = Column(String, unique=True, nullable=False)
    group_id = Column(Integer, ForeignKey("groups.id", ondelete="SET NULL"), index=True)
    name: Named[str]
    state: Named[str]
    reason: Named[str]
    priority: Named[int]
    position: Named[float]
    not_before: Named[float | None]
    attempt: Named[int]
    max_attempts: Named[int]
    """Number of the last attempt that may be made; `retry` moves it on by `allowance`."""
    allowance: Named[int]
    """Attempts a job is given when it is added and at each retry."""
    config: Named[dict[str, Any]] = Column(JSON[dict[str, Any]](), nullable=False)
    fingerprint: Named[str]
    variant: Named[str]
    dataset: Named[str]
    data_name: Named[str]
    model: Named[str]
    seed: Named[int] = Column(WIDE, nullable=False)
    gpus: Named[float]
    """GPUs to hold: 0 for a CPU slot, a part of one below 1."""
    memory_mib: Named[int | None]
    """Memory asked for: of the GPU, or of the machine for a job without one."""
    is_alone: Named[bool] = Column(server_default=false(), nullable=False)
    """It ran out of memory beside others: the next attempt gets whole devices."""
    time_limit: Named[float | None]
    """Seconds of running, all attempts together."""
    max_epochs: Named[int]
    command: Named[list[str]] = Column(JSON[list[str]](), nullable=False)
    created_at: Named[float]
    started_at: Named[float | None]
    finished_at: Named[float | None]
    worker_id: Named[str | None]
    lease_until: Named[float | None]
    """Wall clock; used when the boot clock below is another machine's or another boot's."""
    lease_boot_id: Named[str | None]
    lease_boot_until: Named[float | None]
    """Seconds of that boot (CLOCK_BOOTTIME): a clock set forward can't end a lease."""
    error: Named[str | None]
    aim: Named[str | None]
    """What a stopping job is to become: `cancelled`, `paused`, `queued` or `failed`."""
    frozen_at: Named[float | None]
    """Since when its processes are stopped where they are (SIGSTOP)."""
    running_seconds: Named[float] = Column(server_default="0", nullable=False)
    """Time its ended attempts have run, time frozen left out."""
    cleared_at: Named[float | None]
    """When a user took the finished job off the list."""
    owner: Named[str] = Column(server_default="", nullable=False)
    """Login name of who added it."""


class JobDependencyColumns(TypedColumns):
    """Job `job_id` waits until `depends_on` has succeeded (`ok`) or is over (`any`)."""

    job_id = Column(Integer, ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    depends_on = Column(
        Integer, ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    kind: Named[str] = Column(server_default="ok", nullable=False)


class AttemptColumns(TypedColumns):
    """One try at a job, or a foreground run. The claim makes it before its run: no key to runs."""

    run_id = Column(String, primary_key=True)
    number = Column(Integer, primary_key=True, autoincrement=False)
    job_id = Column(Integer, ForeignKey("jobs.id", ondelete="SET NULL"), index=True)
    worker_id: Named[str | None]
    host: Named[str]
    boot_id: Named[str]
    pid: Named[int | None]
    pid_start: Named[int | None] = Column(WIDE)
    devices: Named[list[str]] = Column(JSON[list[str]](), nullable=False)
    started_at: Named[float]
    ended_at: Named[float | None]
    outcome: Named[str | None]
    exit_code: Named[int | None]
    failure_class: Named[str | None]
    error: Named[str | None]
    resume_step: Named[int | None]
    """None until the child has said from which step it goes on."""
    log_path: Named[str]
    points_offset: Named[int] = Column(WIDE, nullable=False)
    events_offset: Named[int] = Column(WIDE, nullable=False)
    engine: Named[str] = Column(server_default="local", nullable=False)
    engine_ref: Named[str | None]
    """What the engine calls it: a Slurm job number."""
    peak_memory_mib: Named[int | None]
    """Most memory of the machine its processes held."""
    peak_gpu_mib: Named[int | None]
    """Most memory of one GPU its processes held."""
    frozen_seconds: Named[float] = Column(server_default="0", nullable=False)


class MemoryPeakColumns(TypedColumns):
    """The most memory that earlier attempts of the same kind of work held."""

    key = Column(String, primary_key=True)
    """Kind of device, model, data, batch size and what else decides: see `setgf.worker.memory`."""
    mib: Named[int]
    attempts: Named[int]
    """Attempts it was measured in."""
    measured_at: Named[float]


class ActionColumns(TypedColumns):
    """What a user did to jobs, with their values before it: `setgf queue undo` brings them back."""

    id = Column(Integer, primary_key=True, autoincrement=True)
    at: Named[float]
    actor: Named[str]
    what: Named[str]
    changes: Named[list[dict[str, Any]]] = Column(JSON[list[dict[str, Any]]](), nullable=False)
    """One a job: `{"job_id": 3, "before": {column: value}, "after": {column: value}}`."""
    undone_at: Named[float | None]


class CommandColumns(TypedColumns):
    """A request to a worker: works when no worker is up and survives a crash."""

    id = Column(Integer, primary_key=True, autoincrement=True)
    job_id = Column(Integer, ForeignKey("jobs.id", ondelete="CASCADE"), index=True)
    worker_id: Named[str | None]
    verb: Named[str]
    arguments: Named[dict[str, Any]] = Column(JSON[dict[str, Any]](), nullable=False)
    actor: Named[str]
    created_at: Named[float]
    handled_at: Named[float | None]
    result: Named[str | None]


groups = Table(
    "groups", metadata, GroupColumns, Index(None, "name", unique=True), sqlite_autoincrement=True
)
jobs = Table("jobs", metadata, JobColumns, one_of("state", JobState), sqlite_autoincrement=True)
job_dependencies = Table(
    "job_dependencies",
    metadata,
    JobDependencyColumns,
    one_of("kind", DEPENDENCY_KINDS),
    sqlite_with_rowid=False,
)
attempts = Table(
    "attempts",
    metadata,
    AttemptColumns,
    one_of("outcome", OUTCOMES),
    one_of("failure_class", FailureClass),
)
commands = Table(
    "commands", metadata, CommandColumns, one_of("verb", Verb), sqlite_autoincrement=True
)
memory_peaks = Table("memory_peaks", metadata, MemoryPeakColumns, sqlite_with_rowid=False)
actions = Table("actions", metadata, ActionColumns, sqlite_autoincrement=True)

# The claim and the search for dead attempts must not slow down with the history.
_QUEUED = text("state = 'queued'")
_LIVE = text(f"state IN ({quoted(LIVE_STATES)})")
_PENDING = text("handled_at IS NULL")
Index(
    "ix_jobs_queued",
    jobs.c.priority.desc(),
    jobs.c.position,
    jobs.c.id,
    sqlite_where=_QUEUED,
    postgresql_where=_QUEUED,
)
Index("ix_jobs_live", jobs.c.lease_until, sqlite_where=_LIVE, postgresql_where=_LIVE)
Index("ix_commands_pending", commands.c.id, sqlite_where=_PENDING, postgresql_where=_PENDING)
