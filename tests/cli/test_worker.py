from __future__ import annotations

import os
import socket
import time
from pathlib import Path

import pytest

from db.engine import open_database
from db.records import Device, NewWorker
from db.workers import register_worker, stop_worker
from setgf.home import Home, find_home
from setgf.worker.gpus import cpu_slots
from setgf.worker.logs import log_path
from setgf.worker.supervision import boot_id, start_ticks
from tests.cli.command import run_setgf
from tests.worker.builders import a_new_job


@pytest.fixture(autouse=True)
def own_umask():
    """Commands set the umask; the test's process gets its own back."""
    before = os.umask(0o077)
    yield
    os.umask(before)


@pytest.fixture
def database(home):
    database = open_database(Home(Path(home)).database_url)
    yield database
    database.close()


def register(database, name: str, *devices: Device, is_living: bool = True) -> None:
    """Register a worker: this process, or one whose process is gone."""
    start = start_ticks(os.getpid()) or 0
    worker = NewWorker(
        id=name,
        host=socket.gethostname(),
        boot_id=boot_id(),
        pid=os.getpid(),
        pid_start=start if is_living else start + 1,
        version="1",
        devices=devices or cpu_slots(1),
    )
    with database.write() as connection:
        register_worker(connection, worker, now=time.time())


def a_gpu() -> Device:
    return Device(
        worker_id="", name="cuda:0", kind="gpu", model="NVIDIA H200", memory_mib=143_771,
        memory_used_mib=20_480, utilisation=97.0, job_id=None,
    )  # fmt: skip


def test_without_a_database_nobody_works(home) -> None:
    outcome = run_setgf("worker", "status")

    assert outcome.code == 0
    assert outcome.out == "No worker is running. Start one with `setgf worker start`.\n"
    assert run_setgf("worker", "status", "--json").json == []


def test_the_status_shows_devices_and_what_comes_next(database) -> None:
    from db.jobs.adding import add_jobs

    register(database, "box-1", *cpu_slots(1), a_gpu())
    with database.write() as connection:
        waiting = [a_new_job(f"run{n:05}") for n in range(7)]
        add_jobs(connection, waiting, actor="ada", now=time.time())

    outcome = run_setgf("worker", "status")

    assert outcome.code == 0
    text = " ".join(outcome.out.split())
    assert "box-1 alive" in text
    assert "cuda:0 box-1 NVIDIA H200 97% 20.0 GiB of 140.4 GiB -" in text
    assert "This machine, " in text
    assert "Queue: 7 queued." in text
    assert "Next: job 1 (run00000)" in text
    assert "and 2 more; see `setgf queue list`." in text
    assert run_setgf("worker", "status", "--json").json[0]["is_running"] is True


def test_a_killed_worker_without_jobs_is_not_shown_but_on_request(database) -> None:
    register(database, "box-1", is_living=False)

    assert "box-1" not in run_setgf("worker", "status").out
    assert "killed" in run_setgf("worker", "status", "--all").out


def test_stopping_nobody_or_somebody_unknown_is_an_error(database) -> None:
    register(database, "box-1", is_living=False)

    nobody = run_setgf("worker", "stop")
    unknown = run_setgf("worker", "stop", "box-9")

    assert (nobody.code, unknown.code) == (5, 5)
    assert "No worker is running on this machine." in nobody.err
    assert "No worker `box-9` is running." in unknown.err


def test_stopping_waits_until_the_worker_has_left(database, monkeypatch) -> None:
    register(database, "box-1")
    from setgf.cli import worker_words

    def leave(_seconds: float) -> None:
        with database.write() as connection:
            stop_worker(connection, "box-1", now=time.time())

    monkeypatch.setattr(worker_words.time, "sleep", leave)

    outcome = run_setgf("worker", "stop")

    assert (outcome.code, outcome.out) == (0, "Worker box-1 stopped.\n")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--gpus", "x"], "`--gpus` must be numbers like 0,1 or none, but is `x`."),
        (["--hung-after", "soon"], "`--hung-after`: A duration must be a number with its unit"),
        (["--slots", "-1"], "-1"),
    ],
)
@pytest.mark.parametrize("command", ["start", "install"])
def test_an_option_that_makes_no_sense_starts_nothing(home, command, arguments, words) -> None:
    outcome = run_setgf("worker", command, *arguments)

    assert outcome.code == 2
    assert words in outcome.err
    assert not (Path(home) / "setgf.db").exists()


def test_the_newest_log_is_shown_and_others_by_name(home) -> None:
    folder = Path(home) / "workers"
    folder.mkdir()
    for pid, moment in ((11, 100), (22, 200)):
        path = log_path(folder, pid)
        path.write_text("".join(f"{pid} line {n}\n" for n in range(50)))
        os.utime(path, (moment, moment))

    assert run_setgf("worker", "logs", "-n", 2).out == "22 line 48\n22 line 49\n"
    assert len(run_setgf("worker", "logs", "11", "-n", 0).out.splitlines()) == 50
    missing = run_setgf("worker", "logs", "33")
    assert missing.code == 5
    assert "There is no log of worker `33`" in missing.err


def test_the_unit_can_be_printed_and_nothing_is_installed(home, monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))

    outcome = run_setgf("worker", "install", "--print", "--slots", 2, "--hung-after", "2h")

    assert outcome.code == 0
    assert "worker start --slots 2 --hung-after 2h\n" in outcome.out
    assert "KillMode=process\n" in outcome.out
    assert not (tmp_path / "config").exists()


def test_whom_to_notify_is_shown_without_secrets(home) -> None:
    assert "Nobody is told anything" in run_setgf("worker", "notify").err
    assert run_setgf("worker", "notify", "--init").code == 0
    notify = Path(home) / "notify.toml"
    notify.write_text('urls = ["ntfy://hunter2"]\n[hook]\ncommand = ["/bin/true"]')

    outcome = run_setgf("worker", "notify")

    assert "ntfy://***" in outcome.out
    assert "program /bin/true, 30 seconds at most" in outcome.out
    assert "hunter2" not in outcome.out


def test_a_trial_says_what_did_not_work(home) -> None:
    run_setgf("worker", "notify", "--init")
    (Path(home) / "notify.toml").write_text('[hook]\ncommand = ["/bin/false"]')

    outcome = run_setgf("worker", "notify", "--test")

    assert outcome.code == 5
    assert "The hook `/bin/false` ended with code 1" in outcome.err
    assert "1 of 1 could not be told." in outcome.err


def test_a_home_is_shared_and_taken_back(home) -> None:
    import grp

    group = grp.getgrgid(os.getegid()).gr_name

    shared = run_setgf("home", "share", "--group", group)
    assert shared.code == 0
    assert f"export SETGF_HOME={home}" in shared.out
    assert find_home().is_shared
    assert f"shared with the Unix group {group} (mode 2770)" in run_setgf("home", "show").out
    assert run_setgf("home", "show", "--json").json["group"] == group

    assert run_setgf("home", "private").code == 0
    assert "private (mode 0700)" in run_setgf("home", "show").out


def test_a_home_is_not_shared_under_a_running_worker(home, database) -> None:
    register(database, "box-1")

    outcome = run_setgf("home", "share", "--group", "root")

    assert outcome.code == 5
    assert "Stop it first with `setgf worker stop --now`." in outcome.err
    assert not find_home().is_shared
