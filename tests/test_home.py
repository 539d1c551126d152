from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from setgf import home as homes
from setgf.errors import CheckpointError, ConfigError, RunFolderError
from setgf.home import Home, check_owner, find_home, set_umask, users_umask
from setgf.runs.atomic import write_json
from setgf.runs.folder import RunFolder, RunIdentity
from setgf.runs.garbage import Policy, find_checkpoints
from setgf.training.checkpoint import CheckpointFolder
from setgf.worker.permissions import make_private, share

CREATE = """
import sqlite3
from pathlib import Path
from db.engine import open_database
from setgf.home import find_home, set_umask
from setgf.runs.folder import RunFolder
from setgf.runs.recorder import FolderRecorder
home = find_home()
set_umask()
database = open_database(home.database_url)
with database.write() as connection:
    connection.exec_driver_sql("SELECT 1")
run = RunFolder(home.run_path("abcd1234"))
recorder = FolderRecorder(run.begin_attempt(1))
recorder.event("started")
recorder.log(1, {"train.loss": 1.0})
for path in sorted(home.root.rglob("*")):
    print(f"{path.lstat().st_mode & 0o7777:04o}", "folder" if path.is_dir() else "file", path.name)
"""


@pytest.fixture(autouse=True)
def own_umask():
    """Gives the umask back."""
    before = os.umask(0o022)
    known = list(homes._umasks)
    homes._umasks.clear()
    os.umask(before)
    yield
    os.umask(before)
    homes._umasks[:] = known


def modes(home: Home) -> dict[str, set[str]]:
    """Modes of what a process with a careless umask makes in the home."""
    done = subprocess.run(
        [sys.executable, "-c", f"import os; os.umask(0)\n{CREATE}"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        env={**os.environ, "SETGF_HOME": str(home.root)},
    )
    found: dict[str, set[str]] = {"folder": set(), "file": set()}
    for line in done.stdout.splitlines():
        mode, kind, _ = line.split(" ", 2)
        found[kind].add(mode)
    assert "setgf.db-wal" in done.stdout
    return found


def test_whatever_the_umask_a_home_is_private(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")

    assert modes(home) == {"folder": {"0700"}, "file": {"0600"}}

    assert stat.S_IMODE(home.root.stat().st_mode) == 0o700


def test_in_a_shared_home_everything_new_is_the_groups_too(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    home.root.mkdir()
    home.root.chmod(0o2770)

    assert modes(home) == {"folder": {"2770"}, "file": {"0660"}}


def test_sharing_opens_a_home_to_the_group_but_not_its_secrets(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    modes(home)
    home.notify.write_text("urls = []")
    outside = tmp_path / "outside"
    outside.write_text("mine")
    outside.chmod(0o600)
    (home.runs / "link").symlink_to(outside)
    group = _own_group()

    change = share(home, group)

    assert home.is_shared
    assert change.num_refused == 0
    assert stat.S_IMODE((home.root / "setgf.db").stat().st_mode) == 0o660
    assert stat.S_IMODE(home.run_path("abcd1234").stat().st_mode) == 0o2770
    assert stat.S_IMODE(home.notify.stat().st_mode) == 0o600
    assert stat.S_IMODE(outside.stat().st_mode) == 0o600

    make_private(home)

    assert not home.is_shared
    assert stat.S_IMODE((home.root / "setgf.db").stat().st_mode) == 0o600


def test_an_unknown_group_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no Unix group `no-such-group`"):
        share(Home(tmp_path / "home"), "no-such-group")

    assert not (tmp_path / "home").exists()


def test_a_home_that_everybody_may_write_into_is_refused(home) -> None:
    Path(home).chmod(0o777)

    with pytest.raises(ConfigError, match=r"Everybody .* may write .* `chmod o-w "):
        find_home()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_home_of_somebody_else_is_refused_unless_it_is_shared_with_us(home) -> None:
    root = Path(home)
    os.chown(root, 12345, -1)
    root.chmod(0o750)

    with pytest.raises(ConfigError, match=r"belongs to `12345`, but you are `root`"):
        find_home()

    root.chmod(0o2770)
    check_owner(Home(root))


def test_what_leaves_the_home_is_made_by_the_users_umask(tmp_path: Path, home) -> None:
    os.umask(0o027)

    set_umask()
    with users_umask():
        (tmp_path / "export").touch()
    (tmp_path / "kept").touch()

    assert stat.S_IMODE((tmp_path / "export").stat().st_mode) == 0o640
    assert stat.S_IMODE((tmp_path / "kept").stat().st_mode) == 0o600


@pytest.mark.parametrize("run_id", ["..", "../x", "a/b", "", ".", "a\nb", "x" * 65, "-rf"])
def test_a_run_id_can_lead_nowhere_else(run_id: str) -> None:
    with pytest.raises(RunFolderError, match="is no run id"):
        Home(Path("/somewhere")).run_path(run_id)


def identity(run_id: str) -> RunIdentity:
    return RunIdentity(
        id=run_id, name="n", dataset="mosi", data_name="d", model="setgf", seed=1, fingerprint="f",
        variant="v", max_epochs=1, monitor="mae", created_at=0.0,
    )  # fmt: skip


def test_a_run_folder_that_a_link_puts_elsewhere_is_not_written_into(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    run = RunFolder(tmp_path / "abcd1234")
    run.path.symlink_to(elsewhere)

    with pytest.raises(RunFolderError, match="leads out of its folder"):
        run.create(identity("abcd1234"), {})
    with pytest.raises(RunFolderError, match="leads out of its folder"):
        RunFolder(tmp_path / "runs" / ".." / "x").begin_attempt(1)

    assert list(elsewhere.iterdir()) == []


def test_an_attempt_that_a_link_puts_elsewhere_does_not_begin(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    run = RunFolder(tmp_path / "abcd1234")
    run.create(identity("abcd1234"), {})
    (run.path / "a1").symlink_to(elsewhere)

    with pytest.raises(RunFolderError, match="leads out of its folder"):
        run.begin_attempt(1)

    assert list(elsewhere.iterdir()) == []


def test_a_stop_is_not_written_where_a_link_leads(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_text("mine")
    attempt = RunFolder(tmp_path / "abcd1234").begin_attempt(1)
    attempt.stop.symlink_to(other)

    with pytest.raises(RunFolderError):
        attempt.request_stop("cancel")

    assert other.read_text() == "mine"


def _own_group() -> str:
    import grp

    return grp.getgrgid(os.getegid()).gr_name


@pytest.mark.parametrize("field", ["file", "best"])
def test_a_list_of_checkpoints_can_name_no_file_elsewhere(tmp_path: Path, field: str) -> None:
    attempt = RunFolder(tmp_path / "abcd1234").begin_attempt(1)
    victim = tmp_path / "victim.pt"
    victim.write_bytes(b"mine")
    entry = {"role": "last", "file": "last-1.pt", "epoch": 1, "step": 1, "size": 4,
             "sha256": "0", "best": None} | {field: "../../../victim.pt"}  # fmt: skip
    owner = {"fingerprint": "f", "data_fingerprint": "d"}
    write_json(attempt.manifest, {**owner, "checkpoints": [entry, entry]})

    with pytest.raises(CheckpointError, match=r"names `\.\./\.\./\.\./victim\.pt`"):
        CheckpointFolder(attempt.checkpoints, **owner).entries()
    with pytest.raises(RunFolderError, match=r"names `\.\./\.\./\.\./victim\.pt`.*nothing is"):
        find_checkpoints(attempt.run, Policy(keep_best=False, keep_last=0))

    assert victim.read_bytes() == b"mine"
