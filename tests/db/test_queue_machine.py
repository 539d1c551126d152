"""Any order of adding, claiming, ending, cancelling and retrying keeps the queue's promises."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    MultipleResults,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import select

from db.engine import Database
from db.errors import FencedError, JobStateError
from db.events import list_events
from db.jobs import (
    add_jobs,
    adopt,
    cancel,
    candidates,
    change_state,
    fail_blocked,
    finish_attempt,
    get_job,
    hold,
    list_attempts,
    list_jobs,
    release,
    renew_leases,
    retry,
    start_attempt,
)
from db.jobs.transitions import TRANSITIONS
from db.records import Event, Job, JobState
from db.tables import device_leases
from tests.db.builders import NOW, new_job, take

WORKERS = ("w1", "w2")
DEVICES = ("cpu0", "cuda:0", "cuda:1")


class QueueMachine(RuleBasedStateMachine):
    makers: ClassVar[list[Callable[[], Database]]] = []
    jobs: Bundle[int] = Bundle("jobs")

    @initialize()
    def open(self) -> None:
        self.database = self.makers[-1]()
        self.number = 0
        self.seen: dict[int, Job] = {}

    def read(self, job_id: int) -> Job:
        with self.database.read() as connection:
            return get_job(connection, job_id)

    @rule(
        target=jobs,
        priority=st.integers(-1, 1),
        held=st.booleans(),
        depends=st.booleans(),
        count=st.integers(1, 3),
    )
    def add(self, priority: int, held: bool, depends: bool, count: int) -> MultipleResults[int]:
        after = (max(self.seen),) if depends and self.seen else ()
        new = [
            new_job(self.number + index, priority=priority, held=held, after=after)
            for index in range(count)
        ]
        self.number += count
        with self.database.write(durable=False) as connection:
            added = add_jobs(connection, new, actor="ada", now=NOW)
        self.seen |= {job.id: job for job in added}
        return multiple(*(job.id for job in added))

    @rule(
        job_id=jobs,
        worker=st.sampled_from(WORKERS),
        devices=st.lists(st.sampled_from(DEVICES), unique=True, max_size=2),
    )
    def claim(self, job_id: int, worker: str, devices: list[str]) -> None:
        with self.database.write(durable=False) as connection:
            is_candidate = job_id in {job.id for job in candidates(connection, now=NOW)}
            before = get_job(connection, job_id)
            claimed = take(connection, job_id, worker_id=worker, devices=devices)
        assert claimed is None or is_candidate
        if claimed is None:
            assert self.read(job_id) == before
        else:
            assert claimed.attempt == before.attempt + 1

    @rule(job_id=jobs)
    def start(self, job_id: int) -> None:
        job = self.read(job_id)
        try:
            with self.database.write(durable=False) as connection:
                start_attempt(
                    connection, job_id, job.attempt, pid=1, pid_start=2, log_path="", now=NOW
                )
        except JobStateError:
            assert job.state is not JobState.STARTING

    @rule(
        job_id=jobs,
        outcome=st.sampled_from(["succeeded", "failed", "cancelled", "lost", "paused"]),
        requeue=st.booleans(),
        behind=st.integers(0, 1),
    )
    def finish(self, job_id: int, outcome: str, requeue: bool, behind: int) -> None:
        job = self.read(job_id)
        may = job.state.is_live and not behind
        try:
            with self.database.write(durable=False) as connection:
                finish_attempt(
                    connection,
                    job_id,
                    job.attempt - behind,
                    outcome=outcome,
                    requeue=requeue,
                    now=NOW,
                )
            assert may
        except FencedError:
            assert not may
            assert self.read(job_id) == job

    @rule(job_id=jobs, worker=st.sampled_from(WORKERS))
    def adopt(self, job_id: int, worker: str) -> None:
        job = self.read(job_id)
        may = job.state.is_live or job.state is JobState.LOST
        try:
            with self.database.write(durable=False) as connection:
                adopt(
                    connection,
                    job_id,
                    job.attempt,
                    worker,
                    previous=job.worker_id,
                    host="host",
                    boot_id="boot",
                    lease_seconds=30,
                    now=NOW,
                )
            assert may
        except FencedError:
            assert not may

    @rule(job_id=jobs)
    def lose(self, job_id: int) -> None:
        job = self.read(job_id)
        if job.state.is_live:
            with self.database.write(durable=False) as connection:
                change_state(
                    connection,
                    job_id,
                    JobState.LOST,
                    attempt=job.attempt,
                    why="silent",
                    actor="w2",
                    now=NOW,
                )

    @rule(job_id=jobs, what=st.sampled_from([cancel, retry, hold, release]))
    def user(self, job_id: int, what: object) -> None:
        assert callable(what)
        before = self.read(job_id)
        try:
            with self.database.write(durable=False) as connection:
                what(connection, [job_id], "ada", NOW)
        except JobStateError:
            assert self.read(job_id) == before

    @rule()
    def fail_those_that_wait_in_vain(self) -> None:
        with self.database.write(durable=False) as connection:
            fail_blocked(connection, now=NOW)

    @rule(worker=st.sampled_from(WORKERS))
    def renew(self, worker: str) -> None:
        with self.database.write(durable=False) as connection:
            jobs = list_jobs(connection)
            ours = renew_leases(
                connection,
                worker,
                [(job.id, job.attempt) for job in jobs],
                lease_seconds=30,
                now=NOW,
            )
        assert set(ours) == {job.id for job in jobs if job.worker_id == worker}

    @invariant()
    def promises_hold(self) -> None:
        if not hasattr(self, "database"):
            return
        with self.database.read() as connection:
            jobs = {job.id: job for job in list_jobs(connection)}
            leases = connection.execute(select(*device_leases.c)).all()
            events = list_events(connection)
            attempts = {job.id: list_attempts(connection, job.run_id) for job in jobs.values()}
        for job in jobs.values():
            before = self.seen[job.id]
            assert job.attempt >= before.attempt, "an attempt number only grows"
            if before.state is JobState.SUCCEEDED:
                assert job.state is JobState.SUCCEEDED, "succeeded is for ever"
            opened = [one.number for one in attempts[job.id] if one.ended_at is None]
            assert opened == ([job.attempt] if job.state.is_live else []), "one live attempt"
            assert [one.number for one in attempts[job.id]] == list(range(1, job.attempt + 1))
            assert (job.worker_id is not None) == job.state.is_live
        held = [(lease.scope, lease.device) for lease in leases]
        assert len(held) == len(set(held)), "one job a device"
        for lease in leases:
            assert jobs[lease.job_id].state.is_live
            assert jobs[lease.job_id].attempt == lease.attempt
        self.seen = jobs
        self.history_is_a_chain_of_allowed_steps(events)

    def history_is_a_chain_of_allowed_steps(self, events: Sequence[Event]) -> None:
        state: dict[int, str | None] = {}
        for event in events:
            if event.kind != "job" or event.job_id is None:
                continue
            assert state.get(event.job_id) == event.from_state
            if event.from_state is not None and event.from_state != event.to_state:
                assert event.to_state in TRANSITIONS[JobState(event.from_state)]
            state[event.job_id] = event.to_state
        assert state == {job.id: job.state.value for job in self.seen.values()}


@pytest.mark.slow
def test_the_queue_keeps_its_promises(make_database: Callable[[], Database]) -> None:
    QueueMachine.makers.append(make_database)
    run_state_machine_as_test(
        QueueMachine,
        settings=settings(
            max_examples=20,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )
