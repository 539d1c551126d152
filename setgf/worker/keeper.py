"""Looks after the attempts a worker holds, from the claim to the end."""

from __future__ import annotations

import logging
import time
from contextlib import suppress
from dataclasses import dataclass

from db import jobs
from db.engine import Database
from db.errors import FencedError, NotFoundError
from db.records import FailureClass, Job, JobState
from setgf.errors import DiskFullError, RunFolderError, WorkerError
from setgf.home import Home
from setgf.runs.folder import AttemptFolder, RunFolder
from setgf.worker.engines.local import Engine, Order
from setgf.worker.ingest import Carrier
from setgf.worker.logs import log_tail
from setgf.worker.outcomes import (
    FIRST_BACK_OFF_SECONDS,
    Aim,
    Ending,
    back_off,
    judge,
    lost,
    no_room,
)
from setgf.worker.shim import EXIT_DISK_FULL, EXIT_FENCED, EXIT_LOCKED
from setgf.worker.submit import run_identity
from setgf.worker.supervision import (
    Liveness,
    end_attempt,
    has_shim,
    liveness,
    read_exit,
    read_process,
)

CARRY_SECONDS = 0.25
"""Time between two looks into a run folder: how late a point may be."""

log = logging.getLogger("setgf.worker")


@dataclass(slots=True, kw_only=True)
class Held:
    """An attempt this worker answers for."""

    job: Job
    attempt: AttemptFolder
    devices: tuple[str, ...]
    carrier: Carrier
    shim_pid: int | None
    """None when another worker started it."""
    shim_exit: int | None = None
    next_carry: float = 0.0

    @property
    def words(self) -> str:
        """How the log names it."""
        return f"job {self.job.id} ({self.job.name}), attempt {self.attempt.number}"


