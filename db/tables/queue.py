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
