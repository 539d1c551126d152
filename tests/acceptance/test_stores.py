"""Feature stores under real processes: killed imports, many readers, other data, read-only."""

from __future__ import annotations

import os
import pickle
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from setgf.data.store import list_stores, open_store
from setgf.home import Home
from tests.acceptance.small_disk import MIB, NoSmallDiskError, small_disk
from tests.acceptance.user import User, check_refusal, environment
from tests.data.builders import make_content
from tests.data.test_blocks import make_large_content

KILLS = int(os.environ.get("SETGF_KILLS", "4"))
"""Moments at which an import is killed; 20 when run by hand."""
READ = (
    "import sys, hashlib, pathlib\n"
    "from setgf.data.store import open_store\n"
    "from setgf.home import find_home\n"
    "from setgf.terms import Split\n"
    "for _ in range(int(sys.argv[2])):\n"
    "    store = open_store(find_home(), sys.argv[1])\n"
    "    data = store.split(Split.TRAIN)\n"
    "    digest = hashlib.sha256(data.audio.values.tobytes() + data.vision.values.tobytes())\n"
    "    print(store.manifest.fingerprint, digest.hexdigest())\n"
)


def start_reader(home: Path, name: str, times: int, *prefix: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*prefix, sys.executable, "-c", READ, name, str(times)],
        env=environment(home),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.slow
@pytest.mark.xdist_group("processes")
def test_an_import_killed_at_any_moment_leaves_a_whole_store_or_none(tmp_path: Path) -> None:
    user, chance = User(tmp_path / "home"), random.Random(11)
    path = tmp_path / "features.pkl"
    path.write_bytes(pickle.dumps(make_large_content(steps=600), 4))
    started = time.monotonic()
    user.must("data", "import", path, "--name", "whole")
    seconds = time.monotonic() - started
    whole = open_store(Home(user.home), "whole").manifest.fingerprint

    outcomes: set[bool] = set()
    for attempt in range(KILLS):
        with user.start("data", "import", path, "--name", f"cut{attempt}") as process:
            time.sleep(chance.uniform(0.3, 1.05) * seconds)
            process.send_signal(signal.SIGKILL)
        stores = {store.name: store for store in list_stores(Home(user.home))}
        outcomes.add(f"cut{attempt}" in stores)
        for store in stores.values():
            store.check()
            assert store.manifest.fingerprint == whole

    user.must("data", "import", path, "--name", "last")
    assert not list((user.home / "data").glob(".*"))
    print(f"killed {KILLS} times: stores made: {outcomes}")


@pytest.mark.slow
@pytest.mark.xdist_group("processes")
def test_readers_of_a_store_that_is_replaced_see_the_old_or_the_new_one(tmp_path: Path) -> None:
    user = User(tmp_path / "home")
    files = []
    for number, steps in enumerate((60, 90)):
        files.append(tmp_path / f"features{number}.pkl")
        files[-1].write_bytes(pickle.dumps(make_large_content(steps), 4))
    user.must("data", "import", files[0], "--name", "mine")
    readers = [start_reader(user.home, "mine", 60) for _ in range(2)]

    for number in (1, 0, 1):
        user.must("data", "import", files[number], "--name", "mine", "--force")
    lines: set[str] = set()
    for reader in readers:
        out, err = reader.communicate(timeout=120)
        # A split is mapped after the store was opened: other data then is refused, never mixed.
        assert reader.returncode == 0 or "was replaced by other data" in err, err
        lines.update(out.splitlines())

    assert lines
    assert len(lines) == len({line.split()[0] for line in lines}) <= 2


def test_a_store_on_a_read_only_disk_can_be_read_and_checked(user: User, tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    try:
        with small_disk(tmp_path / "disk", 64 * MIB) as disk:
            shutil.copytree(user.home / "data", disk.outside / "home" / "data")
            disk.remount("ro")
            home = disk.folder / "home"
            there = User(home, disk.prefix)

            checked = there.must("data", "check", "demo")
            there.must("data", "show", "demo")
            refused = there.run("data", "synth", "--name", "other")
            with start_reader(home, "demo", 1, *disk.prefix) as reader:
                out, err = reader.communicate(timeout=60)

            assert "every hash right" in checked.out
            check_refusal(refused, 3, "`other` can't be written", "Read-only file system")
            assert reader.returncode == 0, err
            assert len(out.splitlines()) == 1
    except NoSmallDiskError as error:
        pytest.skip(str(error))


def test_many_processes_read_one_store_at_once(user: User) -> None:
    readers = [start_reader(user.home, "demo", 3) for _ in range(3)]
    read = {reader.communicate(timeout=60)[0] for reader in readers}

    assert [reader.returncode for reader in readers] == [0, 0, 0]
    assert len(read) == 1


def test_damage_is_found_by_check_and_named(user: User) -> None:
    file = user.home / "data" / "demo" / "test.vision.npy"
    data = bytearray(file.read_bytes())
    data[-3] ^= 4
    file.write_bytes(bytes(data))

    check_refusal(user.run("data", "check"), 3, "`demo` is damaged", "`test.vision.npy`")
    check_refusal(user.run("data", "check", "none"), 3, "No feature store named `none`")


def test_the_content_of_a_broken_replacement_never_shows(user: User, tmp_path: Path) -> None:
    content = make_content()
    del content["test"]["vision"]
    (tmp_path / "features.pkl").write_bytes(pickle.dumps(content, 4))
    before = user.must("data", "show", "demo", "--json").json["fingerprint"]

    user.run("data", "import", tmp_path / "features.pkl", "--name", "demo", "--force")

    assert user.must("data", "show", "demo", "--json").json["fingerprint"] == before