class Keeper:
    """Starts attempts, carries what they leave into the database, and stores how they end."""

    def __init__(
        self,
        home: Home,
        database: Database,
        engine: Engine,
        *,
        slots: int,
        back_off_seconds: float = FIRST_BACK_OFF_SECONDS,
    ) -> None:
        self.home = home
        self.database = database
        self.engine = engine
        self.slots = slots
        self.back_off_seconds = back_off_seconds
        self.held: dict[int, Held] = {}

    def taken_devices(self) -> set[str]:
        """Return the names of the devices in use."""
        return {name for held in self.held.values() for name in held.devices}

    def device_processes(self) -> dict[str, int]:
        """Return the pid of the child on every device in use."""
        found: dict[str, int] = {}
        for held in self.held.values():
            record = read_process(held.attempt)
            if record is not None:
                found.update(dict.fromkeys(held.devices, record.child_pid))
        return found

    def start(self, job: Job, devices: tuple[str, ...], now: float) -> None:
        """Start the attempt that was just claimed; what can't be started is tried again later."""
        folder = RunFolder(self.home.runs / job.run_id)
        attempt = folder.attempt_folder(job.attempt)
        held = self._hold(job, attempt, devices, shim_pid=None)
        try:
            folder.create(run_identity(job, created_at=now), job.config)
            for older in folder.attempts():
                if older.number < job.attempt and folder.is_live():
                    end_attempt(older)
            folder.begin_attempt(job.attempt)
            resume = folder.resume_folder(job.attempt)
            order = Order(
                attempt=attempt,
                resume_from=None if resume is None else resume.path.name,
                devices=devices,
                slots=self.slots,
            )
            held.shim_pid = self.engine.start(order)
        except (RunFolderError, WorkerError) as error:
            is_full = isinstance(error, DiskFullError)
            kind = FailureClass.DISK_FULL if is_full else FailureClass.LOST
            ending = Ending(outcome="failed", failure_class=kind, error=str(error), requeue=True)
            self._finish(held, ending, now)

    def adopt(self, job: Job, devices: tuple[str, ...]) -> None:
        """Take over an attempt that another worker left: living, ended or lost."""
        attempt = RunFolder(self.home.runs / job.run_id).attempt_folder(job.attempt)
        held = self._hold(job, attempt, devices, shim_pid=None)
        if job.state is JobState.STOPPING and attempt.stop_aim() is None:
            with suppress(RunFolderError):
                attempt.request_stop(Aim.CANCEL)
        log.info("adopted %s: %s", held.words, liveness(attempt))

    def tend(self, now: float) -> None:
        """Look after every attempt once."""
        exits = self.engine.reap()
        for held in tuple(self.held.values()):
            held.shim_exit = exits.get(held.shim_pid or 0, held.shim_exit)
            try:
                self._tend(held, now)
            except (FencedError, NotFoundError) as error:
                log.warning("%s is no longer ours: %s", held.words, error)
                self.drop(held.job.id)

    def stop(self, job_id: int, aim: Aim, *, why: str, actor: str, now: float) -> bool:
        """Ask an attempt to checkpoint and leave; False when it isn't held here.

        A cancel is never taken back by a later requeue.
        """
        held = self.held.get(job_id)
        if held is None:
            return False
        if held.job.state is not JobState.STOPPING:
            with self.database.write() as connection:
                held.job = jobs.change_state(
                    connection,
                    job_id,
                    JobState.STOPPING,
                    attempt=held.attempt.number,
                    why=why,
                    actor=actor,
                    now=now,
                )
        if held.attempt.stop_aim() != Aim.CANCEL:
            held.attempt.request_stop(aim)
        return True

    def drop(self, job_id: int) -> None:
        """Stop answering for an attempt; end it when a later one owns the run."""
        held = self.held.pop(job_id)
        if held.attempt.run.current_attempt() > held.attempt.number:
            end_attempt(held.attempt)

    def _hold(
        self, job: Job, attempt: AttemptFolder, devices: tuple[str, ...], *, shim_pid: int | None
    ) -> Held:
        held = Held(
            job=job,
            attempt=attempt,
            devices=devices,
            carrier=Carrier(self.database, attempt),
            shim_pid=shim_pid,
        )
        self.held[job.id] = held
        return held

    def _tend(self, held: Held, now: float) -> None:
        state = liveness(held.attempt)
        if held.job.state is JobState.STARTING and held.attempt.proc.exists():
            self._confirm(held, now)
        if state is Liveness.ENDED:
            self._end(held, now)
        elif held.job.state is JobState.STARTING or not held.attempt.proc.exists():
            self._wait_for_start(held, state, now)
        elif state is Liveness.GONE:
            self._lose(held, now)
        elif time.monotonic() >= held.next_carry:
            held.carrier.carry(now)
            held.next_carry = time.monotonic() + CARRY_SECONDS

    def _confirm(self, held: Held, now: float) -> None:
        """Store that the shim has started its child."""
        record = read_process(held.attempt)
        if record is None:
            return
        with self.database.write() as connection:
            held.job = jobs.start_attempt(
                connection,
                held.job.id,
                held.attempt.number,
                pid=record.shim_pid,
                pid_start=record.shim_start,
                log_path=str(held.attempt.log),
                now=now,
            )
        log.info("%s runs on %s", held.words, ", ".join(held.devices))

    def _wait_for_start(self, held: Held, state: Liveness, now: float) -> None:
        """Give the job back when its shim left, or never came, without starting a child."""
        is_ours = held.shim_pid is not None
        if is_ours and held.shim_exit is None:
            return
        if not is_ours and (state is Liveness.ALIVE or has_shim(held.attempt)):
            return
        ending = self._judge_no_start(held)
        log.warning("%s did not start: %s", held.words, ending.error or ending.outcome)
        self._finish(held, ending, now)

    def _judge_no_start(self, held: Held) -> Ending:
        """Decide about an attempt without a child: given back, unless its shim itself failed."""
        code = held.shim_exit
        if held.attempt.stop_aim() == Aim.CANCEL:
            return Ending(outcome="cancelled")
        if code == EXIT_DISK_FULL:
            return no_room(held.attempt.path)
        if code in (None, EXIT_LOCKED, EXIT_FENCED):
            why = "Another process holds the run." if code == EXIT_LOCKED else "It never started."
            return Ending(outcome="paused", error=why, requeue=True, free=True)
        said = log_tail(held.attempt.log)
        return lost(f"Its supervising process ended with code {code} before the child. {said}")

    def _end(self, held: Held, now: float) -> None:
        record = read_exit(held.attempt)
        if record is None:
            self._lose(held, now)
            return
        events = held.carrier.carry_all(now)
        words = held.attempt.stop_aim()
        aim = Aim(words) if words in set(Aim) else None
        ending = judge(record, events, aim=aim, log_tail=log_tail(held.attempt.log))
        self._finish(held, ending, now)

    def _lose(self, held: Held, now: float) -> None:
        """End an attempt whose shim vanished: nothing of it may go on."""
        killed = end_attempt(held.attempt)
        held.carrier.carry_all(now)
        aim = held.attempt.stop_aim()
        why = "Its supervising process vanished: it was killed, or the machine went down."
        ending = Ending(outcome="cancelled") if aim == Aim.CANCEL else lost(why)
        log.warning("%s is lost; %d leftover processes ended", held.words, killed)
        self._finish(held, ending, now)

    def _finish(self, held: Held, ending: Ending, now: float) -> None:
        """Store the end of an attempt and let go of it."""
        number = held.attempt.number
        has_more = ending.free or number < held.job.max_attempts
        requeue = ending.requeue and has_more
        wait = back_off(ending, number, first_seconds=self.back_off_seconds)
        with self.database.write() as connection:
            job = jobs.finish_attempt(
                connection,
                held.job.id,
                number,
                outcome=ending.outcome,
                exit_code=ending.exit_code,
                failure_class=ending.failure_class,
                error=ending.error,
                requeue=requeue,
                not_before=now + wait if requeue and wait else None,
                now=now,
            )
        del self.held[held.job.id]
        log.info("%s: %s%s", held.words, ending.outcome, ", queued again" if requeue else "")
        if ending.error:
            log.info("job %d is %s: %s", job.id, job.state, ending.error.splitlines()[-1])
