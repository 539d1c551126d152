"""What is done to living attempts: asked to stop, frozen, thawed, measured, fenced."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from db import jobs
from db.engine import Database
from db.records import JobState
from setgf.worker.held import Held
from setgf.worker.outcomes import Aim, aim_of
from setgf.worker.processes import Usage, freeze, members, process_table, thaw, usage

log = logging.getLogger("setgf.worker")


class Reins:
    """The attempts a worker holds, and its hand on them."""

    def __init__(self, database: Database, hung_after: float | None) -> None:
        self.database = database
        self.hung_after = hung_after
        self.held: dict[int, Held] = {}

    def stop(self, job_id: int, aim: Aim, *, why: str, actor: str, now: float) -> bool:
        """Ask an attempt to checkpoint and leave; False when it isn't held here.

        A frozen one goes on first. A stronger aim is never taken back by a weaker one.
        """
        held = self.held.get(job_id)
        if held is None:
            return False
        standing = aim_of(held.attempt.stop_aim())
        if held.job.state is JobState.STOPPING and not aim.replaces(standing):
            return True
        if held.is_frozen:
            self.thaw(job_id, now)
        with self.database.write() as connection:
            held.job = jobs.change_state(
                connection,
                job_id,
                JobState.STOPPING,
                attempt=held.attempt.number,
                why=why,
                actor=actor,
                now=now,
                aim=aim.column,
            )
        held.attempt.request_stop(aim)
        log.info("%s is asked to stop: %s", held.words, why)
        return True

    def freeze(self, job_id: int, now: float) -> str:
        """Stop all processes of an attempt where they are; returns what came of it."""
        held = self.held.get(job_id)
        if held is None or held.job.state is not JobState.RUNNING:
            return "not running here"
        count = freeze(held.attempt)
        self._set_frozen(held, True, now)
        held.watch.freeze()
        log.info("%s is frozen: %d processes", held.words, count)
        return f"frozen: {count} processes"

    def thaw(self, job_id: int, now: float) -> str:
        """Let the processes of a frozen attempt go on; returns what came of it."""
        held = self.held.get(job_id)
        if held is None:
            return "not held by this worker"
        count = thaw(held.attempt)  # first: a crash here leaves it frozen in name only
        self._set_frozen(held, False, now)
        held.watch.thaw()
        log.info("%s goes on: %d processes", held.words, count)
        return f"thawed: {count} processes"

    def observe(self, gpus: Mapping[str, Mapping[int, int]], now: float) -> dict[int, Usage]:
        """Measure every attempt, and stop those over their time or without progress.

        Args:
            gpus: MiB by pid of every GPU.
            now: seconds since the epoch.

        Returns:
            What each attempt uses, by job id.
        """
        if not self.held:
            return {}
        table = process_table()
        seen: dict[int, Usage] = {}
        for job_id, held in tuple(self.held.items()):
            record = held.find_process()
            if record is None:
                continue
            seen[job_id] = used = usage(members(table, record))
            held.watch.see(used, _gpu_mib(held.devices, gpus, used.pids))
            aim = held.watch.limit(held.job, self.hung_after)
            if aim is not None and held.job.state is JobState.RUNNING:
                why = "it makes no progress" if aim is Aim.HUNG else "its time limit is near"
                self.stop(job_id, aim, why=why, actor="worker", now=now)
        return seen

    def fence(self) -> None:
        """Stop every attempt where it is: nobody knows whether they are still ours."""
        for held in tuple(self.held.values()):
            if not held.is_fenced:
                held.is_fenced = True
                held.watch.freeze()
                log.warning("%s waits: its lease is over by our clock", held.words)
                freeze(held.attempt)

    def unfence(self) -> None:
        """Let the attempts that are still ours go on."""
        for held in tuple(self.held.values()):
            if held.is_fenced:
                held.is_fenced = False
                if not held.is_frozen:
                    thaw(held.attempt)
                    held.watch.thaw()
                    log.warning("%s goes on: it is still ours", held.words)

    def _set_frozen(self, held: Held, frozen: bool, now: float) -> None:
        with self.database.write() as connection:
            held.job = jobs.set_frozen(connection, held.job.id, held.attempt.number, frozen, now)


def _gpu_mib(
    devices: tuple[str, ...], gpus: Mapping[str, Mapping[int, int]], pids: frozenset[int]
) -> int | None:
    """Return the most memory an attempt's processes hold of one GPU; None when none is seen."""
    held = [
        sum(mib for pid, mib in gpus[name].items() if pid in pids)
        for name in devices
        if name in gpus
    ]
    return max(held, default=0) or None
