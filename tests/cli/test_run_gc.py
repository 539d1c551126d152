"""`setgf gc`: says what could go, removes it only when told, and never what a run needs."""

import json
import os

import pytest

from db.runs import archive, update_run
from tests.cli.command import run_setgf
from tests.cli.run_folders import make_run, write_checkpoints
from tests.cli.stored import store_run, writing

LONG_AGO = 0.0


def names(folder):
    return sorted(path.name for path in folder.path.rglob("*.pt"))


def manifest(folder, attempt=1):
    plain = json.loads(folder.attempt_folder(attempt).manifest.read_text())
    return [entry["file"] for entry in plain["checkpoints"]]


def test_a_dry_run_says_the_bytes_and_removes_nothing():
    folder = make_run("aaaaaaaa", checkpoints=("best-3", "last-4", "last-5"))

    outcome = run_setgf("gc")

    assert outcome.code == 0
    assert "checkpoints        1  1000 B" in outcome.out
    assert "Would free 1000 B. Nothing was removed; add `--apply` to do it." in outcome.out
    assert names(folder) == ["best-3.pt", "last-4.pt", "last-5.pt"]
    plain = run_setgf("gc", "--json").json
    assert plain["bytes"] == 1000
    assert plain["applied"] is False
    assert [entry["path"] for entry in plain["entries"]] == [
        str(folder.attempt_folder(1).checkpoints / "last-4.pt")
    ]


def test_apply_keeps_best_and_last_and_what_the_lists_say_is_true():
    folder = make_run("aaaaaaaa", checkpoints=("best-2", "best-3", "last-4", "last-5"))

    outcome = run_setgf("gc", "--apply")

    assert "Removed 2.0 KiB." in outcome.out
    assert names(folder) == ["best-3.pt", "last-5.pt"]
    assert manifest(folder) == ["best-3.pt", "last-5.pt"]
    detail = run_setgf("runs", "show", "aaaa", "--json").json
    assert [c["path"] for c in detail["checkpoints"]] == [
        "a1/checkpoints/best-3.pt",
        "a1/checkpoints/last-5.pt",
    ]
    assert "Nothing can go by this policy." in run_setgf("gc").out


def test_the_newest_of_all_attempts_are_kept():
    folder = make_run("aaaaaaaa", checkpoints=("best-3", "last-4", "last-5"))
    write_checkpoints(folder.begin_attempt(2), ("best-3", "last-5", "last-9"))

    run_setgf("gc", "--keep-last", "2", "--apply")

    assert manifest(folder, 2) == ["best-3.pt", "last-5.pt", "last-9.pt"]
    assert not folder.attempt_folder(1).manifest.exists()
    assert names(folder) == ["best-3.pt", "last-5.pt", "last-9.pt"]


def test_the_best_weights_that_a_last_needs_stay_with_it():
    folder = make_run("aaaaaaaa", checkpoints=("best-1", "best-3", "last-5"))
    attempt = folder.attempt_folder(1)
    plain = json.loads(attempt.manifest.read_text())
    plain["checkpoints"][-1]["best"] = "best-1.pt"
    attempt.manifest.write_text(json.dumps(plain))

    run_setgf("gc", "--no-keep-best", "--apply")

    assert names(folder) == ["best-1.pt", "last-5.pt"]
    run_setgf("gc", "--no-keep-best", "--keep-last", "0", "--apply")
    assert names(folder) == []
    assert not attempt.has_checkpoint()


def test_a_run_that_is_live_or_waits_is_never_touched():
    live = make_run("aaaaaaaa", checkpoints=("last-4", "last-5"))
    waiting = make_run("bbbbbbbb", checkpoints=("last-4", "last-5"), finished=False)
    with writing() as connection:
        update_run(connection, "bbbbbbbb", attempt=1, state="paused")

    with live.hold():
        outcome = run_setgf("gc", "--keep-last", "0", "--apply")

    assert "Removed 0 B." in outcome.out
    assert len(names(live)) == len(names(waiting)) == 2


