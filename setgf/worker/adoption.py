"""Finds attempts whose worker is gone: takes over those of this machine, ends those of others.

On this machine the process table is the truth: an attempt is adopted when its worker is dead, and
then its shim's lock says whether it lives. Of another machine only the lease is known.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from pathlib import Path

from sqlalchemy import Connection

from db import jobs
from db.engine import Database
from db.errors import FencedError, NotFoundError
from db.records import Attempt, FailureClass, Job
from db.workers import list_workers
from setgf.errors import RunFolderError
from setgf.home import Home
from setgf.worker.clocks import boot_time
from setgf.worker.identity import Identity
from setgf.worker.keeper import Keeper
from setgf.worker.outcomes import back_off, failures_in_a_row, lost
from setgf.worker.supervision import is_running

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
                self._end_lost(job, now)

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

    def _end_lost(self, job: Job, now: float) -> None:
        """Store that an attempt is lost, unless its worker has renewed the lease meanwhile."""
        seconds = self.keeper.options.back_off_seconds
        try:
            with self.database.write() as connection:
                jobs.get_job(connection, job.id, lock=True)
                if job.id not in {found.id for found, _ in self._expired(connection, now)}:
                    return
                tries = jobs.list_attempts(connection, job.run_id)
                where = tries[-1].host if tries else "another machine"
                ending = lost(f"The worker on {where} has not been heard of since its lease ended.")
                requeue = job.attempt < job.max_attempts
                wait = back_off(ending, failures_in_a_row(tries, 0), first_seconds=seconds)
                jobs.finish_attempt(
                    connection,
                    job.id,
                    job.attempt,
                    outcome=ending.outcome,
                    failure_class=FailureClass.LOST,
                    error=ending.error,
                    requeue=requeue,
                    not_before=now + wait if requeue and wait else None,
                    now=now,
                )
        except (FencedError, NotFoundError):
            return
        log.warning("job %d, attempt %d of %s is lost: lease over", job.id, job.attempt, where)
