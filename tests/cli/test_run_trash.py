"""`setgf runs delete` and `restore`: nothing is lost, nothing live is touched."""

import os
import pty
import subprocess
import sys

import pytest

from db.records import JobState
from tests.cli.command import run_setgf
from tests.cli.run_folders import index, make_run
from tests.cli.stored import store_run


def ids(*options):
    return [run["id"] for run in run_setgf("runs", "list", "--json", *options).json]


def test_a_deleted_run_leaves_lists_and_comparisons_with_its_folder(home):
    folder = make_run("aaaaaaaa", metrics={"test.mae": 0.5})

    outcome = run_setgf("runs", "delete", "aaaa", "--yes")

    assert outcome.code == 0
    assert "`setgf runs restore aaaaaaaa` brings it back" in outcome.out
    assert not folder.path.exists()
    assert (home / "trash" / "aaaaaaaa" / "run.json").is_file()
    assert ids() == []
    assert ids("--archived") == []
    assert run_setgf("compare", "--format", "json").json == []
    assert "aaaaaaaa" in run_setgf("runs", "list", "--trash").out
    assert "in the trash" in run_setgf("runs", "show", "aaaa").out


def test_restore_brings_everything_back(home):
    folder = make_run("aaaaaaaa", points={"train.loss": [3.0, 2.0]}, checkpoints=("last-1",))
    run_setgf("runs", "tag", "aaaa", "good")
    before = run_setgf("runs", "show", "aaaa", "--json").json
    files = sorted(path.name for path in folder.path.rglob("*"))
    run_setgf("runs", "delete", "aaaa", "--yes")

    assert run_setgf("runs", "restore", "aaaa").out == "Run aaaaaaaa is back in lists.\n"

    after = run_setgf("runs", "show", "aaaa", "--json").json
    for detail in (before, after):
        del detail["run"]["updated_at"]
    assert after == before
    assert sorted({path.name for path in folder.path.rglob("*")} - {"live"}) == files
    assert "neither deleted nor archived" in run_setgf("runs", "restore", "aaaa").out


def test_several_runs_are_deleted_together_or_not_at_all():
    make_run("aaaaaaaa")
    store_run("bbbbbbbb", state=JobState.RUNNING)

    outcome = run_setgf("runs", "delete", "aaaa", "bbbb", "--yes")

    assert outcome.code == 4
    assert "Run bbbbbbbb is running; only a run that is over can be deleted." in outcome.err
    assert len(ids()) == 2
    assert run_setgf("runs", "delete", "aaaa", "zzzz", "--yes").code == 4
    assert len(ids()) == 2


def test_a_run_whose_lock_is_held_is_refused_whatever_the_database_says():
    folder = make_run("aaaaaaaa")

    with folder.hold():
        outcome = run_setgf("runs", "delete", "aaaa", "--yes")

    assert outcome.code == 4
    assert "is being trained by another process" in outcome.err
    assert folder.path.is_dir()
    assert ids() == ["aaaaaaaa"]


def test_without_a_terminal_it_must_be_confirmed_by_an_option():
    make_run("aaaaaaaa")

    outcome = run_setgf("runs", "delete", "aaaa")

    assert outcome.code == 2
    assert "must be confirmed at a terminal, or by `--yes`" in outcome.err
    assert ids() == ["aaaaaaaa"]


@pytest.mark.parametrize(("answer", "left"), [(b"n\n", 1), (b"\n", 1), (b"y\n", 0)])
def test_at_a_terminal_it_asks(answer, left):
    make_run("aaaaaaaa", name="my run")
    above, below = pty.openpty()
    os.write(above, answer)

    finished = subprocess.run(
        [sys.executable, "-m", "setgf.cli.main", "runs", "delete", "aaaa"],
        stdin=below,
        capture_output=True,
        text=True,
        check=True,
    )
    for end in (above, below):
        os.close(end)

    assert "my run" in finished.stderr
    assert "Move 1 run (" in finished.stderr
    assert len(ids()) == left


def test_deleting_twice_and_deleting_what_has_no_folder():
    store_run("aaaaaaaa")

    assert run_setgf("runs", "delete", "aaaa", "aaaaaaaa", "--yes").code == 0
    again = run_setgf("runs", "delete", "aaaa", "--yes")

    assert again.code == 2
    assert "is in the trash already" in again.err
    restored = run_setgf("runs", "restore", "aaaa")
    assert restored.code == 0
    assert "files of run aaaaaaaa are gone" in restored.err


def test_a_run_deleted_before_the_database_was_made_anew_can_be_restored(home):
    make_run("aaaaaaaa", points={"train.loss": [1.0]})
    run_setgf("runs", "delete", "aaaa", "--yes")
    for file in home.glob("setgf.db*"):
        file.unlink()
    make_run("bbbbbbbb")

    assert run_setgf("runs", "restore", "aaaa").code == 0

    assert set(ids()) == {"aaaaaaaa", "bbbbbbbb"}
    assert run_setgf("runs", "show", "aaaa", "--json").json["summaries"]["train.loss"]["last"] == 1


def test_a_folder_that_is_there_already_is_not_overwritten(home):
    folder = make_run("aaaaaaaa")
    run_setgf("runs", "delete", "aaaa", "--yes")
    folder.path.mkdir()

    outcome = run_setgf("runs", "restore", "aaaa")

    assert outcome.code == 1
    assert "can't come back" in outcome.err
    assert (home / "trash" / "aaaaaaaa" / "run.json").is_file()


def test_a_folder_that_can_not_be_moved_leaves_the_run_as_it_was(home):
    folder = make_run("aaaaaaaa")
    (home / "trash").write_text("not a folder")

    outcome = run_setgf("runs", "delete", "aaaa", "--yes")

    assert outcome.code == 1
    assert folder.path.is_dir()
    assert ids() == ["aaaaaaaa"]
    assert not (folder.path / "trashed.json").exists()
    index(folder)
