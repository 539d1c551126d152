"""The scientific record of experiments."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from db.records.states import JobState

if TYPE_CHECKING:
    from db.records.files import Artifact, Checkpoint
    from db.records.metrics import SeriesSummary
    from db.records.queue import Attempt


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
    trashed_at: float | None = None
    """When it was deleted; it can be brought back until the trash is emptied."""


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
