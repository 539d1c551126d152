"""Two machines with networks of their own, one PostgreSQL server, one disk: as if on one machine.

The server is killed and comes back in the middle, and in another test one of the machines does.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from db.engine import Database, open_database
from db.jobs import add_jobs, list_attempts, set_parallelism
from db.records import Job, JobState
from tests.acceptance.hosts import Host, NoHostsError, a_host, connect, plug_in, pull_out
from tests.acceptance.test_crashes import add, check_undisturbed
from tests.acceptance.test_two_workers import read_history
from tests.acceptance.test_zombies import is_begun, share_no_locks
from tests.acceptance.workers import Site
from tests.db.postgres_server import PostgresServer, why_not
from tests.worker.builders import a_new_job
from tests.worker.processes import wait_until

pytestmark = [pytest.mark.long, pytest.mark.xdist_group("processes")]

WORKER = ("-m", "tests.acceptance.chaos_worker", "--child", "stub", "--lease", "3")
"""One job at a time: a group's limit of two needs both hosts."""
NUM_JOBS = 16
STEPS = 40
OUTAGE_SECONDS = 1.0


@dataclass(frozen=True)
class Network:
    """Two hosts and the server both of them reach, each by its own cable."""

    server: PostgresServer
    database: Database
    hosts: tuple[tuple[Host, str], ...]
    """Each with the URL of the database as it sees it."""
    cables: tuple[int, ...]


@pytest.fixture
def network(tmp_path: Path) -> Iterator[Network]:
    """Two machines and a server."""
    if why_not():
        pytest.skip(why_not())
    number = 2 * secrets.randbelow(100)
    try:
        with (
            a_host("alpha", tmp_path, has_network=True) as first,
            a_host("beta", tmp_path, has_network=True) as second,
        ):
            cables = (number, number + 1)
            addresses = [
                connect(host, cable)[0] for host, cable in zip((first, second), cables, strict=True)
            ]
            server = PostgresServer(addresses)
            database = open_database(server.url())
            urls = [server.url(address=address) for address in addresses]
            hosts = tuple(zip((first, second), urls, strict=True))
            yield Network(server, database, hosts, cables)
            for host in (first, second):
                host.cut_power()
            database.close()
            server.close()
    except NoHostsError as error:
        pytest.skip(str(error))


def add_in_pairs(site: Site) -> list[Job]:
    """Queue jobs in a group of which two may run at once, each second one after the first."""
    jobs: list[Job] = []
    with site.database.write() as connection:
        for number in range(NUM_JOBS):
            after = (jobs[-1].id,) if number % 2 else ()
            new = a_new_job(
                f"run{number:05}", f"steps={STEPS}", "pause=0.01", max_attempts=20, after=after
            )
            jobs += add_jobs(connection, [new], group_name="pairs", actor="me", now=time.time())
        set_parallelism(connection, "pairs", 2, "me", time.time())
    return jobs


def test_two_hosts_keep_order_and_limits_while_the_server_goes_down_and_comes_back(
    home: Path, network: Network
) -> None:
    with Site(home, network.database, ()) as site:
        jobs = add_in_pairs(site)
        workers = [host.start(home, url, *WORKER, "--drain") for host, url in network.hosts]
        wait_until(lambda: count(site, JobState.SUCCEEDED) >= 4, seconds=60, what="four jobs")

        network.server.stop()
        time.sleep(OUTAGE_SECONDS)
        network.server.start()

        for worker in workers:
            assert worker.wait(120) == 0, site.errors()
        history = read_history(site, jobs, {"pairs": 2})
        assert history.too_early == []
        assert history.most_at_once["pairs"] == 2
        assert {name.split("-")[0] for name in history.workers} == {"alpha", "beta"}
        for job in jobs:
            check_undisturbed(site, job, STEPS)
            assert site.job(job.id).attempt == 1
        site.check_nothing_is_left()


def count(site: Site, state: JobState) -> int:
    return sum(job.state is state for job in site.jobs())


def test_a_job_goes_on_elsewhere_when_its_machine_loses_power(home: Path, network: Network) -> None:
    (first, first_url), (second, second_url) = network.hosts
    with Site(home, network.database, ()) as site:
        (job,) = add(site, ("steps=150", "pause=0.02"))
        first.start(home, first_url, *WORKER)
        site.wait_for_steps(job.id, 20)
        other = second.start(home, second_url, *WORKER)

        first.cut_power()

        site.wait_for_ends()
        check_undisturbed(site, job, 150)
        with network.database.read() as connection:
            lost, succeeded = list_attempts(connection, job.run_id)
        assert (lost.host, lost.outcome) == ("alpha", "lost")
        assert (succeeded.host, succeeded.resume_step >= 15) == ("beta", True)
        other.terminate()


def test_a_machine_cut_off_from_the_server_stands_still_and_gives_way(
    home: Path, network: Network
) -> None:
    (first, first_url), (second, second_url) = network.hosts
    with Site(home, network.database, ()) as site:
        (job,) = add(site, ("steps=200", "pause=0.02"))
        first.start(home, first_url, *WORKER)
        site.wait_for_steps(job.id, 20)
        (child,) = set(first.pids_of("chaos_child")) - set(first.pids_of("shim.py"))

        pull_out(network.cables[0])
        wait_until(lambda: Path(f"/proc/{child}/stat").read_text().split()[2] == "T")
        assert site.job(job.id).attempt == 1  # nobody has taken it yet
        share_no_locks(site, job)
        other = second.start(home, second_url, *WORKER)
        wait_until(lambda: is_begun(site, job, 2), seconds=60)
        plug_in(network.cables[0])

        site.wait_for_ends()
        wait_until(lambda: not first.pids_of("chaos_child"), seconds=60)
        check_undisturbed(site, job, 200)
        with network.database.read() as connection:
            lost, succeeded = list_attempts(connection, job.run_id)
        assert (lost.host, lost.outcome) == ("alpha", "lost")
        assert (succeeded.host, succeeded.outcome) == ("beta", "succeeded")
        other.terminate()
