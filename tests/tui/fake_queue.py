"""The queue's part of the fake gateway: jobs in memory, every call noted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from db.job_list import ListedJob
from db.records import Event, Group, Job, JobState
from tui.gateway import GatewayError
from tui.job_records import (
    Alert,
    EventLine,
    EventsBody,
    FormField,
    JobChange,
    JobDraft,
    JobLine,
    JobPlan,
    PlannedJob,
    QueueBody,
    Watched,
)

STATES = {
    JobChange.HOLD: JobState.HELD,
    JobChange.RELEASE: JobState.QUEUED,
    JobChange.PAUSE: JobState.PAUSED,
    JobChange.RESUME: JobState.QUEUED,
    JobChange.CANCEL: JobState.CANCELLED,
    JobChange.RETRY: JobState.QUEUED,
    JobChange.REQUEUE: JobState.QUEUED,
}
FIELDS = (
    FormField(
        name="data", section="What to run", meaning="Feature store.", choices=("mosi", "sims")
    ),
    FormField(
        name="model",
        section="What to run",
        meaning="Models, separated by commas.",
        default="setgf",
        choices=("setgf", "self_mm", "text_only"),
        several=True,
    ),
    FormField(name="seeds", section="What to run", meaning="1111 or 1-5.", default="1111"),
    FormField(name="time limit", section="How to run it", meaning="4h.", default="none"),
    FormField(
        name="optim.lr",
        section="Settings: optim",
        meaning="Learning rate, above 0.",
        default="0.001",
    ),
    FormField(
        name="optim.schedule",
        section="Settings: optim",
        meaning="How the learning rate falls.",
        default="cosine",
        choices=("constant", "cosine"),
    ),
    FormField(
        name="train.max_epochs",
        section="Settings: train",
        meaning="Epochs at most, 1 or more.",
        default="30",
    ),
)


def listed(job: Job) -> ListedJob:
    """Return a job as the list of the queue has it."""
    values: dict[str, Any] = {
        name: getattr(job, name) for name in ListedJob._fields if hasattr(job, name)
    }
    values |= {"state": str(job.state), "attempt_started_at": job.started_at}
    return ListedJob._make(values[name] for name in ListedJob._fields)


class FakeQueue:
    """Mixed into the fake gateway, whose fields it uses."""

    jobs: list[Job]
    workers: list[Any]
    calls: list[tuple[str, Any]]
    groups: list[Group]
    events: list[Event]
    alerts: list[Alert]
    refusal: str

    def touch(self) -> None:
        raise NotImplementedError

    def read_queue(self) -> QueueBody:
        now = 1_764_000_000.0
        return QueueBody(
            lines=tuple(
                JobLine(
                    job=listed(one),
                    why="waits for a CPU slot" if one.state is JobState.QUEUED else "",
                    starts_at=now + 60 * one.id if one.state is JobState.QUEUED else None,
                    ends_at=now + 620 if one.state.is_live else None,
                )
                for one in self.jobs
                if one.cleared_at is None
            ),
            workers=tuple(self.workers),
            use={(w.id, "cpu0"): tuple(range(0, 100, 5)) for w in self.workers},
        )

    def list_workers(self) -> tuple[Any, ...]:
        return tuple(self.workers)

    def list_groups(self) -> tuple[Group, ...]:
        return tuple(self.groups)

    def change_jobs(self, change: JobChange, job_ids: Sequence[int]) -> str:
        self._note(str(change), tuple(job_ids))
        state = STATES.get(change)
        chosen = set(job_ids)
        for place, one in enumerate(self.jobs):
            if one.id in chosen and state is not None:
                self.jobs[place] = replace(one, state=state)
            elif one.id in chosen and change is JobChange.CLEAR:
                self.jobs[place] = replace(one, cleared_at=1.0)
            elif one.id in chosen and change in (JobChange.FREEZE, JobChange.THAW):
                frozen = 1.0 if change is JobChange.FREEZE else None
                self.jobs[place] = replace(one, frozen_at=frozen)
        return f"{change} {' '.join(map(str, job_ids))}"

    def clear_finished(self) -> str:
        self._note("clear_finished", ())
        return "Cleared."

    def move_job(self, job_id: int, *, step: int = 0, first: bool = False) -> str:
        self._note("move", (job_id, step, first))
        return f"Moved job {job_id}."

    def set_priority(self, job_ids: Sequence[int], priority: int) -> str:
        self._note("priority", (tuple(job_ids), priority))
        self.jobs = [
            replace(one, priority=priority) if one.id in job_ids else one for one in self.jobs
        ]
        return f"Priority {priority}."

    def edit_jobs(self, job_ids: Sequence[int], values: Mapping[str, str]) -> str:
        self._note("edit", (tuple(job_ids), dict(values)))
        return "Edited."

    def change_group(
        self, name: str, *, parallelism: str | None = None, paused: bool | None = None
    ) -> str:
        self._note("group", (name, parallelism, paused))
        return f"Group {name} changed."

    def undo(self) -> str:
        self._note("undo", ())
        return "Undone: hold job 10."

    def start_worker(self) -> str:
        self._note("start_worker", ())
        return "Started."

    def plan_jobs(self, draft: JobDraft) -> JobPlan:
        problems: dict[str, str] = {}
        if "data" not in draft.values:
            problems["data"] = "Choose the feature store to train on."
        if draft.values.get("optim.lr") == "fast":
            problems["optim.lr"] = "`optim.lr` must be a number, but is 'fast'."
        if problems:
            return JobPlan(problems=problems, fields=FIELDS)
        seeds = draft.values.get("seeds", "1111").split(",")
        return JobPlan(
            fields=FIELDS,
            jobs=tuple(
                PlannedJob(
                    name=f"setgf {draft.values['data']} {seed}",
                    needs="30 epochs at most, a CPU slot",
                    seconds=754,
                    told_by="3 similar runs",
                    same_as="job 3 (succeeded)" if seed == "1112" else "",
                )
                for seed in seeds
            ),
            done_at=1_764_000_000.0 + 754,
        )

    def add_jobs(self, draft: JobDraft) -> str:
        self._note("add", draft)
        return "Queued job 20."

    def draft_of(self, run_id: str) -> JobDraft:
        return JobDraft(values={"data": "mosi", "seeds": "1112", "optim.lr": "0.01"}, again=True)

    def read_events(self, limit: int) -> EventsBody:
        names = {one.run_id: one.name for one in self.jobs}
        return EventsBody(
            lines=tuple(
                EventLine(event=one, name=names.get(one.run_id or "", ""))
                for one in reversed(self.events[-limit:])
            )
        )

    def watch(self, since_event: int) -> Watched:
        newest = max((one.id for one in self.events), default=since_event)
        return Watched(newest_event=newest, alerts=tuple(self.alerts))

    def _note(self, verb: str, arguments: Any) -> None:
        if self.refusal:
            raise GatewayError(self.refusal)
        self.calls.append((verb, arguments))
        self.touch()
