"""An attempt a worker answers for, and what its run folder says about its end."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from db.records import Job, JobState
from setgf.runs.folder import AttemptFolder
from setgf.worker.checkpoints import Resumable, find_resumable
from setgf.worker.clocks import boot_time
from setgf.worker.ingest import Carrier
from setgf.worker.logs import log_tail
from setgf.worker.outcomes import Aim, Circumstances, Ending, aim_of, aim_of_column, judge
from setgf.worker.supervision import ExitRecord, ProcessRecord, read_process
from setgf.worker.watching import Watch

_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(slots=True, kw_only=True)
class Held:
    """An attempt this worker answers for."""

    job: Job
    attempt: AttemptFolder
    devices: tuple[str, ...]
    carrier: Carrier
    watch: Watch
    shim_pid: int | None
    """None when another worker started it."""
    host_mib: int = 0
    """Memory of the machine it was promised."""
    shim_exit: int | None = None
    next_carry: float = 0.0
    next_check: float = 0.0
    process: ProcessRecord | None = None
    is_elsewhere: bool = False
    """It is another machine's: nothing is known of its processes."""
    is_fenced: bool = False
    """Its processes are stopped because the database could not be asked whether it is still ours.
    """

    @property
    def words(self) -> str:
        """How the log names it."""
        return f"job {self.job.id} ({self.job.name}), attempt {self.attempt.number}"

    @property
    def is_frozen(self) -> bool:
        """True while a user wants its processes stopped where they are."""
        return self.job.frozen_at is not None

    @property
    def aim(self) -> Aim | None:
        """Why it was asked to stop; None when it was not.

        Of another machine the `stop` file may not be seen here: the database knows as well.
        """
        aim = aim_of(self.attempt.stop_aim())
        if aim is None and self.is_elsewhere and self.job.state is JobState.STOPPING:
            return aim_of_column(self.job.aim)
        return aim

    @property
    def is_starting(self) -> bool:
        """True until the database knows of its process."""
        return self.job.state is JobState.STARTING

    def find_process(self) -> ProcessRecord | None:
        """Return its processes, once the shim has named them; its time runs from then on."""
        if self.process is None:
            self.process = read_process(self.attempt)
            if self.process is not None:
                self.watch.started_at = min(boot_time(), self.process.child_start / _TICKS)
        return self.process


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """How an attempt ended, and where a later one goes on."""

    ending: Ending
    resumable: Resumable
    peak_memory_mib: int | None
    peak_gpu_mib: int | None
    running_seconds: float | None
    """None: nobody here knows."""


def decide(
    held: Held, record: ExitRecord, events: Sequence[Mapping[str, Any]], hung_after: float | None
) -> Verdict:
    """Decide what the end of an attempt means by all that is known of it."""
    has_finished = any(event.get("kind") == "finished" for event in events)
    resumable = (
        Resumable()
        if has_finished or held.aim is Aim.CANCEL
        else find_resumable(held.attempt.run, held.attempt.number)
    )
    host, gpu = _peaks(held, record, events)
    ending = judge(
        record,
        events,
        log_tail=log_tail(held.attempt.log),
        around=Circumstances(
            aim=held.aim,
            was_alone=held.job.is_alone,
            checkpoint=resumable.words,
            damage=resumable.damage,
            time_limit=held.job.time_limit,
            hung_after=hung_after,
            memory=_memory_words(host, gpu),
        ),
    )
    return Verdict(
        ending=ending,
        resumable=resumable,
        peak_memory_mib=host,
        peak_gpu_mib=gpu,
        running_seconds=_running_seconds(held, record),
    )


def decide_unsaid(held: Held, ending: Ending) -> Verdict:
    """Return the verdict on an attempt that left no `exit.json`, or never started."""
    return Verdict(
        ending=ending,
        resumable=find_resumable(held.attempt.run, held.attempt.number),
        peak_memory_mib=held.watch.peak_memory_mib,
        peak_gpu_mib=held.watch.peak_gpu_mib,
        running_seconds=_running_seconds(held, None),
    )


def _running_seconds(held: Held, record: ExitRecord | None) -> float | None:
    """Return how long an attempt ran: one that was adopted may have ended long ago."""
    if held.is_elsewhere:
        return None
    process = held.find_process()
    if process is None:
        return 0.0
    seconds = held.watch.running_seconds()
    if record is None or held.shim_pid is not None:
        return seconds
    return max(0.0, min(seconds, record.ended_at - process.started_at))


def _peaks(
    held: Held, record: ExitRecord, events: Sequence[Mapping[str, Any]]
) -> tuple[int | None, int | None]:
    """Return the most memory of machine and GPU: seen from outside, by the shim, by the child."""
    host = max(held.watch.peak_memory_mib or 0, record.peak_memory_kib // 1024)
    gpu = held.watch.peak_gpu_mib or 0
    for event in events:
        if event.get("kind") in ("memory", "failed"):
            host = max(host, int(event.get("peak_memory_mib") or 0))
            gpu = max(gpu, int(event.get("peak_gpu_mib") or 0))
    return host or None, gpu or None


def _memory_words(host: int | None, gpu: int | None) -> str:
    words = [f"{gpu} MiB of the GPU"] if gpu else []
    return " and ".join([*words, *([f"{host} MiB of the machine"] if host else [])])
