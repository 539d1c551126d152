"""The worker: one loop that claims jobs, looks after attempts, hears commands and says it lives.

A database that is locked or full stops no training: what could not be stored is tried again at the
next turn of the loop, and children know nothing of it. A database that is damaged or gone ends the
worker with a sentence; its children live on and the next worker adopts them.
"""

from __future__ import annotations

import logging
import os
import secrets
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass

from db import jobs, records, runs
from db.commands import handle_command, pending_commands
from db.engine import Database
from db.errors import (
    DatabaseCorruptError,
    DatabaseError,
    FencedError,
    NotFoundError,
    SchemaTooNewError,
)
from db.records import Claim, Command, Job, JobState, Verb
from db.workers import list_workers
from setgf.errors import RunFolderError
from setgf.home import Home
from setgf.worker.engines.local import Engine, LocalEngine
from setgf.worker.gpus import default_slots
from setgf.worker.keeper import Keeper
from setgf.worker.outcomes import FIRST_BACK_OFF_SECONDS, Aim
from setgf.worker.placement import Placement, needs, place
from setgf.worker.presence import Presence
from setgf.worker.submit import new_run, run_identity
from setgf.worker.supervision import boot_id, is_running
from setgf.worker.wakeup import WakeUp

LEASE_SECONDS = 30.0
TICK_SECONDS = 0.05
LOOK_SECONDS = 0.5
"""Longest time between two looks into the queue when nothing seems to have changed."""
ADOPT_SECONDS = 1.0
TIDY_SECONDS = 5.0
SAMPLE_SECONDS = 2.0
TROUBLE_SECONDS = 1.0
"""Pause after the database has refused."""
TELL_SECONDS = 60.0
"""Time until the log says the same again."""

log = logging.getLogger("setgf.worker")


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerOptions:
    """How a worker works."""

    slots: int | None = None
    """CPU jobs at once; None is half the cores."""
    gpus: tuple[int, ...] | None = None
    """Indices of the GPUs it may give out; None takes all it can see."""
    drain: bool = False
    """Leave when no job is left that could run here."""
    once: bool = False
    """Leave after one job."""
    lease_seconds: float = LEASE_SECONDS
    back_off_seconds: float = FIRST_BACK_OFF_SECONDS
    """Before a crashed job's second attempt; doubled for every further one."""


