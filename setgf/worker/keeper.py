"""Looks after the attempts a worker holds, from the claim to the end."""

from __future__ import annotations

import logging
import time
from contextlib import suppress
from dataclasses import dataclass

from sqlalchemy import Connection

from db import jobs
from db.engine import Database
from db.errors import FencedError, NotFoundError
from db.records import FailureClass, Job, JobState
from setgf.errors import DiskFullError, RunFolderError, WorkerError
from setgf.home import Home
from setgf.runs.folder import AttemptFolder, RunFolder
from setgf.worker.clocks import boot_time
from setgf.worker.ending import finish
from setgf.worker.engines.local import Engine, Order
from setgf.worker.held import Held, decide, decide_unsaid
from setgf.worker.ingest import Carrier
from setgf.worker.logs import log_tail
from setgf.worker.outcomes import (
    FIRST_BACK_OFF_SECONDS,
    Aim,
    Ending,
    aim_of_column,
    lost,
    no_room,
    vanished,
)
from setgf.worker.processes import thaw
from setgf.worker.reins import Reins
from setgf.worker.shim import EXIT_DISK_FULL, EXIT_FENCED, EXIT_LOCKED
from setgf.worker.submit import run_identity
from setgf.worker.supervision import (
    Liveness,
    end_attempt,
    has_shim,
    liveness,
    read_exit,
)
from setgf.worker.watching import HUNG_AFTER_SECONDS, Watch

CARRY_SECONDS = 0.25
"""Time between two looks into a run folder: how late a point may be."""
CHECK_SECONDS = 0.1
"""Time between two looks at an attempt's lock; that it has ended is seen at once."""
NO_ROOM_SECONDS = 20.0
"""Time until another attempt is started after one found no room on the disk."""

log = logging.getLogger("setgf.worker")


@dataclass(frozen=True, slots=True, kw_only=True)
class KeeperOptions:
    """How attempts are looked after."""

    slots: int
    """CPU slots of the worker."""
    back_off_seconds: float = FIRST_BACK_OFF_SECONDS
    hung_after: float | None = HUNG_AFTER_SECONDS
    """Seconds without progress after which an attempt is ended; None: never."""


