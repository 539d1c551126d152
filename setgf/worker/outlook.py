"""What every waiting job waits for, and when it will start: the whole queue seen at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Protocol

from db.job_list import (
    LIVE,
    ListedGroup,
    ListedJob,
    living_devices,
    past_runs,
    read_groups,
    read_jobs,
    waits_for,
)
from db.statements import Statements
from setgf.worker.estimates import (
    UNKNOWN,
    Busy,
    Duration,
    Durations,
    Estimate,
    Waiting,
    estimate,
    time_left,
)

UNFINISHED = ("held", "queued", "starting", "running", "stopping", "paused", "lost")
NO_WORKER = "no worker is running"


class Sized(Protocol):
    """What decides how long a job runs: a stored job, or one that is only planned."""

    @property
    def variant(self) -> str: ...
    @property
    def model(self) -> str: ...
    @property
    def data_name(self) -> str: ...
    @property
    def gpus(self) -> float: ...
    @property
    def max_epochs(self) -> int: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """The queue at a moment."""

    now: float
    jobs: Sequence[ListedJob]
    """Those that are not over, in the order they start."""
    needed: Mapping[int, Sequence[tuple[int, str, str]]]
    """What each still waits for: (job id, kind, its state)."""
    groups: Mapping[str, ListedGroup]
    workers: Mapping[str, Sequence[str]]
    """Kinds of the devices of every living worker."""
    live_in_group: Mapping[str, int]
    """Jobs of every group that a worker holds."""
    durations: Durations

    def duration(self, job: Sized) -> Duration | None:
        """Return how long a job will run in all; None when no similar run tells."""
        return self.durations.of(
            variant=job.variant,
            model=job.model,
            data_name=job.data_name,
            is_gpu=job.gpus > 0,
            max_epochs=job.max_epochs,
        )

    def end_of(self, job: ListedJob) -> float | None:
        """Return when a running job will end; None when nobody knows."""
        if job.frozen_at is not None or job.state == "stopping":
            return None
        left = time_left(
            self.duration(job), ran=self.ran(job), epoch=job.epoch, max_epochs=job.max_epochs
        )
        return None if left is None else self.now + left

    def ran(self, job: ListedJob) -> float:
        """Return for how many seconds a live job has run, all attempts together."""
        begun = job.attempt_started_at or job.started_at or self.now
        return job.running_seconds + max(0.0, self.now - begun)

    def estimates(self, planned: Sequence[Sized] = ()) -> Mapping[int, Estimate]:
        """Return when every queued job will start and end, by its id.

        Args:
            planned: jobs that would be added at the end; they are called -1, -2 and so on.

        Returns:
            Nothing while no worker is there: then nobody can say.
        """
        if not self.workers:
            return {}
        waiting = [self._waiting(job) for job in self.jobs if job.state == "queued"]
        for place, job in enumerate(planned, start=1):
            kind, amount = _needs(job.gpus)
            seconds = self._seconds(job, 0.0)
            waiting.append(Waiting(id=-place, kind=kind, amount=amount, seconds=seconds))
        return estimate(
            [self._busy(job) for job in self.jobs if job.state in LIVE],
            waiting,
            devices=self.devices(),
            limits=self._limits(),
            now=self.now,
        )

    def devices(self) -> Mapping[str, float]:
        """Return how many devices of each kind the living workers have."""
        found = {"cpu": 0.0, "gpu": 0.0}
        for kinds in self.workers.values():
            for kind in kinds:
                found[kind] += 1.0
        return found

    def why(self, job: ListedJob) -> str:
        """Return why a job that waits does, in words; empty for one that does not."""
        if job.state == "held":
            return "held; `setgf queue release` lets it start"
        if job.state == "paused":
            return "paused; `setgf queue resume` goes on"
        if job.state != "queued":
            return ""
        return self._dependency(job) or self._group(job) or self._room(job)

    def _dependency(self, job: ListedJob) -> str:
        needed = self.needed.get(job.id, ())
        if needed:
            first = ", ".join(f"{other} ({state})" for other, _, state in needed[:3])
            more = f" and {len(needed) - 3} more" if len(needed) > 3 else ""
            return f"waits for job {first}{more}"
        if job.not_before is not None and job.not_before > self.now:
            if job.attempt:
                return f"tried again in {job.not_before - self.now:.0f}s: {job.reason}"
            return "delayed"
        return ""

    def _group(self, job: ListedJob) -> str:
        group = self.groups.get(job.group_name or "")
        if group is None:
            return ""
        if group.paused_at is not None:
            return f"group `{group.name}` is paused"
        running = self.live_in_group.get(group.name, 0)
        if group.parallelism is not None and running >= group.parallelism:
            return f"group `{group.name}` runs {running} of at most {group.parallelism}"
        return ""

    def _room(self, job: ListedJob) -> str:
        if not self.workers:
            return NO_WORKER
        kind, amount = _needs(job.gpus)
        most = max(kinds.count(kind) for kinds in map(list, self.workers.values()))
        if amount > most:
            if kind == "cpu":
                return "no worker has a CPU slot"
            return f"needs {amount:g} GPU, but no worker has more than {most}"
        return "waits for a CPU slot" if kind == "cpu" else "waits for a GPU"

    def _limits(self) -> Mapping[str, int]:
        return {
            name: 0 if group.paused_at is not None else group.parallelism or 0
            for name, group in self.groups.items()
            if group.paused_at is not None or group.parallelism is not None
        }

    def _seconds(self, job: Sized, ran: float) -> float | None:
        duration = self.duration(job)
        return None if duration is None else max(1.0, duration.seconds - ran)

    def _waiting(self, job: ListedJob) -> Waiting:
        kind, amount = _needs(job.gpus)
        return Waiting(
            id=job.id,
            kind=kind,
            amount=amount,
            seconds=self._seconds(job, job.running_seconds),
            not_before=job.not_before,
            after=tuple(other for other, _, _ in self.needed.get(job.id, ())),
            group=job.group_name,
        )

    def _busy(self, job: ListedJob) -> Busy:
        kind, amount = _needs(job.gpus)
        return Busy(
            id=job.id, kind=kind, amount=amount, ends_at=self.end_of(job), group=job.group_name
        )


def look(
    statements: Statements, *, now: float, known: Sequence[ListedJob] | None = None
) -> Outlook:
    """Return the queue as it is.

    Args:
        statements: in a reading transaction.
        now: seconds since the epoch.
        known: jobs read already, all that are not over among them; None reads them.
    """
    jobs = [
        job
        for job in (read_jobs(statements, states=UNFINISHED) if known is None else known)
        if not job.is_finished
    ]
    return Outlook(
        now=now,
        jobs=sorted(jobs, key=lambda job: (-job.priority, job.position, job.id)),
        needed=waits_for(statements),
        groups=read_groups(statements),
        workers=living_devices(statements, now=now),
        live_in_group=Counter(job.group_name or "" for job in jobs if job.state in LIVE),
        durations=Durations(past_runs(statements)),
    )


def _needs(gpus: float) -> tuple[str, float]:
    """Return the kind of device a job needs and how many: a CPU slot, GPUs, or a part of one."""
    if gpus <= 0:
        return "cpu", 1.0
    return "gpu", gpus if gpus < 1 else float(ceil(gpus))


__all__ = ["NO_WORKER", "UNFINISHED", "UNKNOWN", "Outlook", "look"]
