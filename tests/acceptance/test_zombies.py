"""A machine that slept past its leases: another one has its job, and it may write nothing more."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from db.engine import Database
from db.jobs import list_attempts
from db.records import Job, JobState
from tests.acceptance.hosts import Host, NoHostsError, a_host
from tests.acceptance.test_crashes import add, check_undisturbed
from tests.acceptance.workers import Site
from tests.worker.processes import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("processes")]

WORKER = ("-m", "tests.acceptance.chaos_worker", "--child", "stub", "--lease", "2")
STEPS = 200


@pytest.fixture
def hosts(tmp_path: Path) -> Iterator[tuple[Host, Host]]:
    """Two machines that share a disk."""
    try:
        with a_host("alpha", tmp_path) as first, a_host("beta", tmp_path) as second:
            yield first, second
    except NoHostsError as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("who", ["everything", pytest.param("child", marks=pytest.mark.long)])
def test_what_slept_past_its_lease_wakes_up_and_writes_nothing(
    home: Path, database: Database, hosts: tuple[Host, Host], who: str
) -> None:
    asleep, awake = hosts
    with Site(home, database, ()) as site:
        (job,) = add(site, (f"steps={STEPS}", "pause=0.02"))
        asleep.start(home, database.url, *WORKER)
        site.wait_for_steps(job.id, 10)
        owner = site.job(job.id).worker_id
        asleep.send(signal.SIGSTOP)
        share_no_locks(site, job)

        worker = awake.start(home, database.url, *WORKER, "--drain")
        # It may have fallen asleep inside a transaction: a server ends that after a minute.
        wait_until(lambda: is_begun(site, job, 2), seconds=120, what="the second attempt")
        site.wait_for_steps(job.id, 30)
        wait_until(lambda: is_carried(site, job), what="the first attempt's last words")
        before = traces(site, job)
        woken = asleep.pids_of("chaos_child") if who == "child" else asleep.pids()
        asleep.send(signal.SIGCONT, woken)
        wait_until(lambda: not asleep.pids_of("chaos_child"), what="the end of the sleeper")

        assert worker.wait(90) == 0, site.errors()
        check_undisturbed(site, job, STEPS)
        assert site.job(job.id).attempt == 2
        after = traces(site, job)
        assert after == before
        check_says_nothing(site, job, owner)
        check_only_the_second_wrote(site, job)


def share_no_locks(site: Site, job: Job) -> None:
    """Put the lock's file anew: what the sleeper holds is held nowhere else.

    So it is on a network file system that keeps locks to each machine.
    """
    site.folder(job).live.unlink()


def is_begun(site: Site, job: Job, attempt: int) -> bool:
    folder = site.folder(job).attempt_folder(attempt)
    return site.job(job.id).state is JobState.RUNNING and folder.points.exists()


def is_carried(site: Site, job: Job) -> bool:
    """Return whether all that the sleeper had told before it fell asleep is in the database."""
    with site.database.read() as connection:
        first = list_attempts(connection, job.run_id)[0]
    return first.events_offset == site.folder(job).attempt_folder(1).events.stat().st_size


def traces(site: Site, job: Job) -> tuple[object, ...]:
    """Return what the first attempt has in the database: its row, and what it was told to have.

    How far its journal was carried is left out: what counts of it the second attempt's worker does.
    Its own folder is its own: a checkpoint it was about to write when it fell asleep may appear.
    """
    with site.database.read() as connection:
        first = list_attempts(connection, job.run_id)[0]
    kept = [entry for entry in site.query.checkpoints(job.run_id) if entry.attempt == 1]
    return replace(first, points_offset=0, events_offset=0), kept


def check_says_nothing(site: Site, job: Job, owner: str | None) -> None:
    """From the moment the job was taken away, its old worker changed nothing of it."""
    events = site.query.events(job_id=job.id)
    taken = next(event.id for event in events if event.attempt == 2)
    assert [event for event in events if event.id >= taken and event.actor == owner] == []


def check_only_the_second_wrote(site: Site, job: Job) -> None:
    """The second attempt's files are what it alone wrote."""
    folder = site.folder(job).attempt_folder(2)
    assert site.folder(job).current_attempt() == 2
    assert folder.log.read_text().count("started at step") == 1
    assert not list(folder.path.glob("*.tmp*"))