class Keeper(Reins):
    """Starts attempts, carries what they leave into the database, and stores how they end."""

    def __init__(
        self, home: Home, database: Database, engine: Engine, options: KeeperOptions
    ) -> None:
        super().__init__(database, options.hung_after)
        self.home = home
        self.engine = engine
        self.options = options
        self.rests_until = 0.0
        """Until when nothing is started, in seconds since boot: the disk had no room for it."""

    def taken_devices(self) -> set[str]:
        """Return the names of the devices in use."""
        return {name for held in self.held.values() for name in held.devices}

    def start(
        self, job: Job, devices: tuple[str, ...], now: float, *, host_mib: int | None = None
    ) -> None:
        """Start the attempt that was just claimed; what can't be started is tried again later."""
        folder = RunFolder(self.home.run_path(job.run_id))
        attempt = folder.attempt_folder(job.attempt)
        held = self._hold(job, attempt, devices)
        held.host_mib = host_mib or 0
        try:
            folder.create(run_identity(job, created_at=now), job.config, durable=False)
            for older in folder.attempts():
                if older.number < job.attempt and folder.is_live():
                    end_attempt(older)
            folder.begin_attempt(job.attempt)
            resume = folder.resume_folder(job.attempt)
            order = Order(
                attempt=attempt,
                resume_from=None if resume is None else resume.path.name,
                devices=devices,
                slots=self.options.slots,
            )
            held.shim_pid = self.engine.start(order)
        except DiskFullError as error:
            self._finish(held, self._rest(str(error)), now)
        except (RunFolderError, WorkerError) as error:
            kind = FailureClass.LOST
            ending = Ending(outcome="failed", failure_class=kind, error=str(error), requeue=True)
            self._finish(held, ending, now)

    def _rest(self, said: str) -> Ending:
        """Start nothing for a while: on a full disk every waiting job would lose an attempt."""
        self.rests_until = boot_time() + NO_ROOM_SECONDS
        return no_room(said)

    def adopt(self, job: Job, devices: tuple[str, ...], frozen_seconds: float = 0.0) -> None:
        """Take over an attempt that another worker left: living, ended or lost."""
        attempt = RunFolder(self.home.run_path(job.run_id)).attempt_folder(job.attempt)
        held = self._hold(job, attempt, devices)
        held.watch.frozen_seconds = frozen_seconds
        if job.frozen_at is not None:
            held.watch.freeze()
        elif self.database.path is None:
            thaw(attempt)  # its worker may have died while it was fenced
        if job.state is JobState.STOPPING and attempt.stop_aim() is None:
            with suppress(RunFolderError):
                attempt.request_stop(aim_of_column(job.aim))
        log.info("adopted %s: %s", held.words, liveness(attempt))

    def tend(self, now: float) -> bool:
        """Look after every attempt once; True when one began to run or ended."""
        exits = self.engine.reap()
        before = {job_id: held.job.state for job_id, held in self.held.items()}
        for held in tuple(self.held.values()):
            held.shim_exit = exits.get(held.shim_pid or 0, held.shim_exit)
            try:
                self._tend(held, now)
            except (FencedError, NotFoundError) as error:
                log.warning("%s is no longer ours: %s", held.words, error)
                self.drop(held.job.id)
        return before != {job_id: held.job.state for job_id, held in self.held.items()}

    def drop(self, job_id: int) -> None:
        """Stop answering for an attempt; end it unless another worker has adopted it."""
        held = self.held.pop(job_id)
        number = held.attempt.number
        try:
            with self.database.read() as connection:
                job = jobs.get_job(connection, job_id)
        except NotFoundError:
            is_over = held.attempt.run.current_attempt() > number
        else:
            is_over = job.attempt != number or not job.state.is_live
        if is_over:
            end_attempt(held.attempt)

    def _hold(self, job: Job, attempt: AttemptFolder, devices: tuple[str, ...]) -> Held:
        held = Held(
            job=job,
            attempt=attempt,
            devices=devices,
            carrier=Carrier(self.database, attempt),
            watch=Watch(attempt=attempt, started_at=boot_time()),
            shim_pid=None,
        )
        self.held[job.id] = held
        return held

    def _tend(self, held: Held, now: float) -> None:
        moment = time.monotonic()
        if not held.attempt.exit.exists() and moment < held.next_check and held.shim_exit is None:
            return self._wait_shortly(held, now)
        held.next_check = moment + CHECK_SECONDS
        state = liveness(held.attempt)
        if state is Liveness.ENDED:
            self._end(held, now)
        elif held.is_starting and held.find_process() is not None:
            self._confirm(held, now)
        elif held.is_starting or held.find_process() is None:
            self._wait_for_start(held, state, now)
        elif state is Liveness.GONE:
            self._lose(held, now)
        elif moment >= held.next_carry:
            held.carrier.carry(now)
            held.next_carry = moment + CARRY_SECONDS
        return None

    def _wait_shortly(self, held: Held, now: float) -> None:
        """Between two looks at its lock only one thing can't wait: that it has begun to run."""
        if held.is_starting and held.attempt.proc.exists():
            self._confirm(held, now)

    def _confirm(self, held: Held, now: float) -> None:
        """Store that the shim has started its child."""
        # Not on the disk at once: after a power cut nothing of it runs any more.
        with self.database.write(durable=False) as connection:
            held.job = self._start(connection, held, now)
        log.info("%s runs on %s", held.words, ", ".join(held.devices))

    def _start(self, connection: Connection, held: Held, now: float) -> Job:
        record = held.find_process()
        if record is None or not held.is_starting:
            return held.job
        return jobs.start_attempt(
            connection,
            held.job.id,
            held.attempt.number,
            pid=record.shim_pid,
            pid_start=record.shim_start,
            log_path=str(held.attempt.log),
            now=now,
        )

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
        code, aim = held.shim_exit, held.aim
        if aim is Aim.CANCEL:
            return Ending(outcome="cancelled")
        if code == EXIT_DISK_FULL:
            return self._rest(
                f"The disk is full: {held.attempt.path} has no room to start in. Free some space; "
                "what was stored until now is safe."
            )
        if aim is Aim.PAUSE:
            return Ending(outcome="paused", error="It had not started yet.", free=True)
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
        was_starting = held.is_starting
        while held.carrier.backlog() and held.carrier.carry(now):
            pass
        with self.database.write(durable=False) as connection:
            held.job = self._start(connection, held, now)
            events = held.carrier.carry_rest(connection, now)
            verdict = decide(held, record, events, self.hung_after)
            ended = finish(
                connection, held, verdict, now=now, first_seconds=self.options.back_off_seconds
            )
        if was_starting:
            log.info("%s ran on %s", held.words, ", ".join(held.devices))
        self._let_go(held, verdict.ending, ended)

    def _lose(self, held: Held, now: float) -> None:
        """End an attempt whose shim vanished: nothing of it may go on."""
        killed = end_attempt(held.attempt)
        aim = held.aim
        events = held.carrier.carry_all(now)
        why = "Its supervising process vanished: it was killed, or the machine went down."
        log.warning("%s is lost; %d leftover processes ended", held.words, killed)
        self._finish(held, vanished(events, aim, why=why), now)

    def _finish(self, held: Held, ending: Ending, now: float) -> None:
        """Store the end of an attempt whose child said nothing, and let go of it."""
        verdict = decide_unsaid(held, ending)
        with self.database.write() as connection:
            ended = finish(
                connection, held, verdict, now=now, first_seconds=self.options.back_off_seconds
            )
        self._let_go(held, ending, ended)

    def _let_go(self, held: Held, ending: Ending, job: Job) -> None:
        del self.held[job.id]
        again = ", queued again" if job.state is JobState.QUEUED else ""
        log.info("%s: %s%s", held.words, ending.outcome, again)
        if ending.error:
            log.info("job %d is %s: %s", job.id, job.state, ending.error.splitlines()[-1])
