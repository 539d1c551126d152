"""The record of experiments: runs, their tags, flattened settings and final metrics."""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, Column, ForeignKey, Index, Integer, Named, String, Table, TypedColumns

from db.records import JobState
from db.tables.base import WIDE, metadata, one_of


class RunColumns(TypedColumns):
    """The scientific record of one experiment."""

    id = Column(String, primary_key=True)
    job_id = Column(Integer, ForeignKey("jobs.id", ondelete="SET NULL"), index=True)
    group_id = Column(Integer, ForeignKey("groups.id", ondelete="SET NULL"), index=True)
    name: Named[str]
    state: Named[str]
    attempt: Named[int]
    dataset: Named[str]
    data_name: Named[str]
    model: Named[str]
    seed: Named[int] = Column(WIDE, nullable=False)
    fingerprint: Named[str] = Column(index=True)
    variant: Named[str]
    config: Named[dict[str, Any]] = Column(JSON[dict[str, Any]](), nullable=False)
    command: Named[list[str]] = Column(JSON[list[str]](), nullable=False)
    note: Named[str]
    archived: Named[bool]
    epoch: Named[int]
    max_epochs: Named[int]
    step: Named[int]
    best_epoch: Named[int | None]
    best_valid: Named[float | None]
    monitor: Named[str]
    code_commit: Named[str | None]
    code_dirty: Named[bool]
    code_diff: Named[str]
    environment: Named[dict[str, Any]] = Column(JSON[dict[str, Any]](), nullable=False)
    data_fingerprint: Named[str | None]
    parameters: Named[int | None] = Column(WIDE)
    host: Named[str | None]
    device: Named[str | None]
    folder: Named[str]
    created_at: Named[float] = Column(index=True)
    started_at: Named[float | None]
    finished_at: Named[float | None]
    updated_at: Named[float]
    error: Named[str | None]
    trashed_at: Named[float | None]


class TagColumns(TypedColumns):
    """A word on a run; set when its job is queued, so before the run is there."""

    run_id = Column(String, primary_key=True)
    tag = Column(String, primary_key=True)


class SettingColumns(TypedColumns):
    """A setting of a run by its dotted name; stored when its job is queued."""

    run_id = Column(String, primary_key=True)
    name = Column(String, primary_key=True)
    text: Named[str]
    number: Named[float | None]
    """The value as a number, where it is one; true is 1."""


class FinalMetricColumns(TypedColumns):
    """A final value of a run: `test.acc7`."""

    run_id = Column(String, ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True)
    name = Column(String, primary_key=True)
    value: Named[float | None]
    """Null where the metric is undefined (NaN)."""


runs = Table("runs", metadata, RunColumns, one_of("state", JobState))
tags = Table("tags", metadata, TagColumns, Index(None, "tag"), sqlite_with_rowid=False)
settings = Table("settings", metadata, SettingColumns, Index(None, "name"), sqlite_with_rowid=False)
final_metrics = Table(
    "final_metrics", metadata, FinalMetricColumns, Index(None, "name"), sqlite_with_rowid=False
)
