"""The event of a job: what every change of one leaves behind."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from db.records import Job, JobState


def job_event(
    job: Job, *, why: str, actor: str, now: float, to: JobState | None = None
) -> Mapping[str, Any]:
    """Return the row for `add_events` of a change of `job`, as it was before, into the state `to`.

    None: it stays in the state it is in.
    """
    return {
        "kind": "job",
        "at": now,
        "why": why,
        "actor": actor,
        "job_id": job.id,
        "run_id": job.run_id,
        "attempt": job.attempt or None,
        "from_state": job.state.value,
        "to_state": (to or job.state).value,
    }