def test_leftovers_of_a_crash_go():
    folder = make_run("aaaaaaaa", checkpoints=("last-5",))
    checkpoints = folder.attempt_folder(1).checkpoints
    (checkpoints / ".last-6.pt.partial").write_bytes(b"x" * 500)
    (checkpoints / "last-6.pt").write_bytes(b"x" * 700)
    (checkpoints / "mine.txt").write_text("kept")

    plain = run_setgf("gc", "--json", "--apply").json

    assert plain["kinds"] == {"leftovers": {"entries": 2, "bytes": 1200}}
    assert sorted(p.name for p in checkpoints.iterdir()) == [
        "last-5.pt",
        "manifest.json",
        "mine.txt",
    ]


def test_checkpoints_of_runs_archived_long_ago_go():
    old = make_run("aaaaaaaa", checkpoints=("best-1", "last-5"))
    new = make_run("bbbbbbbb", checkpoints=("best-1", "last-5"))
    with writing() as connection:
        archive(connection, "aaaaaaaa", actor="test", now=LONG_AGO)
    run_setgf("runs", "archive", "bbbbbbbb")

    assert run_setgf("gc", "--archived-older-than", "never", "--json").json["bytes"] == 0
    run_setgf("gc", "--archived-older-than", "2w", "--apply")

    assert names(old) == []
    assert len(names(new)) == 2
    assert run_setgf("runs", "show", "aaaa").code == 0


def test_the_trash_is_emptied_only_of_what_is_old(home):
    make_run("aaaaaaaa")
    make_run("bbbbbbbb")
    run_setgf("runs", "delete", "aaaa", "--yes")

    assert run_setgf("gc", "--apply").out == "Removed 0 B.\n"
    outcome = run_setgf("gc", "--trash-older-than", "0d", "--apply")

    assert "trash" in outcome.out
    assert list((home / "trash").iterdir()) == []
    assert run_setgf("runs", "show", "aaaa").code == 4
    assert [r["id"] for r in run_setgf("runs", "list", "--json").json] == ["bbbbbbbb"]


def test_a_run_in_lists_is_never_taken_for_trash(home):
    folder = make_run("aaaaaaaa")
    (home / "trash").mkdir()
    folder.path.rename(home / "trash" / "aaaaaaaa")

    run_setgf("gc", "--trash-older-than", "0d", "--apply")

    assert (home / "trash" / "aaaaaaaa" / "run.json").is_file()
    assert run_setgf("runs", "restore", "aaaa").code == 0
    assert folder.path.is_dir()


def test_an_interrupted_removal_is_ended(home):
    make_run("aaaaaaaa")
    (home / "trash" / ".removing-bbbbbbbb").mkdir(parents=True)

    run_setgf("gc", "--apply")

    assert list((home / "trash").iterdir()) == []


def test_caches_go_unless_a_run_is_live(home):
    folder = make_run("aaaaaaaa")
    (home / "cache" / "encoded").mkdir(parents=True)
    (home / "cache" / "encoded" / "text.bin").write_bytes(b"x" * 2048)

    with folder.hold():
        assert "A run is live: the caches are left." in run_setgf("gc", "--apply").err
    assert "caches        1  2.0 KiB" in run_setgf("gc", "--apply").out
    assert list((home / "cache").iterdir()) == []


def test_files_with_a_link_elsewhere_free_nothing(tmp_path):
    folder = make_run("aaaaaaaa", checkpoints=("last-4", "last-5"))
    os.link(folder.attempt_folder(1).checkpoints / "last-4.pt", tmp_path / "mine.pt")

    assert run_setgf("gc", "--json").json["bytes"] == 0


def test_a_list_of_checkpoints_that_can_not_be_read_is_left():
    folder = make_run("aaaaaaaa", checkpoints=("last-4", "last-5"))
    folder.attempt_folder(1).manifest.write_text("{")

    outcome = run_setgf("gc", "--keep-last", "0", "--apply")

    assert outcome.code == 0
    assert "Run aaaaaaaa is left as it is." in outcome.err
    assert len(names(folder)) == 2


@pytest.mark.parametrize("age", ["soon", "-1d", "30", "1y"])
def test_an_age_that_is_none_is_refused(age):
    store_run("aaaaaaaa")

    outcome = run_setgf("gc", f"--trash-older-than={age}")

    assert outcome.code == 2
    assert "must be an age like `12h`, `30d`, `2w` or `never`" in outcome.err
