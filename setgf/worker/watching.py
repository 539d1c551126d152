"""What a worker notices of a living attempt: its memory, its time, and whether it gets on."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from db.records import Job
from setgf.runs.folder import AttemptFolder
from setgf.runs.heartbeat import read_heartbeat
from setgf.worker.clocks import asleep_seconds, boot_time
from setgf.worker.outcomes import Aim
from setgf.worker.processes import Usage

HUNG_AFTER_SECONDS = 1800.0
"""Without a batch, or where nobody counts those, without a word and without work of the processor.
"""
WARNING_SECONDS = 60.0
WARNING_PART = 0.1
"""A job near its time limit is asked to write its checkpoint so long before it, at most."""
_SHORTEST_SLEEP = 1.0
_IDLE_CPU = 0.01
"""Part of a core below which processes do nothing but wait."""


@dataclass(slots=True, kw_only=True)
class Watch:
    """What is known of one attempt; times by the clock that counts since boot."""

    attempt: AttemptFolder
    started_at: float
    """Its child's start; of an attempt that was only just claimed, now."""
    clock: Callable[[], float] = boot_time
    asleep: Callable[[], float] = asleep_seconds
    peak_memory_mib: int | None = None
    peak_gpu_mib: int | None = None
    memory_mib: int = 0
    """Of the machine, at the last look."""
    cpu_percent: float = 0.0
    """Of a core, between the last two looks."""
    frozen_seconds: float = 0.0
    """Of all past times it was frozen."""
    frozen_at: float | None = None
    _progress_at: float = 0.0
    _resumed_at: float = 0.0
    """When it was thawed, or the machine woke up: before, it could not get on."""
    _asleep_before: float = 0.0
    _slept: float = 0.0
    _traces: tuple[int, ...] = ()
    _cpu_seconds: float = 0.0
    _looked_at: float = field(default=0.0)

    def __post_init__(self) -> None:
        self._progress_at = self._looked_at = self.clock()
        self._asleep_before = self.asleep()

    def see(self, usage: Usage, gpu_mib: int | None) -> None:
        """Take in what the attempt's processes use now."""
        now = self.clock()
        passed = max(now - self._looked_at, 1e-3)
        worked = max(0.0, usage.cpu_seconds - self._cpu_seconds)
        self.memory_mib, self.cpu_percent = usage.memory_mib, worked / passed * 100
        self.peak_memory_mib = max(usage.memory_mib, self.peak_memory_mib or 0)
        if gpu_mib is not None:
            self.peak_gpu_mib = max(gpu_mib, self.peak_gpu_mib or 0)
        if self._leaves_traces() or worked / passed > _IDLE_CPU or self.frozen_at is not None:
            self._progress_at = now
        self._cpu_seconds, self._looked_at = usage.cpu_seconds, now

    def running_seconds(self) -> float:
        """Return how long it has run: time frozen, and asleep as far as we saw, left out."""
        self._notice_sleep()
        now = self.clock()
        frozen = self.frozen_seconds + (0.0 if self.frozen_at is None else now - self.frozen_at)
        return max(0.0, now - self.started_at - frozen - self._slept)

    def limit(self, job: Job, hung_after: float | None) -> Aim | None:
        """Return why the attempt has to be stopped; None while it may go on."""
        if self.frozen_at is not None:
            return None
        if job.time_limit is not None:
            warning = min(WARNING_SECONDS, WARNING_PART * job.time_limit)
            if job.running_seconds + self.running_seconds() >= job.time_limit - warning:
                return Aim.TIME_LIMIT
        if hung_after is not None and self.idle_seconds() > hung_after:
            return Aim.HUNG
        return None

    def idle_seconds(self) -> float:
        """Return since when it has made no progress, as far as this worker saw.

        A child that counts its batches is judged by them alone: a thread that waits for ever in a
        loop uses the processor, too.
        """
        self._notice_sleep()
        heartbeat = read_heartbeat(self.attempt)
        progress_at = self._progress_at if heartbeat is None else heartbeat.worked_at
        return max(0.0, self.clock() - max(progress_at, self._resumed_at))

    def freeze(self) -> None:
        """Note that its processes were stopped where they are."""
        if self.frozen_at is None:
            self.frozen_at = self.clock()

    def thaw(self) -> None:
        """Note that they go on."""
        if self.frozen_at is not None:
            now = self.clock()
            self.frozen_seconds += now - self.frozen_at
            self.frozen_at, self._resumed_at = None, now

    def _notice_sleep(self) -> None:
        """Leave out the time the machine was asleep."""
        asleep = self.asleep()
        if asleep > self._asleep_before + _SHORTEST_SLEEP:
            self._slept += asleep - self._asleep_before
            self._resumed_at = self.clock()
            self._asleep_before = asleep

    def _leaves_traces(self) -> bool:
        """True when its journal, event log or output has grown."""
        traces: list[int] = []
        for path in (self.attempt.points, self.attempt.events, self.attempt.log):
            size = 0
            with suppress(OSError):
                size = path.stat().st_size
            traces.append(size)
        grown, self._traces = tuple(traces) != self._traces, tuple(traces)
        return grown
