"""Files a run leaves: checkpoints and everything else."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Integer, Named, String, Table, TypedColumns

from db.tables.base import WIDE, metadata, one_of

ROLES = ("best", "last")


class CheckpointColumns(TypedColumns):
    """A file from which a run can go on."""

    run_id = Column(String, ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True)
    attempt = Column(Integer, primary_key=True, autoincrement=False)
    path = Column(String, primary_key=True)
    role: Named[str]
    epoch: Named[int]
    step: Named[int]
    size: Named[int] = Column(WIDE, nullable=False)
    sha256: Named[str]
    created_at: Named[float]


class ArtifactColumns(TypedColumns):
    """Any other file of a run."""

    run_id = Column(String, ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True)
    attempt = Column(Integer, primary_key=True, autoincrement=False)
    path = Column(String, primary_key=True)
    kind: Named[str]
    size: Named[int] = Column(WIDE, nullable=False)
    sha256: Named[str]
    created_at: Named[float]


checkpoints = Table("checkpoints", metadata, CheckpointColumns, one_of("role", ROLES))
artifacts = Table("artifacts", metadata, ArtifactColumns)
