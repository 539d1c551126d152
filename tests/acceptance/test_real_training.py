"""Real training in real processes, killed at bad moments: the weights must not know."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest

from db.engine import Database
from db.jobs import add_jobs
from db.records import Job, JobState
from setgf.data.synthetic import synthesise
from setgf.home import Home
from setgf.worker.submit import Request, plan_jobs
from tests.acceptance.workers import REAL, Site

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("processes"), pytest.mark.timeout(600)]

SMALL = {
    "text.encoder": "tiny",
    "model.width": 16,
    "model.heads": 2,
    "model.blocks": 1,
    "data.max_frames": 8,
    "optim.batch_size": 4,
    "train.max_epochs": 6,
    "train.patience": 0,
    "train.checkpoint_seconds": 0.2,
}


def add(site: Site, *, times: int) -> list[Job]:
    """Queue the same experiment so many times."""
    home = Home(site.home)
    synthesise(home, "small", num_samples=60)
    request = Request(data_name="small", settings=SMALL, max_attempts=20, gpus=0)
    new = [job for _ in range(times) for job in plan_jobs(home, request)]
    with site.database.write() as connection:
        return list(add_jobs(connection, new, actor="me", now=time.time()))


def test_a_run_that_lost_its_child_its_shim_and_its_worker_ends_with_the_same_weights(
    home: Path, database: Database
) -> None:
    chance = random.Random(3)
    with Site(home, database, REAL) as site:
        calm, broken = add(site, times=2)
        site.start_worker("--once").wait(200)
        worker = site.start_worker("--slots", "1")
        total = site.query.run(calm.run_id).step

        for victim, share in (("child", 0.2), ("shim", 0.5), ("worker", 0.7)):
            site.wait_for_steps(broken.id, int(total * share) + chance.randrange(3), seconds=120)
            if victim == "worker":
                worker.kill()
                worker.wait()
                worker = site.start_worker("--slots", "1", "--drain")
            else:
                assert site.kill(site.job(broken.id), victim)
        worker.wait(200)

        assert site.job(broken.id).attempt == 3
        for job in (calm, broken):
            assert site.job(job.id).state is JobState.SUCCEEDED, site.job(job.id).error
            for series in site.query.series(job.run_id):
                if series.count(".") == 1:
                    site.check_points(job, series)
        assert site.weights(calm) == site.weights(broken)
        first, second = site.query.run(calm.run_id), site.query.run(broken.run_id)
        assert first.metrics == second.metrics
        for series in ("train.loss", "valid.mae"):
            undisturbed = site.query.points(calm.run_id, series)
            disturbed = site.query.points(broken.run_id, series)
            assert disturbed.steps == undisturbed.steps
            assert disturbed.values == undisturbed.values
        site.check_nothing_is_left()
