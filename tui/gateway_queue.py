"""What the screens may ask of the queue, of events and of alerts: a part of the gateway."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from db.records import Group
    from tui.job_records import EventsBody, JobChange, JobDraft, JobPlan, QueueBody, Watched


class QueueGateway(Protocol):
    """Reads and changes the queue; raises `GatewayError` as every gateway does."""

    def read_queue(self) -> QueueBody:
        """Return the jobs with what is expected of them, and the workers."""
        ...

    def list_groups(self) -> tuple[Group, ...]:
        """Return the groups that have jobs which are not over, newest first."""
        ...

    def change_jobs(self, change: JobChange, job_ids: Sequence[int]) -> str:
        """Ask something of jobs; return what was done in a sentence."""
        ...

    def clear_finished(self) -> str:
        """Take all jobs that are over off the list; return what was done."""
        ...

    def move_job(self, job_id: int, *, step: int = 0, first: bool = False) -> str:
        """Put a waiting job some places later (`step` below 0: earlier), or before all others."""
        ...

    def set_priority(self, job_ids: Sequence[int], priority: int) -> str:
        """Give jobs another priority; return what was done."""
        ...

    def edit_jobs(self, job_ids: Sequence[int], values: Mapping[str, str]) -> str:
        """Change what waiting jobs ask for, by text as in `setgf queue edit`; return what was done.

        Names: `name`, `priority`, `time limit`, `memory`, `gpus`, `retries`, `not before`, `after`,
        and those of settings.
        """
        ...

    def change_group(
        self, name: str, *, parallelism: str | None = None, paused: bool | None = None
    ) -> str:
        """Set how many jobs of a group run at once (`none`: no limit), or pause it."""
        ...

    def undo(self) -> str:
        """Take back the last thing this user did to the queue; return what that was."""
        ...

    def start_worker(self) -> str:
        """Start a worker on this machine in the background; return what was done."""
        ...

    def plan_jobs(self, draft: JobDraft) -> JobPlan:
        """Return what a form would queue, or what is wrong with it; changes nothing."""
        ...

    def add_jobs(self, draft: JobDraft) -> str:
        """Queue the jobs of a form; return what was queued."""
        ...

    def draft_of(self, run_id: str) -> JobDraft:
        """Return the form that would make this run again."""
        ...

    def read_events(self, limit: int) -> EventsBody:
        """Return what happened to jobs, runs and workers, the newest first."""
        ...

    def watch(self, since_event: int) -> Watched:
        """Return what there is to be told, of events only those after one."""
        ...
