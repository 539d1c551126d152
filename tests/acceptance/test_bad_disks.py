"""Damaged databases and full or closed disks: one clear sentence, an exit code, nothing lost."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from setgf.runs.journal import RECORD_SIZE
from tests.acceptance.small_disk import MIB, NoSmallDiskError, SmallDisk, small_disk
from tests.acceptance.user import User, check_refusal, fingerprints
from tests.data.builders import make_content
from tests.db.test_upgrade import OLD_SCHEMAS

DATA, DATABASE = 3, 4
SYNTH = ("data", "synth", "--name", "big", "--samples", "3000")
ADD = (
    *("queue", "add", "--data", "demo", "--model", "text_only", "--set", "text.encoder=tiny"),
    *("--set", "max_epochs=40", "--set", "patience=0"),
)

DAMAGES = {
    "random bytes": (lambda path: path.write_bytes(os.urandom(20000)), "is not a run database"),
    "a damaged page": (lambda path: damage_pages(path), "is damaged"),
    "cut": (lambda path: os.truncate(path, 100), "is damaged"),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_database_is_named_with_the_way_out_and_left_as_it_is(
    user: User, name: str
) -> None:
    spoil, sentence = DAMAGES[name]
    spoil(user.database)
    before = fingerprints(user.home)

    for words in ("queue list", "queue add --data demo --seeds 9", "worker start --once"):
        outcome = user.run(*words.split())
        check_refusal(outcome, DATABASE, str(user.database), sentence, "`setgf db rebuild`")

    after = fingerprints(user.home)
    assert {path: after[path] for path in before} == before


def test_an_empty_database_file_is_a_new_database(user: User) -> None:
    os.truncate(user.database, 0)

    assert "The queue is empty" in user.must("queue", "list").out


def test_a_database_of_a_later_version_is_not_touched(user: User) -> None:
    with closing(sqlite3.connect(user.database)) as connection:
        connection.execute("PRAGMA user_version = 999")
    before = fingerprints(user.home)

    check_refusal(user.run("queue", "cancel", 1), DATABASE, "version 999", "Install a later setgf")

    assert fingerprints(user.home) == before


def test_a_database_of_another_program_is_not_touched(user: User) -> None:
    user.database.unlink()
    with closing(sqlite3.connect(user.database)) as connection:
        connection.execute("CREATE TABLE bookmarks (address TEXT)")
    before = fingerprints(user.home)

    check_refusal(user.run("queue", "list"), DATABASE, "not one of setgf", "$SETGF_DATABASE_URL")

    assert fingerprints(user.home) == before


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    """An empty disk of 12 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    try:
        with small_disk(folder, 12 * MIB) as made:
            yield made
    except NoSmallDiskError as error:
        pytest.skip(str(error))


def move_in(disk: SmallDisk, home: Path) -> User:
    """Return somebody whose home, a copy of `home`, is on the disk."""
    shutil.copytree(home, disk.outside / "home")
    return User(disk.folder / "home", disk.prefix)


def test_a_store_that_does_not_fit_on_the_disk_leaves_nothing(
    disk: SmallDisk, first_home: Path, tmp_path: Path
) -> None:
    user = move_in(disk, first_home)
    path = tmp_path / "features.pkl"
    content = make_content()
    content["train"]["audio"] = np.ones((4, 200_000, 4), np.float32)
    path.write_bytes(pickle.dumps(content, 4))
    before = fingerprints(disk.outside)

    for words in (("data", "import", path, "--name", "big"), SYNTH):
        check_refusal(user.run(*words), DATA, "No space left on device", "Nothing was kept")
        disk.fill()

    (disk.outside / "filler").unlink()
    assert fingerprints(disk.outside) == before
    assert not list((disk.outside / "home/data").glob(".*"))


def test_a_queue_on_a_full_disk_stays_as_it_was(disk: SmallDisk, first_home: Path) -> None:
    user = move_in(disk, first_home)
    disk.fill()
    before = fingerprints(disk.outside)
    add = ("queue", "add", "--data", "demo", "--set", "text.encoder=tiny", "--seeds", "3-60")

    for words in (add, ("queue", "cancel", "1")):
        check_refusal(user.run(*words), DATABASE, "disk", "setgf.db", "is full", "Make space")

    assert fingerprints(disk.outside) == before
    trained = user.run("train", "--data", "demo")
    assert trained.code == 1
    assert "error: The disk is full" in trained.err.splitlines()[-1]
    assert "Traceback" not in trained.err
    (disk.outside / "filler").unlink()
    assert len(user.must(*add, "--json").json) == 58


