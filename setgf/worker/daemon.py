"""The worker: one loop that claims jobs, looks after attempts, hears commands and says it lives.

A database that is locked or full stops no training: what could not be stored is tried again at the
next turn of the loop, and children know nothing of it. A database that is damaged or gone ends the
worker with a sentence; its children live on and the next worker adopts them.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable

from db import jobs
from db.commands import handle_command, pending_commands
from db.engine import Database
from db.errors import (
    DatabaseCorruptError,
    DatabaseError,
    DatabaseFullError,
    NotFoundError,
    SchemaTooNewError,
)
from db.jobs.waits import shorten_waits
from db.records import Command, Device, Verb
from setgf.errors import DiskFullError, RunFolderError
from setgf.home import Home
from setgf.worker.adoption import Adopter
from setgf.worker.claiming import Claimer
from setgf.worker.clocks import asleep_seconds, boot_time
from setgf.worker.engines.local import Engine, LocalEngine
from setgf.worker.fence import Fence
from setgf.worker.gpus import Nvml, default_slots
from setgf.worker.identity import new_identity
from setgf.worker.keeper import Keeper, KeeperOptions
from setgf.worker.options import WorkerOptions
from setgf.worker.outcomes import Aim
from setgf.worker.presence import Presence
from setgf.worker.reserve import DiskReserve
from setgf.worker.wakeup import WakeUp

TICK_SECONDS = 0.025
"""Between two turns while attempts are held or the database has just changed."""
IDLE_TICK_SECONDS = 0.25
"""The same when there is nothing to do but to wait for news."""
AWAKE_SECONDS = 0.25
"""How long the news of a change may come before the change itself: it has to get to the disk."""
QUICK_SECONDS = 0.005
"""Between the first turns after news."""
LOOK_SECONDS = 5.0
"""Longest time between two looks into the queue when nothing seems to have changed."""
WAIT_SECONDS = 1.0
"""The same while a job waits for memory or for programs of others."""
ADOPT_SECONDS = 1.0
TIDY_SECONDS = 5.0
SAMPLE_SECONDS = 2.0
IDLE_SAMPLE_SECONDS = 30.0
"""The same of CPU slots that nobody uses."""
TROUBLE_SECONDS = 1.0
"""Pause after the database has refused."""
TELL_SECONDS = 60.0
"""Time until the log says the same again."""
SHORTEST_SLEEP_SECONDS = 5.0

log = logging.getLogger("setgf.worker")


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
        nvml: Nvml | None = None,
    ) -> None:
        self.home = home
        self.database = database
        self.options = options
        self.clock = clock
        self.identity = new_identity(options.lease_seconds)
        slots = default_slots() if options.slots is None else options.slots
        self._presence = Presence(
            database, self.identity.worker_id, slots=slots, gpus=options.gpus, nvml=nvml
        )
        self.keeper = Keeper(
            home,
            database,
            LocalEngine(home) if engine is None else engine,
            KeeperOptions(
                slots=slots,
                back_off_seconds=options.back_off_seconds,
                hung_after=options.hung_after,
            ),
        )
        self._claimer = Claimer(
            home,
            database,
            self.identity,
            self._presence,
            self.keeper,
            share_gpus=options.share_gpus,
        )
        self._adopter = Adopter(home, database, self.identity, self.keeper)
        self.fence = Fence(self.keeper, options.lease_seconds)
        self._reserve = DiskReserve(home.workers if database.path is None else database.path.parent)
        self.is_leaving = False
        """True once it claims nothing more."""
        self._is_registered = False
        self._waits_for_children = False
        self._num_claimed = 0
        self._seen_version: int | None = None
        self._due: dict[str, float] = {}
        self._told: dict[str, float] = {}
        self._is_idle = False
        """True when the last look found no job that could run here, now or later."""
        self._next_start: float | None = None
        """When the next delayed job may start."""
        self._awake_until = 0.0
        self._asleep = asleep_seconds()
        self._was_idle = False
        self._tidied: int | None = None
        self._adopted: int | None = None

    @property
    def id(self) -> str:
        """Its name in the database."""
        return self.identity.worker_id

    @property
    def devices(self) -> tuple[Device, ...]:
        """What it gives out."""
        return self._presence.devices

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
        interrupts = 0
        with WakeUp() as wake_up, self.fence.watched():
            while not self.is_done:
                has_moved = self.step(self.clock())
                self._wait(wake_up, has_moved=has_moved)
                if wake_up.terminated:
                    self.leave(now=False)
                elif wake_up.interrupts > interrupts:
                    interrupts = wake_up.interrupts
                    self._interrupt(interrupts)
        self._sign_off()

    def _wait(self, wake_up: WakeUp, *, has_moved: bool) -> None:
        """Wait until there may be something to do."""
        news = self.database.news_handle()
        awake = self._awake_until - boot_time()
        if has_moved:
            wake_up.wait(0.0)
        elif awake > AWAKE_SECONDS - TICK_SECONDS:
            wake_up.wait(QUICK_SECONDS)
        elif self.keeper.held or awake > 0 or news is None:
            wake_up.wait(TICK_SECONDS)
        elif wake_up.wait(IDLE_TICK_SECONDS, news):
            self._awake_until = boot_time() + AWAKE_SECONDS

    def register(self, now: float) -> None:
        """Say that this worker is there, with its devices."""
        self._presence.register(now)
        self._is_registered = True
        names = ", ".join(device.name for device in self.devices)
        log.info("worker %s (pid %d) works on %s", self.id, os.getpid(), names)

    def step(self, now: float) -> bool:
        """Turn the loop once; True when a job began or ended: the next turn is due at once."""
        if not self._is_registered:
            self._try(self.register, now)
            return False
        self._notice_sleep()
        has_moved = bool(self._try(self.keeper.tend, now))
        for name, seconds, action in (
            ("beat", self.options.lease_seconds / 3, self._beat),
            ("sample", SAMPLE_SECONDS, self._sample),
            ("adopt", ADOPT_SECONDS, self._adopt),
            ("tidy", TIDY_SECONDS, self._tidy),
        ):
            if self._is_due(name, seconds):
                self._try(action, now)
        return bool(self._try(self._look, now)) or has_moved

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

    def _try(self, action: Callable[[float], object], now: float) -> object:
        """Do something with the database; one that refuses for the moment is asked again later.

        So is a run folder: its disk may be full for the moment, too.
        """
        try:
            return action(now)
        except (DatabaseCorruptError, SchemaTooNewError, NotFoundError):
            raise
        except (DatabaseError, RunFolderError) as error:
            self.fence.look()
            if isinstance(error, DatabaseFullError | DiskFullError) and self._reserve.give_up():
                log.warning("%s The reserve was given up for the queue's own rows.", error)
                return None
            self._tell(str(error))
            time.sleep(TROUBLE_SECONDS)
            return None

    def _tell(self, error: str) -> None:
        """Say what is wrong, but not the same all the time."""
        moment, told = boot_time(), self._told.get(error)
        if told is None or moment - told >= TELL_SECONDS:
            log.warning("%s Training goes on; trying again.", error)
            self._told[error] = moment

    def _notice_sleep(self) -> None:
        """Renew at once what may look as if it had run out while the machine was asleep."""
        asleep = asleep_seconds()
        if asleep - self._asleep > SHORTEST_SLEEP_SECONDS:
            log.warning(
                "the machine was asleep for %.0f s; leases are renewed", asleep - self._asleep
            )
            self._due.pop("beat", None)
        self._asleep = asleep

    def _is_due(self, name: str, seconds: float) -> bool:
        """True every so many seconds of the clock that nobody sets."""
        moment, last = boot_time(), self._due.get(name)
        if last is not None and moment - last < seconds:
            return False
        self._due[name] = moment
        return True

    def _look(self, now: float) -> bool:
        """Hear commands and claim jobs, when anything changed or some time has passed."""
        version = self.database.data_version()
        is_time = self._next_start is not None and now >= self._next_start
        is_late = self._is_due("look", WAIT_SECONDS if self._claimer.waits else LOOK_SECONDS)
        if version == self._seen_version and not (is_time or is_late):
            return False
        self._due["look"] = boot_time()
        self._hear(now)
        taken = 0 if self.is_leaving else self._claim(now)
        if not self.is_leaving and not taken:
            with self.database.read() as connection:
                self._next_start = jobs.next_start(connection, now=now)
        ends = self.options.drain or self.options.once
        self._is_idle = ends and not self.keeper.held and self._finds_nothing(now)
        self._seen_version = version
        return taken > 0

    def _claim(self, now: float) -> int:
        if self.options.once:
            if self._num_claimed:
                return 0
            taken = self._claimer.claim(now, at_most=1)
        else:
            taken = self._claimer.claim(now)
        self._num_claimed += taken
        return taken

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
        if command.verb is Verb.FREEZE:
            return self.keeper.freeze(command.job_id, now)
        if command.verb is Verb.THAW:
            return self.keeper.thaw(command.job_id, now)
        aim = _AIMS[command.verb]
        why = f"{_WORDS[aim]} by {command.actor}"
        held = self.keeper.stop(command.job_id, aim, why=why, actor=command.actor, now=now)
        return "asked to stop" if held else "not held by this worker"

    def _requeue(self, job_id: int, now: float) -> None:
        self.keeper.stop(job_id, Aim.REQUEUE, why="the worker stops", actor=self.id, now=now)

    def _finds_nothing(self, now: float) -> bool:
        """True when no job is left that could run here by itself, now or later.

        Held and paused jobs, those of a paused group, and what waits for such jobs need a user
        first. A delayed job and one that waits to be tried again are waited for. Jobs that wait for
        a failed one are failed here.
        """
        self._fail_blocked(now)
        with self.database.read() as connection:
            live = jobs.live_jobs(connection)
        return all(job.frozen_at is not None for job, _ in live) and not self._claimer.finds_work()

    def _fail_blocked(self, now: float) -> None:
        with self.database.write() as connection:
            for job in jobs.fail_blocked(connection, now=now):
                log.info("job %d is failed: %s", job.id, job.error)

    def _beat(self, now: float) -> None:
        """Say that this worker lives, and keep its jobs; let go of those that are another's."""
        held, asked_at = self.keeper.held, boot_time()
        with self.database.write(durable=False) as connection:
            self._presence.beat(connection, now)
            ours = jobs.renew_leases(
                connection,
                self.id,
                [(job_id, entry.attempt.number) for job_id, entry in held.items()],
                lease_seconds=self.options.lease_seconds,
                now=now,
                boot_time=asked_at,
            )
        for job_id in set(held) - set(ours):
            log.warning("%s is another worker's now", held[job_id].words)
            self.keeper.drop(job_id)
        self.fence.renew(asked_at)

    def _tidy(self, now: float) -> None:
        """Keep room for a full disk; fail or let go jobs that would wait for nothing."""
        self._reserve.keep()
        if self._next_start is not None:
            with self.database.write(durable=False) as connection:
                shorten_waits(connection, now=now)
        if self._tidied != self._seen_version:
            self._fail_blocked(now)
            self._tidied = self.database.data_version()

    def _sample(self, now: float) -> None:
        """Measure attempts and devices."""
        use = self._presence.gpu_use()
        self.keeper.observe({name: gpu.processes for name, gpu in use.items()}, now)
        slots = {
            name: (held.watch.cpu_percent, held.watch.memory_mib)
            for held in self.keeper.held.values()
            for name in held.devices
        }
        is_idle = not self.keeper.held and not use
        if not (is_idle and self._was_idle) or self._is_due("idle sample", IDLE_SAMPLE_SECONDS):
            self._presence.sample(slots, now)
        self._was_idle = is_idle

    def _adopt(self, now: float) -> None:
        """Take over what dead workers left on this machine, and end what others left for good."""
        if self.is_leaving:
            return
        version = self.database.data_version()
        if self._adopter.watches or version != self._adopted:
            self._adopter.adopt(now)
            self._adopted = version
        if self._is_due("reap", self.options.lease_seconds / 2):
            self._adopter.reap(now)

    def _sign_off(self) -> None:
        left = ", ".join(f"job {job_id}" for job_id in sorted(self.keeper.held))
        self._try(self._presence.sign_off, self.clock())
        log.info("worker %s left%s", self.id, f"; still running: {left}" if left else "")


_AIMS = {Verb.CANCEL: Aim.CANCEL, Verb.PAUSE: Aim.PAUSE, Verb.REQUEUE: Aim.REQUEUE}
_WORDS = {Aim.CANCEL: "cancelled", Aim.PAUSE: "paused", Aim.REQUEUE: "put back"}
