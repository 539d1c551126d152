"""Workers, shims and children are killed; jobs must not notice. Children are stubs."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import time
from pathlib import Path

import pytest

from db.engine import Database
from db.jobs import add_jobs, cancel, list_attempts
from db.records import Job, JobState
from setgf.worker.supervision import is_process, read_process
from tests.acceptance.conftest import BOTH
from tests.acceptance.workers import STUB, Site
from tests.worker.builders import a_new_job
from tests.worker.processes import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("processes")]


def add(site: Site, *plans: tuple[str, ...]) -> list[Job]:
    new = [
        a_new_job(f"run{number:05}", *plan, max_attempts=200)
        for number, plan in enumerate(plans, 1)
    ]
    with site.database.write() as connection:
        return list(add_jobs(connection, new, actor="me", now=time.time()))


def expected_value(steps: int) -> float:
    """What an undisturbed stub ends with."""
    value = 0.0
    for step in range(1, steps + 1):
        value = value * 0.9 + step
    return value


def check_undisturbed(site: Site, job: Job, steps: int) -> None:
    """The job ended as if nothing had happened."""
    run = site.query.run(job.run_id)
    assert run.state is JobState.SUCCEEDED, run.error
    assert run.metrics["valid.mae"] == expected_value(steps)
    stored = site.query.points(job.run_id, "train.loss")
    assert stored.steps == tuple(range(1, steps + 1))
    for series in ("train.loss", "train.lr", "valid.mae"):
        site.check_points(job, series)


@pytest.mark.parametrize("database", BOTH, indirect=True)
def test_training_goes_on_when_the_worker_is_killed_and_the_next_one_adopts_it(
    home: Path, database: Database
) -> None:
    with Site(home, database, STUB) as site:
        (job,) = add(site, ("steps=150", "pause=0.02"))
        first = site.start_worker()
        site.wait_for_steps(job.id, 10)
        before = read_process(site.attempt(site.job(job.id)))
        assert before is not None

        first.kill()
        first.wait()

        assert is_process(before.child_pid, before.child_start, before.boot_id)
        site.start_worker("--drain").wait(60)
        assert site.job(job.id).attempt == 1
        check_undisturbed(site, job, 150)
        site.check_nothing_is_left()


def test_an_end_while_no_worker_was_there_is_recorded_by_the_next_one(
    home: Path, database: Database
) -> None:
    with Site(home, database, STUB) as site:
        (job,) = add(site, ("steps=60", "pause=0.02"))
        first = site.start_worker()
        site.wait_for_steps(job.id, 10)
        attempt = site.attempt(site.job(job.id))
        first.kill()
        first.wait()
        wait_until(attempt.exit.exists)
        assert site.job(job.id).state is JobState.RUNNING

        site.start_worker("--drain").wait(60)

        check_undisturbed(site, job, 60)
        assert site.job(job.id).attempt == 1


@pytest.mark.parametrize("who", ["child", "shim"])
def test_a_job_goes_on_from_its_checkpoint_when_its_processes_are_killed(
    home: Path, database: Database, who: str
) -> None:
    with Site(home, database, STUB) as site:
        (job,) = add(site, ("steps=60", "pause=0.02"))
        worker = site.start_worker("--drain")
        site.wait_for_steps(job.id, 12)

        assert site.kill(site.job(job.id), who)

        worker.wait(60)
        check_undisturbed(site, job, 60)
        with database.read() as connection:
            first, second = list_attempts(connection, job.run_id)
        assert first.outcome == ("failed" if who == "child" else "lost")
        assert second.resume_step >= 10
        site.check_nothing_is_left()


def break_something(site: Site, chance: random.Random) -> bool:
    """Kill a worker, a shim or a child at a random step of a random job; False if it was over."""
    wait_until(
        lambda: any(job.state is JobState.RUNNING or is_over(site) for job in site.jobs()),
        seconds=60,
    )
    living = [job for job in site.jobs() if job.state is JobState.RUNNING]
    if not living:
        return False
    target = chance.choice(living)
    site.wait_for_steps(target.id, site.steps(target.id) + chance.randrange(1, 8))
    victim = chance.choice(["worker", "shim", "child", "worker and shim", "worker and child"])
    if "worker" in victim:
        worker = chance.choice([worker for worker in site.workers if worker.poll() is None])
        worker.kill()
        worker.wait()
        site.start_worker()
    if victim != "worker":
        return site.kill(site.job(target.id), victim.split()[-1])
    return True


def is_over(site: Site) -> bool:
    return all(job.state.is_finished for job in site.jobs())


def test_everything_is_killed_at_random_and_every_job_ends_as_if_nothing_had_happened(
    home: Path, database: Database
) -> None:
    chance = random.Random(7)
    with Site(home, database, STUB) as site:
        jobs = add(site, *[("steps=300", "pause=0.02")] * 4)
        for _ in range(2):
            site.start_worker()

        faults = 0
        while faults < 12 and not is_over(site):
            faults += break_something(site, chance)
        site.wait_for_ends()

        assert faults >= 6
        for job in jobs:
            check_undisturbed(site, job, 300)
        site.check_nothing_is_left()


def test_two_workers_started_at_once_never_run_a_job_twice(home: Path, database: Database) -> None:
    with Site(home, database, STUB) as site:
        jobs = add(site, *[("steps=5", "pause=0.01")] * 16)

        workers = [site.start_worker("--drain") for _ in range(3)]
        for worker in workers:
            worker.wait(90)

        starts = 0
        for job in jobs:
            check_undisturbed(site, job, 5)
            starts += site.job(job.id).attempt
            assert site.attempt(site.job(job.id)).log.read_text().count("started") == 1
        assert starts == len(jobs)
        site.check_nothing_is_left()


def test_a_stopped_worker_loses_its_jobs_and_does_no_harm_when_it_comes_back(
    home: Path, database: Database
) -> None:
    with Site(home, database, STUB) as site:
        (job,) = add(site, ("steps=400", "pause=0.02"))
        first = site.start_worker()
        site.wait_for_steps(job.id, 5)
        first_id = site.job(job.id).worker_id
        first.send_signal(signal.SIGSTOP)

        second = site.start_worker()
        wait_until(lambda: site.job(job.id).worker_id not in (first_id, None))
        first.send_signal(signal.SIGCONT)
        site.wait_for_steps(job.id, site.steps(job.id) + 50)

        assert first.poll() is None
        assert site.job(job.id).state is JobState.RUNNING
        assert site.job(job.id).attempt == 1
        with database.write() as connection:
            cancel(connection, [job.id], "me", time.time())
        site.wait_for_ends()
        for worker in (first, second):
            worker.terminate()
            assert worker.wait(30) == 0
        site.check_points(job, "train.loss")
        site.check_nothing_is_left()


def test_training_goes_on_while_the_database_is_locked(home: Path, file_database: Database) -> None:
    with Site(home, file_database, STUB) as site:
        (job,) = add(site, ("steps=1500", "pause=0.01"))
        worker = site.start_worker("--drain")
        site.wait_for_steps(job.id, 5)
        assert file_database.path is not None
        journal = site.attempt(site.job(job.id)).points

        locker = sqlite3.connect(file_database.path, isolation_level=None)
        locker.execute("BEGIN IMMEDIATE")
        before = journal.stat().st_size
        log = home / "workers" / f"worker-{worker.pid}.log"
        wait_until(lambda: "Training goes on; trying again" in log.read_text(), seconds=60)
        assert journal.stat().st_size > before + 28 * 100
        locker.execute("ROLLBACK")
        locker.close()

        assert worker.wait(90) == 0
        check_undisturbed(site, job, 1500)


def test_a_terminated_worker_leaves_its_jobs_running(home: Path, database: Database) -> None:
    with Site(home, database, STUB) as site:
        (job,) = add(site, ("steps=200", "pause=0.02"))
        first = site.start_worker()
        site.wait_for_steps(job.id, 5)

        first.terminate()

        assert first.wait(30) == 0
        assert site.folder(job).is_live()
        site.start_worker("--drain").wait(60)
        assert site.job(job.id).attempt == 1
        check_undisturbed(site, job, 200)


def test_an_interrupted_worker_checkpoints_and_requeues_its_jobs(
    home: Path, database: Database
) -> None:
    with Site(home, database, STUB) as site:
        (job,) = add(site, ("steps=100", "pause=0.02"))
        first = site.start_worker()
        site.wait_for_steps(job.id, 7)

        first.send_signal(signal.SIGINT)

        assert first.wait(30) == 0
        waiting = site.job(job.id)
        assert (waiting.state, waiting.attempt) == (JobState.QUEUED, 1)
        assert not site.folder(job).is_live()
        site.start_worker("--drain").wait(60)
        check_undisturbed(site, job, 100)


def test_a_damaged_database_ends_the_worker_with_a_sentence_and_not_the_training(
    home: Path, file_database: Database
) -> None:
    with Site(home, file_database, STUB) as site:
        (job,) = add(site, ("steps=300", "pause=0.02"))
        worker = site.start_worker()
        site.wait_for_steps(job.id, 5)
        attempt = site.attempt(site.job(job.id))
        assert file_database.path is not None

        for suffix in ("", "-wal"):
            path = Path(f"{file_database.path}{suffix}")
            size = path.stat().st_size
            with path.open("r+b") as file:
                file.write(os.urandom(size))

        assert worker.wait(60) != 0
        assert "is not a run database" in site.errors() or "is damaged" in site.errors()
        assert attempt.run.is_live()
        attempt.request_stop("cancel")
        wait_until(attempt.exit.exists)
        file_database.path.unlink()