def test_a_disk_that_can_only_be_read_is_told_and_can_still_be_read(
    disk: SmallDisk, first_home: Path
) -> None:
    user = move_in(disk, first_home)
    user.must("queue", "list")
    disk.remount("ro")

    check_refusal(user.run("queue", "cancel", "1"), DATABASE, "setgf.db", "can't be")
    check_refusal(user.run(*SYNTH), DATA, "Read-only file system", "Nothing was kept")
    check_refusal(user.run("worker", "start"), 5, "log", "Read-only file system", "$SETGF_HOME")
    check_refusal(user.run("train", "--data", "demo"), 1, "Read-only file system")
    assert "demo" in user.must("data", "list").out


@pytest.mark.slow
def test_a_checkpoint_that_does_not_fit_fails_the_job_and_harms_no_earlier_one(
    disk: SmallDisk, first_home: Path
) -> None:
    user = move_in(disk, first_home)
    user.must("queue", "cancel", "1-2")
    # A checkpoint and its best weights take 10 MB: the second one does not fit.
    user.must(*ADD, "--retries", 0, "--set", "checkpoint_seconds=0.001")

    user.must("worker", "start", "--once")

    job = user.must("queue", "show", 3, "--json").json
    attempt = disk.outside / "home/runs" / job["run_id"] / "a1"
    assert (job["state"], job["attempts"][0]["failure_class"]) == ("failed", "disk_full")
    assert "The disk is full" in job["error"]
    assert "last-00000002.pt can't be written. Free some space" in job["error"]
    check_checkpoints(attempt)
    assert job["attempts"][0]["points_offset"] == (attempt / "points.bin").stat().st_size > 0
    assert "Traceback" not in (attempt / "log.txt").read_text()


@pytest.mark.slow
def test_a_journal_on_a_full_disk_fails_the_job_and_keeps_every_whole_point(
    disk: SmallDisk, user: User
) -> None:
    disk.remount("size=8k")
    user = User(user.home, disk.prefix)
    user.must("queue", "cancel", "1-2")
    (job,) = user.must(*ADD, "--set", "text.finetune=false", "--json").json
    attempt = user.home / "runs" / job["run_id"] / "a1"
    attempt.mkdir(parents=True)
    (attempt / "points.bin").touch()
    (disk.outside / "points.bin").touch()
    disk.put_over("points.bin", attempt / "points.bin")

    user.must("worker", "start", "--once")

    stored = user.must("queue", "show", 3, "--json").json
    size = (disk.outside / "points.bin").stat().st_size
    assert (stored["state"], stored["attempts"][0]["failure_class"]) == ("queued", "disk_full")
    assert "points.bin can't be written. Free some space" in stored["attempts"][0]["error"]
    assert size % RECORD_SIZE == 0
    assert 8192 - 30 * RECORD_SIZE < size <= 8192
    assert stored["attempts"][0]["points_offset"] == size
    assert count_points(user.database) == size // RECORD_SIZE


@pytest.mark.slow
def test_a_full_database_disk_stops_neither_training_nor_worker_and_nothing_is_lost(
    disk: SmallDisk, user: User
) -> None:
    user = User(user.home, disk.prefix)
    database = ("--db", f"sqlite:///{disk.folder / 'runs.db'}")
    (job,) = user.must(*database, *ADD, "--set", "text.finetune=false", "--json").json
    attempt = user.home / "runs" / job["run_id"] / "a1"

    with user.start(*database, "worker", "start", "--once") as worker:
        wait_until((attempt / "proc.json").exists)
        disk.fill()
        wait_until((attempt / "exit.json").exists)
        wait_until(lambda: "is full" in worker_log(user.home))
        assert worker.poll() is None
        (disk.outside / "filler").unlink()
        _, said = worker.communicate(timeout=60)

    stored = user.must(*database, "queue", "show", job["id"], "--json").json
    assert worker.returncode == 0
    assert said.count("is full; nothing of this change was stored") < 5
    assert "Traceback" not in said
    assert stored["state"] == "succeeded"
    size = (attempt / "points.bin").stat().st_size
    assert stored["attempts"][0]["points_offset"] == size > 0
    shutil.copy(disk.outside / "runs.db", user.home / "copy.db")
    assert count_points(user.home / "copy.db") == size // RECORD_SIZE


