"""The queue's part of the gateway: one line a question; the work is done in its neighbours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from tui.sources.access import DatabaseAccess

if TYPE_CHECKING:
    from db.records import Group, Worker
    from tui.job_records import EventsBody, JobChange, JobDraft, JobPlan, QueueBody, Watched


class QueueAccess(DatabaseAccess):
    """`QueueGateway` over the run database."""

    def read_queue(self) -> QueueBody:
        """Return the jobs with what is expected of them, and the workers."""
        from tui.sources import queue_reading

        return queue_reading.read_queue(self)

    def list_workers(self) -> tuple[Worker, ...]:
        """Return workers that are alive or were lately, with their devices."""
        from tui.sources import queue_reading

        return queue_reading.read_workers(self)

    def list_groups(self) -> tuple[Group, ...]:
        """Return the groups that have jobs which are not over."""
        from tui.sources import queue_reading

        return queue_reading.read_groups(self)

    def change_jobs(self, change: JobChange, job_ids: Sequence[int]) -> str:
        """Ask something of jobs."""
        from tui.sources import queue_doing

        return queue_doing.change_jobs(self, change, job_ids)

    def clear_finished(self) -> str:
        """Take all jobs that are over off the list."""
        from tui.sources import queue_doing

        return queue_doing.clear_finished(self)

    def move_job(self, job_id: int, *, step: int = 0, first: bool = False) -> str:
        """Put a waiting job elsewhere in the queue."""
        from tui.sources import queue_doing

        return queue_doing.move_job(self, job_id, step=step, first=first)

    def set_priority(self, job_ids: Sequence[int], priority: int) -> str:
        """Give jobs another priority."""
        from tui.sources import queue_doing

        return queue_doing.set_priority(self, job_ids, priority)

    def edit_jobs(self, job_ids: Sequence[int], values: Mapping[str, str]) -> str:
        """Change what waiting jobs ask for."""
        from tui.sources import queue_doing

        return queue_doing.edit_jobs(self, job_ids, values)

    def change_group(
        self, name: str, *, parallelism: str | None = None, paused: bool | None = None
    ) -> str:
        """Set how many jobs of a group run at once, or pause it."""
        from tui.sources import queue_doing

        return queue_doing.change_group(self, name, parallelism=parallelism, paused=paused)

    def undo(self) -> str:
        """Take back the last thing this user did to the queue."""
        from tui.sources import queue_doing

        return queue_doing.undo(self)

    def start_worker(self) -> str:
        """Start a worker on this machine in the background."""
        from tui.sources import queue_doing

        return queue_doing.start_worker(self)

    def plan_jobs(self, draft: JobDraft) -> JobPlan:
        """Return what a form would queue, or what is wrong with it."""
        from tui.sources import job_planning

        return job_planning.plan(self, draft)

    def add_jobs(self, draft: JobDraft) -> str:
        """Queue the jobs of a form."""
        from tui.sources import job_planning

        return job_planning.add(self, draft)

    def draft_of(self, run_id: str) -> JobDraft:
        """Return the form that would make this run again."""
        from tui.sources import job_planning

        return job_planning.draft_of(self, run_id)

    def read_events(self, limit: int) -> EventsBody:
        """Return what happened to jobs, runs and workers, the newest first."""
        from tui.sources import happenings

        return happenings.read_events(self, limit)

    def watch(self, since_event: int) -> Watched:
        """Return what there is to be told, of events only those after one."""
        from tui.sources import happenings

        return happenings.watch(self, since_event)
