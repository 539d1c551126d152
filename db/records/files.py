"""Files a run leaves."""

from __future__ import annotations

from dataclasses import dataclass


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
