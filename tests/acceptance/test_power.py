"""SIGKILL and power cuts while points are written: what was acknowledged is there, once."""

from __future__ import annotations

import os
import random
import shutil
import time
from pathlib import Path

import pytest

from db.engine import Database
from db.query import Query
from setgf.home import Home
from setgf.runs.folder import RunFolder
from setgf.runs.recorder import FolderRecorder
from setgf.worker.ingest import Carrier
from setgf.worker.rebuild import begin_foreground, rebuild
from setgf.worker.submit import run_identity
from tests.acceptance.kill_at_random import kill_at_random
from tests.worker.builders import a_job, a_new_job

SAFE, WRITTEN, END = 6, 12, 15
"""Steps: of the checkpoint, written when the power goes, and of the whole run."""
TAIL_BYTES = 30
"""A record has 28; all that comes after the checkpoint (up to 400 bytes) passes as well."""


def test_sigkill_at_random_moments_loses_and_doubles_no_acknowledged_point(tmp_path: Path) -> None:
    found = kill_at_random(tmp_path, f"sqlite:///{tmp_path / 'setgf.db'}", kills=8, seed=7)

    assert found.problems == ()
    assert found.attempts > 1
    assert found.points >= 3 * found.acknowledged > 0


def new_run(home: Path, run_id: str) -> RunFolder:
    folder = RunFolder(home / "runs" / run_id)
    new = a_new_job(run_id)
    identity = run_identity(a_job(run_id=run_id, config=new.config), created_at=1.0)
    folder.create(identity, new.config)
    return folder


def train(folder: RunFolder, number: int, first: int, last: int) -> None:
    """Log steps with a checkpoint after `SAFE`; later ones get a series more."""
    recorder = FolderRecorder(folder.begin_attempt(number))
    recorder.event("started", resume_step=first - 1)
    recorder.begin_epoch(1)
    for step in range(first, last + 1):
        more = {} if step <= SAFE else {"valid.loss": -float(step)}
        recorder.log(step, {"train.loss": step + number / 8, **more})
        recorder.event("epoch", epoch=1, step=step)
        if step == SAFE:
            recorder.event("stopped", step=step)
    recorder.close()


def durable_sizes(folder: RunFolder) -> dict[str, int]:
    """Return how long the files were when the event of the checkpoint was on the disk."""
    attempt = folder.attempts()[0]
    return {
        "points.bin": SAFE * 28,
        "series.jsonl": attempt.series.read_bytes().index(b"\n") + 1,
        "events.jsonl": attempt.events.read_bytes().index(b'"stopped"'),
    }


@pytest.mark.parametrize("name", ["points.bin", "series.jsonl", "events.jsonl"])
def test_a_power_cut_at_any_byte_of_the_tail_loses_nothing_that_was_acknowledged(
    home: Path, database: Database, name: str
) -> None:
    template = new_run(home / "template", "aaaaaaaa")
    train(template, 1, 1, WRITTEN)
    path = template.attempts()[0].path / name
    begin = durable_sizes(template)[name]
    if name == "events.jsonl":
        begin = path.read_bytes().index(b"\n", begin) + 1
    carried_at = random.Random(3)

    size = path.stat().st_size
    for cut in range(max(begin, size - TAIL_BYTES), size):
        folder = new_run(home, f"{cut:08}")
        shutil.copytree(template.attempts()[0].path, folder.attempt_folder(1).path)
        begin_foreground(database, folder.begin_attempt(1))
        if carried_at.random() < 0.5:  # the database may know more than the disk then holds
            Carrier(database, folder.attempt_folder(1)).carry_all(time.time())
        os.truncate(folder.attempt_folder(1).path / name, cut)

        Carrier(database, folder.attempt_folder(1)).carry_all(time.time())
        begin_foreground(database, folder.begin_attempt(2))
        train(folder, 2, SAFE + 1, END)
        Carrier(database, folder.attempt_folder(2)).carry_all(time.time())

        check_whole(database, folder.id)
    assert database.check() == ()


@pytest.mark.parametrize("name", ["points.bin", "series.jsonl", "events.jsonl"])
def test_a_rebuild_after_a_power_cut_finds_all_that_was_acknowledged(
    home: Path, database: Database, name: str
) -> None:
    folder = new_run(home, "aaaaaaaa")
    train(folder, 1, 1, WRITTEN)
    path = folder.attempts()[0].path / name
    os.truncate(path, path.stat().st_size - 5)
    train(folder, 2, SAFE + 1, END)

    assert rebuild(Home(home), database) == (1, ())
    check_whole(database, folder.id)


def check_whole(database: Database, run_id: str) -> None:
    """Every step is there once: up to the checkpoint of the first attempt, then of the second."""
    points = Query(database).points(run_id, "train.loss")
    expected = [step + (1 if step <= SAFE else 2) / 8 for step in range(1, END + 1)]
    assert points.steps == tuple(range(1, END + 1))
    assert list(points.values) == expected
    later = Query(database).points(run_id, "valid.loss")
    assert list(later.values) == [-float(step) for step in range(SAFE + 1, END + 1)]


def test_a_journal_whose_series_names_were_lost_never_gets_them_mixed_up(
    home: Path, database: Database
) -> None:
    folder = new_run(home, "aaaaaaaa")
    attempt = folder.begin_attempt(1)
    recorder = FolderRecorder(attempt)
    recorder.log(1, {"train.loss": 1.0})
    kept = attempt.series.stat().st_size
    recorder.log(2, {"train.loss": 2.0, "train.lr": 0.5})
    recorder.close()
    os.truncate(attempt.series, kept + 4)

    recorder = FolderRecorder(attempt)
    recorder.log(3, {"valid.mae": 7.0})
    recorder.close()
    begin_foreground(database, attempt)
    Carrier(database, attempt).carry_all(time.time())

    query = Query(database)
    assert query.points(folder.id, "train.loss").values == (1.0, 2.0)
    assert query.points(folder.id, "valid.mae").values == (7.0,)