class Worker:
    """Claims jobs on this machine. `run` it in the main thread, or turn it by `step`."""

    def __init__(
        self,
        home: Home,
        database: Database,
        options: WorkerOptions,
        *,
        engine: Engine | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.home = home
        self.database = database
        self.options = options
        self.clock = clock
        self.host = socket.gethostname()
        self.boot = boot_id()
        self.id = f"{self.host}-{secrets.token_hex(2)}"
        slots = default_slots() if options.slots is None else options.slots
        self._presence = Presence(database, self.id, slots=slots, gpus=options.gpus)
        self.devices = self._presence.devices
        self.keeper = Keeper(
            home,
            database,
            LocalEngine(home) if engine is None else engine,
            slots=slots,
            back_off_seconds=options.back_off_seconds,
        )
        self.is_leaving = False
        """True once it claims nothing more."""
        self._waits_for_children = False
        self._num_claimed = 0
        self._seen_version: int | None = None
        self._due: dict[str, float] = {}
        self._told: dict[str, float] = {}
        self._is_idle = False
        """True when the last look found no job that could run here, now or later."""

    @property
    def is_done(self) -> bool:
        """True when the loop may end."""
        if self.is_leaving:
            return not (self._waits_for_children and self.keeper.held)
        if self.keeper.held:
            return False
        if self.options.once:
            return self._num_claimed > 0 or self._is_idle
        return self.options.drain and self._is_idle

    def run(self) -> None:
        """Work until told to leave.

        Raises:
            DatabaseError: the database is damaged or gone.
        """
        self.register(self.clock())
        interrupts = 0
        with WakeUp() as wake_up:
            while not self.is_done:
                self.step(self.clock())
                wake_up.wait(TICK_SECONDS)
                if wake_up.terminated:
                    self.leave(now=False)
                elif wake_up.interrupts > interrupts:
                    interrupts = wake_up.interrupts
                    self._interrupt(interrupts)
        self._sign_off()

    def register(self, now: float) -> None:
        """Say that this worker is there, with its devices."""
        self._presence.register(now)
        names = ", ".join(device.name for device in self.devices)
        log.info("worker %s (pid %d) works on %s", self.id, os.getpid(), names)

    def step(self, now: float) -> None:
        """Turn the loop once."""
        self._try(self.keeper.tend, now)
        if self._is_due("beat", now, self.options.lease_seconds / 3):
            self._try(self._beat, now)
        if self._is_due("sample", now, SAMPLE_SECONDS):
            self._try(self._sample, now)
        if self._is_due("adopt", now, ADOPT_SECONDS):
            self._try(self._adopt, now)
        if self._is_due("tidy", now, TIDY_SECONDS):
            self._try(self._tidy, now)
        self._try(self._look, now)

    def leave(self, *, now: bool) -> None:
        """Claim nothing more and leave; `now` asks the children to checkpoint and requeues them."""
        self.is_leaving = True
        self._waits_for_children = self._waits_for_children or now
        if now:
            for job_id in tuple(self.keeper.held):
                self._try(lambda moment, job_id=job_id: self._requeue(job_id, moment), self.clock())

    def _interrupt(self, count: int) -> None:
        """First Ctrl-C: children checkpoint and go back to the queue. Second: leave them alone."""
        if count == 1:
            log.info("interrupted: asking running jobs to checkpoint; again to leave them running")
            self.leave(now=True)
        else:
            self._waits_for_children = False

    def _try(self, action: Callable[[float], object], now: float) -> None:
        """Do something with the database; one that refuses for the moment is asked again later.

        So is a run folder: its disk may be full for the moment, too.
        """
        try:
            action(now)
        except (DatabaseCorruptError, SchemaTooNewError, NotFoundError):
            raise
        except (DatabaseError, RunFolderError) as error:
            told = self._told.get(str(error))
            if told is None or not 0 <= now - told < TELL_SECONDS:
                log.warning("%s Training goes on; trying again.", error)
                self._told[str(error)] = now
            time.sleep(TROUBLE_SECONDS)

    def _is_due(self, name: str, now: float, seconds: float) -> bool:
        """True every so many seconds; a clock set back does not stop it."""
        last = self._due.get(name)
        if last is not None and 0 <= now - last < seconds:
            return False
        self._due[name] = now
        return True

    def _look(self, now: float) -> None:
        """Hear commands and claim jobs, when anything changed or some time has passed."""
        version = self.database.data_version()
        if version == self._seen_version and not self._is_due("look", now, LOOK_SECONDS):
            return
        self._hear(now)
        if not self.is_leaving:
            self._claim(now)
        ends = self.options.drain or self.options.once
        self._is_idle = ends and not self.keeper.held and self._finds_nothing(now)
        self._seen_version = version

    def _hear(self, now: float) -> None:
        with self.database.read() as connection:
            waiting = pending_commands(connection, worker_id=self.id)
        for command in waiting:
            result = self._obey(command, now)
            with self.database.write() as connection:
                handle_command(connection, command.id, result=result, now=now)

    def _obey(self, command: Command, now: float) -> str:
        if command.verb is Verb.STOP_WORKER:
            self.leave(now=bool(command.arguments.get("now")))
            return "leaving"
        if command.job_id is None:
            return "names no job"
        why = f"cancelled by {command.actor}"
        held = self.keeper.stop(command.job_id, Aim.CANCEL, why=why, actor=command.actor, now=now)
        return "asked to stop" if held else "not held by this worker"

    def _requeue(self, job_id: int, now: float) -> None:
        self.keeper.stop(job_id, Aim.REQUEUE, why="the worker stops", actor=self.id, now=now)

    def _claim(self, now: float) -> None:
        """Start what fits on free devices."""
        if self.options.once and self._num_claimed:
            return
        taken = self.keeper.taken_devices()
        if all(device.name in taken for device in self.devices):
            return
        with self.database.read() as connection:
            waiting = jobs.candidates(connection, now=now)
            if waiting and any(device.kind == "gpu" for device in self.devices):
                taken |= self._gpus_of_others(list_workers(connection, now=now))
        placements, _ = place(waiting, self.devices, taken)
        for placement in placements[: 1 if self.options.once else None]:
            claim = self._take(placement, now)
            if claim is not None:
                self._num_claimed += 1
                self.keeper.start(claim.job, placement.devices, now)

    def _take(self, placement: Placement, now: float) -> Claim | None:
        with self.database.write() as connection:
            claim = jobs.claim(
                connection,
                placement.job.id,
                worker_id=self.id,
                host=self.host,
                boot_id=self.boot,
                devices=placement.devices,
                lease_seconds=self.options.lease_seconds,
                now=now,
                boot_time=boot_time(),
            )
            if claim is not None:
                folder = self.home.runs / claim.job.run_id
                identity = run_identity(claim.job, created_at=now)
                runs.add_run(connection, new_run(identity, claim.job.config, folder))
        return claim

    def _gpus_of_others(self, workers: tuple[records.Worker, ...]) -> set[str]:
        return {
            device.name
            for worker in workers
            if worker.host == self.host
            for device in worker.devices
            if device.kind == "gpu" and device.job_id is not None
        }

    def _finds_nothing(self, now: float) -> bool:
        """True when no job is left that could run here; fails those that wait for a failed one."""
        with self.database.read() as connection:
            queued = jobs.list_jobs(connection, states=[JobState.QUEUED])
            live = jobs.live_jobs(connection, self.host)
        if not queued:
            return not live
        with self.database.write() as connection:
            failed = {job.id for job in jobs.fail_blocked(connection, now=now)}
        return not live and not any(self._fits(job) for job in queued if job.id not in failed)

    def _fits(self, job: Job) -> bool:
        kind, wanted = needs(job)
        return wanted <= sum(device.kind == kind for device in self.devices)

    def _beat(self, now: float) -> None:
        """Say that this worker lives, and keep its jobs; let go of those that are another's."""
        held = self.keeper.held
        with self.database.write() as connection:
            self._presence.beat(connection, now)
            ours = jobs.renew_leases(
                connection,
                self.id,
                [(job_id, entry.attempt.number) for job_id, entry in held.items()],
                lease_seconds=self.options.lease_seconds,
                now=now,
                boot_time=boot_time(),
            )
        for job_id in set(held) - set(ours):
            log.warning("%s is another worker's now", held[job_id].words)
            self.keeper.drop(job_id)

    def _tidy(self, now: float) -> None:
        """Fail the jobs that wait for one that failed."""
        with self.database.write() as connection:
            for job in jobs.fail_blocked(connection, now=now):
                log.info("job %d is failed: %s", job.id, job.error)

    def _sample(self, now: float) -> None:
        self._presence.sample(self.keeper.device_processes(), now)

    def _adopt(self, now: float) -> None:
        """Take over what dead workers left on this machine, and what leases of others ran out."""
        if self.is_leaving:
            return
        with self.database.read() as connection:
            here = jobs.live_jobs(connection, self.host)
            workers = {worker.id: worker for worker in list_workers(connection, now=now)}
        for job, attempt in here:
            owner = workers.get(job.worker_id or "")
            is_kept = owner is not None and is_running(owner.pid, owner.pid_start, owner.boot_id)
            if job.id in self.keeper.held or (
                is_kept and owner is not None and owner.id != self.id
            ):
                continue
            self._take_over(job, attempt.devices, now)

    def _take_over(self, job: Job, devices: tuple[str, ...], now: float) -> None:
        try:
            with self.database.write() as connection:
                ours = jobs.adopt(
                    connection,
                    job.id,
                    job.attempt,
                    self.id,
                    previous=job.worker_id,
                    host=self.host,
                    boot_id=self.boot,
                    lease_seconds=self.options.lease_seconds,
                    now=now,
                    boot_time=boot_time(),
                )
        except FencedError:
            return
        self.keeper.adopt(ours, devices)

    def _sign_off(self) -> None:
        left = ", ".join(f"job {job_id}" for job_id in sorted(self.keeper.held))
        self._try(self._presence.sign_off, self.clock())
        log.info("worker %s left%s", self.id, f"; still running: {left}" if left else "")


def boot_time() -> float:
    """Return seconds since boot, time asleep included: no clock change moves it."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)
