"""Finds attempts whose worker is gone: takes over those of this machine, ends those of others.

On this machine the process table is the truth: an attempt is adopted when its worker is dead, and
then its shim's lock says whether it lives. Of another machine only the lease is known.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from db import jobs
from db.engine import Database
from db.errors import FencedError, NotFoundError
from db.records import Attempt, Job
from db.workers import list_workers
from setgf.errors import RunFolderError
from setgf.home import Home
from setgf.runs.folder import RunFolder
from setgf.worker.clocks import boot_time
from setgf.worker.ending import finish
from setgf.worker.held import Held, decide, decide_unsaid
from setgf.worker.identity import Identity
from setgf.worker.ingest import Carrier
from setgf.worker.keeper import Keeper
from setgf.worker.outcomes import vanished
from setgf.worker.supervision import is_running, read_exit
from setgf.worker.watching import Watch

log = logging.getLogger("setgf.worker")


class Adopter:
    """One worker's eye on the attempts of dead ones."""

    def __init__(self, home: Home, database: Database, identity: Identity, keeper: Keeper) -> None:
        self.home = home
        self.database = database
        self.identity = identity
        self.keeper = keeper
        self.watches = False
        """True while another worker of this machine holds attempts: it may die without a word."""

    def adopt(self, now: float) -> None:
        """Take over what dead workers left on this machine."""
        with self.database.read() as connection:
            live = jobs.live_jobs(connection)
            unknown = [entry for entry in live if entry[0].id not in self.keeper.held]
            workers = list_workers(connection, now=now) if unknown else ()
        self.watches = bool(unknown)
        known = {worker.id: worker for worker in workers}
        for job, attempt in unknown:
            owner = known.get(job.worker_id or "")
            is_kept = (
                owner is not None
                and owner.id != self.identity.worker_id
                and is_running(owner.pid, owner.pid_start, owner.boot_id)
            )
            if self._is_here(attempt) and not is_kept:
                with suppress(RunFolderError):  # a run id that would lead out of this home
                    self._take_over(job, attempt, now)

    def reap(self, now: float) -> None:
        """End the attempts of other machines whose lease is over: nobody there answers for them."""
        with self.database.read() as connection:
            over = self._expired(connection, now)
        for job, attempt in over:
            if not self._is_here(attempt):
                with suppress(RunFolderError):  # a run id that would lead out of this home
                    self._end_elsewhere(job, now)

    def _expired(self, connection: Connection, now: float) -> tuple[tuple[Job, Attempt], ...]:
        return jobs.expired(
            connection, now=now, boot_id=self.identity.boot_id, boot_time=boot_time()
        )

    def _is_here(self, attempt: Attempt) -> bool:
        """True for an attempt of this machine, whatever it was called then, and of this home."""
        me = self.identity
        if attempt.host != me.host and attempt.boot_id != me.boot_id:
            return False
        if not attempt.log_path:
            return True
        return self.home.runs.resolve() in Path(attempt.log_path).resolve().parents

    def _take_over(self, job: Job, attempt: Attempt, now: float) -> None:
        me = self.identity
        self.home.run_path(job.run_id)
        try:
            with self.database.write() as connection:
                ours = jobs.adopt(
                    connection,
                    job.id,
                    job.attempt,
                    me.worker_id,
                    previous=job.worker_id,
                    host=me.host,
                    boot_id=me.boot_id,
                    lease_seconds=me.lease_seconds,
                    now=now,
                    boot_time=boot_time(),
                )
        except FencedError:
            return
        self.keeper.adopt(ours, attempt.devices, attempt.frozen_seconds)

    def _end_elsewhere(self, job: Job, now: float) -> None:
        """Store the end of an attempt of another machine, unless its lease was renewed meanwhile.

        What its run folder says counts, where both machines see it; else the attempt is lost.
        """
        held = self._hold_elsewhere(job)
        try:
            self._carry(held, now)  # in pieces: there may be much of it
            with self.database.write() as connection:
                jobs.get_job(connection, job.id, lock=True)
                over = {one.id: (one, tried) for one, tried in self._expired(connection, now)}
                held.job, attempt = over.get(job.id, (job, None))
                if attempt is None or attempt.number != job.attempt:
                    return
                ended = self._finish_elsewhere(connection, held, attempt.host, now)
        except (FencedError, NotFoundError):
            return
        log.warning("the lease of %s on %s is over: %s", held.words, attempt.host, ended.state)

    def _hold_elsewhere(self, job: Job) -> Held:
        attempt = RunFolder(self.home.run_path(job.run_id)).attempt_folder(job.attempt)
        return Held(
            job=job,
            attempt=attempt,
            devices=(),
            carrier=Carrier(self.database, attempt),
            watch=Watch(attempt=attempt, started_at=boot_time()),
            shim_pid=None,
            is_elsewhere=True,
        )

    def _finish_elsewhere(self, connection: Connection, held: Held, host: str, now: float) -> Job:
        options = self.keeper.options
        record, events = read_exit(held.attempt), self._carry(held, now, connection)
        if record is None:
            why = f"The worker on {host} has not been heard of since its lease ended."
            verdict = decide_unsaid(held, vanished(events, held.aim, why=why))
        else:
            verdict = decide(held, record, events, options.hung_after)
        return finish(connection, held, verdict, now=now, first_seconds=options.back_off_seconds)

    def _carry(
        self, held: Held, now: float, connection: Connection | None = None
    ) -> list[dict[str, Any]]:
        """Store what the attempt has left, and return its events; none of a folder not seen."""
        try:
            if connection is None:
                return held.carrier.carry_all(now)
            return held.carrier.carry_rest(connection, now)
        except RunFolderError as error:
            log.warning("%s is judged without its folder: %s", held.words, error)
            return []
