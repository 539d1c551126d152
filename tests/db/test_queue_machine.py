"""Any order of what users and workers do keeps the queue's promises."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar

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
from sqlalchemy import delete, select

from db.engine import Database
from db.errors import FencedError, JobStateError, NotFoundError
from db.events import list_events
from db.jobs import (
    add_jobs,
    adopt,
    cancel,
    candidates,
    change_state,
    clear,
    edit,
    fail_blocked,
    finish_attempt,
    freeze,
    get_job,
    hold,
    list_actions,
    list_attempts,
    list_groups,
    list_jobs,
    move,
    pause,
    pause_group,
    release,
    renew_leases,
    requeue,
    resume,
    resume_group,
    retry,
    set_frozen,
    set_parallelism,
    set_priority,
    start_attempt,
    thaw,
    undo,
)
from db.jobs.actions import snapshot
from db.jobs.transitions import AIMS, TRANSITIONS
from db.records import Event, Group, Job, JobState
from db.tables import actions, device_leases
from tests.db.builders import NOW, new_job, take

WORKERS = ("w1", "w2")
DEVICES = ("cpu0", "cuda:0", "cuda:1")
GROUPS = ("narrow", "wide")
WHOLE = 1.0 + 1e-6
ASKS = (cancel, retry, hold, release, pause, resume, freeze, thaw, requeue, clear)


class QueueMachine(RuleBasedStateMachine):
    makers: ClassVar[list[Callable[[], Database]]] = []
    jobs: Bundle[int] = Bundle("jobs")

    @initialize()
    def open(self) -> None:
        self.database = self.makers[-1]()
        self.number = 0
        self.seen: dict[int, Job] = {}
        self.allowed: dict[str, int | None] = {}

    def read(self, job_id: int) -> Job:
        with self.database.read() as connection:
            return get_job(connection, job_id)

    @rule(
        target=jobs,
        priority=st.integers(-1, 1),
        held=st.booleans(),
        depends=st.booleans(),
        count=st.integers(1, 3),
        group=st.sampled_from([None, *GROUPS]),
    )
    def add(
        self, priority: int, held: bool, depends: bool, count: int, group: str | None
    ) -> MultipleResults[int]:
        after = (max(self.seen),) if depends and self.seen else ()
        new = [
            new_job(self.number + index, priority=priority, held=held, after=after)
            for index in range(count)
        ]
        self.number += count
        with self.database.write(durable=False) as connection:
            added = add_jobs(connection, new, group_name=group, actor="ada", now=NOW)
        self.seen |= {job.id: job for job in added}
        return multiple(*(job.id for job in added))

    @rule(
        job_id=jobs,
        worker=st.sampled_from(WORKERS),
        devices=st.lists(st.sampled_from(DEVICES), unique=True, max_size=2),
        share=st.sampled_from([0.3, 0.5, 1.0]),
    )
    def claim(self, job_id: int, worker: str, devices: list[str], share: float) -> None:
        with self.database.write(durable=False) as connection:
            before = get_job(connection, job_id)
            claimed = take(connection, job_id, worker_id=worker, devices=devices, share=share)
        if claimed is None:
            assert self.read(job_id) == before
        else:
            assert claimed.attempt == before.attempt + 1

    @rule(limit=st.integers(1, 4))
    def claim_the_first(self, limit: int) -> None:
        """What is offered can be taken, also all of it one after another."""
        with self.database.write(durable=False) as connection:
            for job in candidates(connection, now=NOW, limit=limit):
                assert take(connection, job.id, worker_id="w1", devices=()) is not None

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

    @rule(job_id=jobs, what=st.sampled_from(ASKS))
    def user(self, job_id: int, what: Callable[..., object]) -> None:
        before = self.read(job_id)
        try:
            with self.database.write(durable=False) as connection:
                what(connection, [job_id], "ada", NOW)
        except JobStateError:
            assert self.read(job_id) == before

    @rule(
        job_id=jobs,
        beside=jobs,
        where=st.sampled_from(["before", "after", "first", "last", "priority"]),
    )
    def order(self, job_id: int, beside: int, where: str) -> None:
        before = self.read(job_id)
        value: Any = {"before": beside, "after": beside, "priority": 1}.get(where, True)
        try:
            with self.database.write(durable=False) as connection:
                move(connection, job_id, actor="ada", now=NOW, **{where: value})
        except JobStateError:
            assert self.read(job_id) == before

    @rule(job_id=jobs, priority=st.integers(-1, 1), needed=jobs)
    def change(self, job_id: int, priority: int, needed: int) -> None:
        before = self.read(job_id)
        try:
            with self.database.write(durable=False) as connection:
                set_priority(connection, [job_id], priority, "ada", NOW)
                edit(connection, [job_id], "ada", NOW, after=[needed], gpus=1.0)
        except JobStateError:
            assert self.read(job_id) == before, "all of it or nothing"

    @rule(name=st.sampled_from(GROUPS), limit=st.sampled_from([None, 1, 2]))
    def limit(self, name: str, limit: int | None) -> None:
        try:
            with self.database.write(durable=False) as connection:
                set_parallelism(connection, name, limit, "ada", NOW)
        except NotFoundError:
            return
        self.allowed[name] = limit

    @rule(name=st.sampled_from(GROUPS), what=st.sampled_from([pause_group, resume_group]))
    def stop_a_group(self, name: str, what: Callable[..., object]) -> None:
        try:
            with self.database.write(durable=False) as connection:
                what(connection, name, "ada", NOW)
        except NotFoundError:
            pass

    @rule(job_id=jobs, frozen=st.booleans())
    def freeze(self, job_id: int, frozen: bool) -> None:
        job = self.read(job_id)
        try:
            with self.database.write(durable=False) as connection:
                set_frozen(connection, job_id, job.attempt, frozen, NOW)
        except FencedError:
            assert not job.state.is_live

    @rule(job_id=jobs, aim=st.sampled_from(AIMS))
    def stop(self, job_id: int, aim: str) -> None:
        job = self.read(job_id)
        if job.state.is_live:
            with self.database.write(durable=False) as connection:
                change_state(
                    connection,
                    job_id,
                    JobState.STOPPING,
                    attempt=job.attempt,
                    aim=aim,
                    why="asked",
                    actor="w1",
                    now=NOW,
                )

    @rule()
    def undo(self) -> None:
        """What is said to be restored has exactly the values from before the action."""
        with self.database.read() as connection:
            ids = [job.id for job in list_jobs(connection, cleared=True)]
            before = snapshot(connection, ids, whole=True)
        try:
            with self.database.write(durable=False) as connection:
                action = undo(connection, "ada", NOW)
                changes = connection.execute(
                    select(actions.c.changes).where(actions.c.id == action.id)
                ).scalar_one()
                after = snapshot(connection, ids, whole=True)
        except (JobStateError, NotFoundError):
            self.forget_the_newest_action()
            return
        self.allowed = {group.name: group.parallelism for group in self.groups()}
        old = {c["job_id"]: c["before"] for c in changes if "job_id" in c}
        for job_id in ids:
            changed = {
                name for name, value in after[job_id].items() if value != before[job_id][name]
            }
            if job_id not in action.restored:
                assert not changed, "nothing else is touched"
            elif old[job_id] is not None:
                assert {name: after[job_id][name] for name in old[job_id]} == old[job_id]
                assert changed <= set(old[job_id])

    def groups(self) -> Sequence[Group]:
        with self.database.read() as connection:
            return list_groups(connection)

    def forget_the_newest_action(self) -> None:
        """So that those before it are undone, too."""
        with self.database.write(durable=False) as connection:
            for action in list_actions(connection):
                if action.undone_at is None:
                    connection.execute(delete(actions).where(actions.c.id == action.id))
                    return

    @rule()
    def fail_those_that_wait_in_vain(self) -> None:
        with self.database.write(durable=False) as connection:
            fail_blocked(connection, now=NOW)

    @rule(worker=st.sampled_from(WORKERS))
    def renew(self, worker: str) -> None:
        with self.database.write(durable=False) as connection:
            jobs = list_jobs(connection, cleared=True)
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
            jobs = {job.id: job for job in list_jobs(connection, cleared=True)}
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
            assert job.frozen_at is None or job.state.is_live
            assert job.aim is None or job.state is JobState.STOPPING
            assert job.cleared_at is None or job.state.is_finished
        self.groups_keep_their_limits(jobs.values())
        given: dict[tuple[str, str], float] = defaultdict(float)
        for lease in leases:
            given[lease.scope, lease.device] += lease.share
        assert all(share <= WHOLE for share in given.values()), "never more than the whole device"
        for lease in leases:
            assert jobs[lease.job_id].state.is_live
            assert jobs[lease.job_id].attempt == lease.attempt
        self.seen = jobs
        self.history_is_a_chain_of_allowed_steps(events)

    def groups_keep_their_limits(self, jobs: Iterable[Job]) -> None:
        """More than a limit are live only where the limit was set when they were."""
        live: dict[str, int] = defaultdict(int)
        for job in jobs:
            if job.group_name is not None and job.state.is_live:
                live[job.group_name] += 1
        for name, number in live.items():
            limit = self.allowed.get(name)
            before = sum(job.group_name == name and job.state.is_live for job in self.seen.values())
            assert limit is None or number <= max(limit, before), "never more than the group may"

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
