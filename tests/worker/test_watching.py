from __future__ import annotations

import struct
from pathlib import Path

from setgf.runs.folder import AttemptFolder
from setgf.worker.outcomes import Aim
from setgf.worker.processes import Usage
from setgf.worker.watching import Watch
from tests.worker.builders import a_job
from tests.worker.processes import begin

IDLE = Usage(pids=frozenset({5}), memory_mib=100, cpu_seconds=0.0)


class Clocks:
    """Time since boot, and how much of it the machine was asleep."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.asleep = 0.0

    def pass_(self, seconds: float) -> None:
        self.now += seconds

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.asleep += seconds


def a_watch(tmp_path: Path) -> tuple[Watch, Clocks, AttemptFolder]:
    clocks, attempt = Clocks(), begin(tmp_path)
    watch = Watch(
        attempt=attempt, started_at=1000.0, clock=lambda: clocks.now, asleep=lambda: clocks.asleep
    )
    return watch, clocks, attempt


def beat(attempt: AttemptFolder, *, worked_at: float) -> None:
    attempt.heartbeat.write_bytes(struct.pack("<Qdd", 7, worked_at, worked_at))


def test_the_peak_is_the_most_that_was_seen(tmp_path: Path) -> None:
    watch, _, _ = a_watch(tmp_path)

    for mib, gpu in ((100, None), (300, 2000), (200, 1000)):
        watch.see(Usage(pids=frozenset(), memory_mib=mib, cpu_seconds=0.0), gpu)

    assert (watch.memory_mib, watch.peak_memory_mib, watch.peak_gpu_mib) == (200, 300, 2000)


def test_time_frozen_and_asleep_is_not_running_time(tmp_path: Path) -> None:
    watch, clocks, _ = a_watch(tmp_path)

    clocks.pass_(10)
    watch.freeze()
    clocks.pass_(100)
    watch.thaw()
    clocks.sleep(3600)
    clocks.pass_(5)

    assert watch.running_seconds() == 15
    assert watch.frozen_seconds == 100


def test_the_time_limit_counts_all_attempts_and_warns_before_it(tmp_path: Path) -> None:
    watch, clocks, _ = a_watch(tmp_path)
    job = a_job(1, time_limit=1000.0, running_seconds=800.0)

    clocks.pass_(139)
    assert watch.limit(job, None) is None  # 1000 - 60 of warning
    clocks.pass_(1)
    assert watch.limit(job, None) is Aim.TIME_LIMIT
    watch.freeze()
    assert watch.limit(job, None) is None


def test_a_child_that_neither_writes_nor_works_is_hung(tmp_path: Path) -> None:
    watch, clocks, attempt = a_watch(tmp_path)
    watch.see(IDLE, None)

    clocks.pass_(50)
    attempt.log.write_text("a word")
    watch.see(IDLE, None)
    clocks.pass_(50)
    watch.see(Usage(pids=frozenset(), memory_mib=1, cpu_seconds=20.0), None)
    assert watch.limit(a_job(1), 60) is None

    clocks.pass_(61)
    watch.see(Usage(pids=frozenset(), memory_mib=1, cpu_seconds=20.1), None)
    assert watch.limit(a_job(1), 60) is Aim.HUNG
    assert watch.limit(a_job(1), None) is None


def test_a_child_that_counts_batches_is_judged_by_them_alone(tmp_path: Path) -> None:
    watch, clocks, attempt = a_watch(tmp_path)
    beat(attempt, worked_at=1000.0)

    clocks.pass_(61)
    attempt.log.write_text("still here")
    watch.see(Usage(pids=frozenset(), memory_mib=1, cpu_seconds=60.0), None)

    assert watch.limit(a_job(1), 60) is Aim.HUNG
    beat(attempt, worked_at=1050.0)
    assert watch.limit(a_job(1), 60) is None


def test_a_machine_that_wakes_up_gives_a_child_its_time_again(tmp_path: Path) -> None:
    watch, clocks, attempt = a_watch(tmp_path)
    beat(attempt, worked_at=1000.0)

    clocks.sleep(7200)
    assert watch.limit(a_job(1), 60) is None
    clocks.pass_(61)
    assert watch.limit(a_job(1), 60) is Aim.HUNG


def test_a_thawed_child_gets_its_time_again(tmp_path: Path) -> None:
    watch, clocks, attempt = a_watch(tmp_path)
    beat(attempt, worked_at=1000.0)
    watch.freeze()
    clocks.pass_(7200)
    watch.thaw()

    assert watch.limit(a_job(1), 60) is None
