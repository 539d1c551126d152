"""`setgf watch ID`: a line an epoch, states, the end and its exit code, as text and as JSON."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from db.engine import open_database
from db.metrics import ingest
from db.query import Query
from db.records import Point
from db.runs import update_run
from setgf.cli.watch_run import RunWatcher, find_work
from setgf.home import Home
from tests.cli import queue_home
from tests.cli.command import run_setgf
from tests.cli.stored import store_run, writing


def epochs(run_id: str, numbers: range) -> None:
    """Store what a run writes in some epochs of four steps."""
    losses = [
        Point(series="train.loss", step=step, epoch=epoch, value=2.0 / epoch, time=1000.0 + step)
        for epoch in numbers
        for step in range(4 * epoch - 3, 4 * epoch + 1)
    ]
    scores = [
        Point(
            series="valid.mae",
            step=4 * epoch,
            epoch=epoch,
            value=1.0 / epoch,
            time=1000.0 + 4 * epoch,
        )
        for epoch in numbers
    ]
    points = [*losses, *scores]
    with writing() as connection:
        ingest(connection, run_id, 1, points, points_offset=28 * 100 * numbers[-1])
        update_run(connection, run_id, attempt=1, epoch=numbers[-1], best_epoch=numbers[-1],
                   best_valid=1.0 / numbers[-1], step=4 * numbers[-1])  # fmt: skip


@pytest.fixture
def job(home: Path) -> str:
    """A running job, by the id of its run."""
    queue_home.make_store(home)
    queue_home.add("--seeds", "1-2")
    queue_home.worker(home, "cpu0")
    queue_home.start(home, 1)
    return queue_home.jobs()[1]["run_id"]


def test_every_epoch_has_a_line_and_the_end_its_code(home: Path, job: str) -> None:
    database = open_database(Home(home).database_url)
    with Query(database) as query:
        watcher = RunWatcher(query, find_work(query, "1"))
        first = [news.text() for news in watcher.look(time.time())]
        epochs(job, range(1, 3))
        second = [news.plain() for news in watcher.look(time.time())]
        again = list(watcher.look(time.time()))
        epochs(job, range(3, 4))
        third = [news.text() for news in watcher.look(time.time())]
        queue_home.finish(home, 1)
        last = [news.plain() for news in watcher.look(time.time())]

    assert len(first) == 1
    assert "job 1" in first[0]
    assert "running" in first[0]
    assert [(news["epoch"], news["train_loss"], news["valid"]) for news in second] == [
        (1, 2.0, 1.0),
        (2, 1.0, 0.5),
    ]
    assert again == []
    assert "epoch " in third[0]
    assert "train.loss 0.6667  valid.mae 0.3333  best" in third[0]
    assert second[0]["seconds_left"] is None
    assert second[1]["seconds_left"] > 0
    assert last[-1]["kind"] == "end"
    assert watcher.exit_code == 0


@pytest.mark.parametrize(("outcome", "code"), [("succeeded", 0), ("failed", 1), ("cancelled", 3)])
def test_the_exit_code_is_the_end_of_the_work(
    home: Path, job: str, outcome: str, code: int
) -> None:
    epochs(job, range(1, 13))
    queue_home.finish(home, 1, outcome, error="Traceback\nBoom" if outcome == "failed" else None)

    told = run_setgf("watch", "1")
    lines = [json.loads(line) for line in run_setgf("watch", job[:6], "--json").out.splitlines()]

    assert told.code == code
    assert f"{outcome} after" in told.out.splitlines()[-1]
    assert ("Boom" in told.out) is (outcome == "failed")
    assert "epochs 1 to 2 are left out" in told.out
    assert [line["kind"] for line in lines] == ["left_out", *["epoch"] * 10, "end"]
    assert lines[-1]["exit_code"] == code
    assert lines[-1]["job"] == 1


def test_a_job_that_never_ran_ends_the_watch_when_it_is_cancelled(home: Path, job: str) -> None:
    run_setgf("queue", "cancel", "2")

    outcome = run_setgf("watch", "2")

    assert outcome.code == 3
    assert "cancelled" in outcome.out


def test_a_run_without_a_job_is_watched_by_its_id() -> None:
    store_run("cccc0000", series={"train.loss": [1.0, 0.5]}, metrics={"test.mae": 0.7})

    outcome = run_setgf("watch", "cccc")

    assert outcome.code == 0
    assert "train.loss 0.7500" in outcome.out
    assert "test.mae 0.700" in outcome.out


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (["99"], 4, "There is no job 99"),
        (["zzzz"], 4, "There is no run `zzzz`"),
        (["1", "--until-idle"], 2, "Name either a job or a run"),
    ],
)
def test_what_is_not_there_is_said(job: str, words: list[str], code: int, sentence: str) -> None:
    outcome = run_setgf("watch", *words)

    assert outcome.code == code
    assert sentence in outcome.err


def test_the_whole_queue_is_followed_as_json_lines(home: Path, job: str) -> None:
    run_setgf("queue", "cancel", "2")
    queue_home.finish(home, 1)
    queue_home.add("--seeds", "7")
    run_setgf("queue", "cancel", "3")

    outcome = run_setgf("watch", "--until-idle", "--json")

    assert outcome.code == 0
    assert "idle" in outcome.err
