"""Two workers share one database: order, dependencies and the limits of groups, by its events."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from db.engine import Database
from db.jobs import add_jobs, dependencies, set_parallelism
from db.records import Job, JobState
from tests.acceptance.workers import Site
from tests.worker.builders import a_new_job

pytestmark = [pytest.mark.long, pytest.mark.xdist_group("processes")]

WORKER = ("-m", "tests.acceptance.chaos_worker", "--child", "quick", "--slots", "4", "--drain")
NUM_SLOTS = 8
LIMITS = {"alone": 1, "pairs": 2, "many": None}
"""Groups, and how many of their jobs may run at once."""
LIVE = {"starting", "running", "stopping"}


def test_two_hundred_jobs_keep_order_dependencies_and_limits_between_two_workers(
    home: Path, database: Database
) -> None:
    with Site(home, database, WORKER) as site:
        jobs = add_all(site, {"alone": 40, "pairs": 60, "many": 100})

        workers = [site.start_worker() for _ in range(2)]
        codes = [worker.wait(200) for worker in workers]

        assert codes == [0, 0], site.errors()
        history = read_history(site, jobs)
        assert history.ends == {job.id: "succeeded" for job in jobs}
        assert history.claims == Counter(job.id for job in jobs)
        assert history.too_early == []
        assert history.most_at_once["alone"] == 1
        assert history.most_at_once["pairs"] == 2
        assert history.most_at_once["many"] > 2
        assert len(history.workers) == 2
        assert min(history.workers.values()) > len(jobs) // 10
        assert max(history.passed_over.values(), default=0) <= 2 * NUM_SLOTS
        site.check_nothing_is_left()


def add_all(site: Site, counts: dict[str, int]) -> list[Job]:
    """Queue all jobs; in every group, chains of ten that wait for each other, and priorities."""
    added: list[Job] = []
    with site.database.write() as connection:
        for group, count in counts.items():
            chain: tuple[int, ...] = ()
            for number in range(count):
                new = a_new_job(
                    f"{group[:4]:x<4}{number:04}",
                    priority=(number // 10) % 3,
                    after=chain if number % 10 else (),
                )
                (job,) = add_jobs(connection, [new], group_name=group, actor="me", now=time.time())
                # Every other chain is one in which each job waits for the one before it.
                chain = (job.id,) if (number // 10) % 2 else ()
                added.append(job)
            if LIMITS[group] is not None:
                set_parallelism(connection, group, LIMITS[group], "me", time.time())
    return added


@dataclass
class History:
    """What the events say, in the order they were stored."""

    claims: Counter[int] = field(default_factory=Counter[int])
    ends: dict[int, str] = field(default_factory=dict[int, str])
    too_early: list[int] = field(default_factory=list[int])
    """Jobs claimed before one they wait for had succeeded."""
    most_at_once: Counter[str] = field(default_factory=Counter[str])
    workers: Counter[str] = field(default_factory=Counter[str])
    passed_over: Counter[int] = field(default_factory=Counter[int])
    """How many jobs of a later place were claimed while a job could have been."""


def read_history(site: Site, jobs: list[Job], limits: Mapping[str, int | None] = LIMITS) -> History:
    """Play all events again."""
    known = {job.id: job for job in jobs}
    with site.database.read() as connection:
        after = {job.id: {other for other, _ in dependencies(connection, job.id)} for job in jobs}
    history, waiting, live = History(), dict(known), defaultdict[str, set[int]](set)
    for event in site.query.events(limit=100_000):
        job = known.get(event.job_id or 0)
        if job is None or event.to_state is None or event.from_state == event.to_state:
            continue
        group = str(job.group_name)
        if event.to_state in LIVE:
            live[group].add(job.id)
            history.most_at_once[group] = max(history.most_at_once[group], len(live[group]))
        else:
            live[group].discard(job.id)
        if event.from_state == JobState.QUEUED:
            history.claims[job.id] += 1
            history.workers[event.why.split()[-1]] += 1
            del waiting[job.id]
            if any(history.ends.get(other) != "succeeded" for other in after[job.id]):
                history.too_early.append(job.id)
            _count_passed_over(history, job, waiting, after, _open(live, limits))
        elif event.from_state is not None:
            history.ends[job.id] = str(event.to_state)
    return history


def _open(live: Mapping[str, set[int]], limits: Mapping[str, int | None]) -> set[str]:
    """Return the groups that have room for another job."""
    return {name for name, limit in limits.items() if limit is None or len(live[name]) < limit}


def _count_passed_over(
    history: History,
    claimed: Job,
    waiting: Mapping[int, Job],
    after: Mapping[int, set[int]],
    groups: set[str],
) -> None:
    for job in waiting.values():
        is_ready = all(history.ends.get(other) == "succeeded" for other in after[job.id])
        if str(job.group_name) in groups and is_ready and place(job) < place(claimed):
            history.passed_over[job.id] += 1


def place(job: Job) -> tuple[int, float, int]:
    """Return what the queue is sorted by."""
    return (-job.priority, job.position, job.id)
