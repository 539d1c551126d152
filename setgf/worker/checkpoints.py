"""The newest checkpoint a run can go on from, checked byte by byte, without torch."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from setgf.errors import RunFolderError
from setgf.runs.atomic import read_json
from setgf.runs.folder import AttemptFolder, RunFolder


@dataclass(frozen=True, slots=True, kw_only=True)
class Resumable:
    """Where a later attempt goes on."""

    step: int = 0
    """Optimizer steps made; 0: from the start."""
    words: str | None = None
    """`step 120 (a2)`; None without a sound checkpoint."""
    damage: str | None = None
    """What is wrong with the newest one."""


def find_resumable(run: RunFolder, up_to: int) -> Resumable:
    """Return the newest sound `last` checkpoint of the attempts up to a number.

    Every file that is looked at is read once: what is called sound has the size and the SHA-256 it
    was written with.
    """
    damage: str | None = None
    for attempt in reversed(run.attempts()):
        if attempt.number > up_to or not attempt.has_checkpoint():
            continue
        for entry in _lasts(attempt):
            wrong = _damage(attempt, entry)
            step = int(entry.get("step") or 0)
            if wrong is None:
                return Resumable(
                    step=step, words=f"step {step} ({attempt.path.name})", damage=damage
                )
            damage = damage or wrong
    return Resumable(damage=damage)


def _lasts(attempt: AttemptFolder) -> list[dict[str, Any]]:
    """Return the `last` checkpoints a manifest names, newest first."""
    try:
        entries = [dict(entry) for entry in read_json(attempt.manifest).get("checkpoints") or ()]
    except (RunFolderError, TypeError, ValueError):
        return []
    lasts = [entry for entry in entries if entry.get("role", "last") == "last"]
    return sorted(lasts, key=lambda entry: -int(entry.get("step") or 0))


def _damage(attempt: AttemptFolder, entry: dict[str, Any]) -> str | None:
    """Return what is wrong with a checkpoint; None when it is as it was written."""
    path = attempt.checkpoints / str(entry.get("file"))
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        return f"The checkpoint {path.name} can't be read: {error.strerror}."
    if size != entry.get("size", size):
        return f"The checkpoint {path.name} has {size} bytes, but was written with {entry['size']}."
    if digest != entry.get("sha256", digest):
        return f"The checkpoint {path.name} is damaged: its SHA-256 is not that of its manifest."
    return None