def old_database(disk: SmallDisk, folder: Path) -> User:
    """Return somebody whose database, of 2 MB, is of the first schema."""
    path = folder / "setgf.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(OLD_SCHEMAS[0].read_text())
        connection.execute("PRAGMA journal_mode=WAL")
        columns = [row[1] for row in connection.execute("PRAGMA table_info(events)")]
        rest = ", ".join(name for name in columns if name not in ("id", "why"))
        connection.execute(
            f"INSERT INTO events (why, {rest}) WITH RECURSIVE n(i) AS "
            f"(SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000) "
            f"SELECT hex(randomblob(500)), {rest} FROM n, (SELECT * FROM events LIMIT 1)"
        )
        connection.commit()
    (disk.outside / "home").mkdir()
    shutil.copy(path, disk.outside / "home")
    return User(disk.folder / "home", disk.prefix)


@pytest.mark.slow
def test_an_upgrade_that_does_not_fit_leaves_the_database_as_it_was(
    disk: SmallDisk, tmp_path: Path
) -> None:
    user = old_database(disk, tmp_path)
    home = disk.outside / "home"
    before = fingerprints(home)
    refused = 0

    for spare in (0, 2 * MIB, 5 * MIB // 2, 3 * MIB):
        disk.fill(spare=spare)
        outcome = user.run("db", "upgrade")
        (disk.outside / "filler").unlink()
        if outcome.code == 0:
            break
        refused += 1
        check_refusal(outcome, DATABASE, "full", "Make space")
        assert fingerprints(home) == before
        assert user_version(home / "setgf.db") == 1

    assert refused >= 2
    user.must("db", "upgrade")
    assert "is sound" in user.must("db", "check").out
    assert user.must("db", "info", "--json").json["jobs"] > 0


@pytest.mark.slow
def test_care_of_the_database_on_a_full_disk_is_refused_and_leaves_nothing(
    disk: SmallDisk, first_home: Path
) -> None:
    user = move_in(disk, first_home)
    copy = disk.folder / "copy.db"
    user.must("db", "backup", copy)
    other = disk.folder / "other.db"
    disk.fill(spare=64 << 10)
    before = fingerprints(disk.outside)

    for words in (("backup", other), ("restore", copy), ("rebuild",)):
        check_refusal(user.run("db", *words), DATABASE, "full", "Make space")
        assert fingerprints(disk.outside) == before, words

    check_refusal(user.run("db", "vacuum"), DATABASE, "full")
    (disk.outside / "filler").unlink()
    assert "is sound" in user.must("db", "check").out
    assert len(user.must("queue", "list", "--json").json) == 2
    user.must("db", "backup", other)


def wait_until(condition: Callable[[], bool], seconds: float = 90.0) -> None:
    """Wait for a condition; fail loudly when it does not come."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds} s in vain"
        time.sleep(0.02)


def worker_log(home: Path) -> str:
    """Return what workers have logged."""
    return "".join(path.read_text() for path in (home / "workers").glob("*.log"))


def check_checkpoints(attempt: Path) -> None:
    """Check that every checkpoint the manifest names is there, whole, and no other."""
    manifest = json.loads((attempt / "checkpoints/manifest.json").read_text())
    named = {entry["file"]: entry["sha256"] for entry in manifest["checkpoints"]}
    assert "last-00000001.pt" in named
    found = fingerprints(attempt / "checkpoints")
    del found["manifest.json"]
    assert found == named


def count_points(database: Path) -> int:
    """Return how many points are stored, counted the way a reader sees them."""
    with closing(sqlite3.connect(database)) as connection:
        return int(connection.execute("SELECT count(*) FROM points").fetchone()[0])


def user_version(database: Path) -> int:
    """Return the schema version of a database."""
    return int.from_bytes(database.read_bytes()[60:64], "big")  # its place in SQLite's header


def damage_pages(path: Path) -> None:
    """Overwrite the beginning of every page but the first."""
    with path.open("r+b") as file:
        for place in range(4096, path.stat().st_size, 4096):
            file.seek(place)
            file.write(b"\xff" * 200)
