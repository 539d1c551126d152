"""When waiting jobs will start and end: pure functions of what runs, what waits and what was.

An estimate plays the queue forward: what runs ends when similar runs did, and every free device
goes to the next job that may have it, in the order of the queue and within the limits of groups.
"""

from __future__ import annotations

import heapq
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from db.job_list import PastRun


@dataclass(frozen=True, slots=True, kw_only=True)
class Duration:
    """How long a job will run, and how that is known."""

    seconds: float
    num_runs: int
    """Similar runs it was taken from."""
    is_same: bool
    """They differ in the seed at most; else only model and data are the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Busy:
    """A job that holds a device."""

    id: int
    kind: str
    """`cpu` or `gpu`."""
    amount: float
    """Devices it holds; below 1 a part of one."""
    ends_at: float | None
    """None: nobody knows."""
    group: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A job that waits, as far as its start depends on it."""

    id: int
    kind: str
    amount: float
    seconds: float | None
    """How long it will run; None: nobody knows."""
    not_before: float | None = None
    after: tuple[int, ...] = ()
    """Jobs that must be over first."""
    group: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """When a job will start and end; None where that can't be said."""

    start: float | None
    end: float | None


UNKNOWN = Estimate(start=None, end=None)


class Durations:
    """How long runs took, by what they were runs of."""

    def __init__(self, past: Iterable[PastRun]) -> None:
        self._same: dict[tuple[str, bool], list[float]] = defaultdict(list)
        self._alike: dict[tuple[str, str, bool], list[float]] = defaultdict(list)
        for run in past:
            self._same[run.variant, bool(run.is_gpu)].append(run.seconds)
            # Early stopping is part of it: seconds by the epochs that were allowed.
            share = run.seconds / max(1, run.max_epochs)
            self._alike[run.model, run.data_name, bool(run.is_gpu)].append(share)

    def of(
        self, *, variant: str, model: str, data_name: str, is_gpu: bool, max_epochs: int
    ) -> Duration | None:
        """Return how long such a job will run: the median of similar runs; None without any."""
        same = self._same.get((variant, is_gpu))
        if same:
            return Duration(seconds=median(same), num_runs=len(same), is_same=True)
        alike = self._alike.get((model, data_name, is_gpu))
        if alike:
            seconds = median(alike) * max_epochs
            return Duration(seconds=seconds, num_runs=len(alike), is_same=False)
        return None


def time_left(
    duration: Duration | None, *, ran: float, epoch: int, max_epochs: int
) -> float | None:
    """Return how much longer a running job will take; None when nothing tells.

    Args:
        duration: of similar runs.
        ran: seconds it has run.
        epoch: epochs it has finished.
        max_epochs: epochs it makes at most.
    """
    own = ran / epoch * (max_epochs - epoch) if epoch else None
    if duration is not None and duration.seconds > ran:
        left = duration.seconds - ran
        return left if own is None else min(left, own)
    return own


def estimate(
    running: Sequence[Busy],
    waiting: Sequence[Waiting],
    *,
    devices: Mapping[str, float],
    limits: Mapping[str, int],
    now: float,
) -> Mapping[int, Estimate]:
    """Return when every waiting job will start and end.

    Args:
        running: what holds devices now.
        waiting: what may start sometime, in the order of the queue.
        devices: how many devices of each kind the living workers have.
        limits: jobs of a group that may run at once; groups without a limit are left out.
        now: seconds since the epoch.
    """
    return _Forecast(running, waiting, devices=devices, limits=limits, now=now).play()


class _Forecast:
    """Plays the queue forward from event to event."""

    def __init__(
        self,
        running: Sequence[Busy],
        waiting: Sequence[Waiting],
        *,
        devices: Mapping[str, float],
        limits: Mapping[str, int],
        now: float,
    ) -> None:
        self._now = now
        self._jobs = waiting
        self._free = defaultdict(float, devices)
        self._most = dict(devices)
        self._limits = limits
        self._in_group: dict[str | None, int] = defaultdict(int)
        self._ready: dict[str, list[int]] = defaultdict(list)
        self._held_back: dict[str, list[int]] = defaultdict(list)
        self._delayed: list[tuple[float, int]] = []
        self._ends: list[tuple[float, int, str, float, str | None]] = []
        self._followers: dict[int, list[int]] = defaultdict(list)
        self._missing: dict[int, int] = {}
        self._found: dict[int, Estimate] = {}
        for job in running:
            self._free[job.kind] -= job.amount
            self._in_group[job.group] += 1
            if job.ends_at is not None:
                end = max(now, job.ends_at)
                heapq.heappush(self._ends, (end, job.id, job.kind, job.amount, job.group))

    def play(self) -> Mapping[int, Estimate]:
        """Return the estimates."""
        for place, job in enumerate(self._jobs):
            needed = set(job.after)
            self._missing[place] = len(needed)
            for other in needed:
                self._followers[other].append(place)
            if not needed:
                self._admit(place)
        self._start_ready()
        while self._ends or self._delayed:
            self._step()
            self._start_ready()
        return {job.id: self._found.get(job.id, UNKNOWN) for job in self._jobs}

    def _step(self) -> None:
        """Go to the next moment at which something ends or becomes due."""
        ends = self._ends[0][0] if self._ends else math.inf
        due = self._delayed[0][0] if self._delayed else math.inf
        self._now = min(ends, due)
        while self._delayed and self._delayed[0][0] <= self._now:
            self._queue(heapq.heappop(self._delayed)[1])
        while self._ends and self._ends[0][0] <= self._now:
            _, job_id, kind, amount, group = heapq.heappop(self._ends)
            self._free[kind] += amount
            self._in_group[group] -= 1
            if group is not None and self._held_back[group]:
                self._queue(heapq.heappop(self._held_back[group]))
            for place in self._followers.pop(job_id, ()):
                self._missing[place] -= 1
                if not self._missing[place]:
                    self._admit(place)

    def _admit(self, place: int) -> None:
        """Take in a job that waits for no other."""
        due = self._jobs[place].not_before
        if due is not None and due > self._now:
            heapq.heappush(self._delayed, (due, place))
        else:
            self._queue(place)

    def _queue(self, place: int) -> None:
        job = self._jobs[place]
        if job.amount <= self._most.get(job.kind, 0.0):  # else it never starts, and blocks no other
            heapq.heappush(self._ready[job.kind], place)

    def _start_ready(self) -> None:
        for kind, ready in self._ready.items():
            while ready:
                job = self._jobs[ready[0]]
                if self._is_full(job.group):
                    heapq.heappush(self._held_back[job.group or ""], heapq.heappop(ready))
                elif job.amount <= self._free[kind] + 1e-9:
                    self._start(self._jobs[heapq.heappop(ready)])
                else:
                    break

    def _is_full(self, group: str | None) -> bool:
        limit = None if group is None else self._limits.get(group)
        return limit is not None and self._in_group[group] >= limit

    def _start(self, job: Waiting) -> None:
        self._free[job.kind] -= job.amount
        self._in_group[job.group] += 1
        end = None if job.seconds is None else self._now + job.seconds
        self._found[job.id] = Estimate(start=self._now, end=end)
        if end is not None:
            heapq.heappush(self._ends, (end, job.id, job.kind, job.amount, job.group))
