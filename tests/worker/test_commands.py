"""`setgf queue|worker|watch` as a user types them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from db.engine import open_database
from db.jobs import claim, finish_attempt
from setgf.cli.job_words import parse_ids, show_duration
from setgf.cli.main import app
from setgf.cli.output import run_command
from setgf.data.synthetic import synthesise
from setgf.errors import ConfigError
from setgf.home import Home
from setgf.worker.logs import log_path
from tests.worker.processes import wait_until

ADD = ("queue", "add", "--data", "small", "--set", "text.encoder=tiny")


@pytest.fixture
def store(home: Path) -> Path:
    synthesise(Home(home), "small", num_samples=24)
    return home


class Terminal:
    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self.capsys = capsys
        self.out = ""
        self.err = ""

    def __call__(self, *words: str) -> int:
        """Run a command line; returns its exit code."""

        def invoke() -> None:
            app(args=list(words), standalone_mode=False)

        code = run_command(invoke)
        self.out, self.err = self.capsys.readouterr()
        return code

    def json(self, *words: str):
        assert self(*words, "--json") == 0, self.err
        return json.loads(self.out)


@pytest.fixture
def setgf(capsys: pytest.CaptureFixture[str]) -> Terminal:
    return Terminal(capsys)


def run_process(*words: str, seconds: float = 60) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "setgf.cli.main", *words],
        capture_output=True, text=True, timeout=seconds, check=False,
    )  # fmt: skip


def test_adding_makes_one_job_a_seed_in_one_group(store: Path, setgf: Terminal) -> None:
    assert setgf(*ADD, "--seeds", "1-3", "--set", "max_epochs=2") == 0

    assert setgf.out.count("Queued job") == 3
    assert "No worker is running" in setgf.err
    jobs = setgf.json("queue", "list")
    assert [job["seed"] for job in jobs] == [1, 2, 3]
    assert {job["max_epochs"] for job in jobs} == {2}
    assert len({job["group_name"] for job in jobs}) == 1
    assert jobs[0]["group_name"].startswith("setgf-small-")


def test_what_is_queued_already_is_left_out_and_said(store: Path, setgf: Terminal) -> None:
    assert setgf(*ADD, "--seeds", "1-2") == 0
    assert setgf(*ADD, "--seeds", "2-3") == 0
    assert setgf.out.count("Queued job") == 1
    assert "the same experiment is job 2 (queued); `--force` runs it again" in setgf.err

    assert setgf(*ADD, "--seeds", "1-2") == 2
    assert "Nothing new to queue" in setgf.err
    assert setgf(*ADD, "--seeds", "1-2", "--force") == 0
    assert len(setgf.json("queue", "list")) == 5


def test_a_cancelled_experiment_may_be_queued_again(store: Path, setgf: Terminal) -> None:
    setgf(*ADD)
    setgf("queue", "cancel", "1")

    assert setgf(*ADD) == 0


def test_a_dry_run_queues_nothing(store: Path, setgf: Terminal) -> None:
    assert setgf(*ADD, "--seeds", "1-2", "--dry-run") == 0

    assert setgf.out.count("Would queue") == 2
    assert setgf.json("queue", "list") == []


REFUSED: list[tuple[Sequence[str], int, str]] = [
    (("queue", "add", "--data", "none"), 3, "No feature store named `none`"),
    ((*ADD, "--set", "learning_rte=1"), 2, "Unknown setting `learning_rte`"),
    ((*ADD, "--set", "lr"), 2, "`lr` must be `setting=value`"),
    ((*ADD, "--set", "lr=-1"), 2, "`optim.lr` must be above 0"),
    ((*ADD, "--model", "multi"), 2, "No model `multi`"),
    ((*ADD, "--model", ","), 2, "`--model` must name at least one model"),
    ((*ADD, "--seeds", "5-1"), 2, "runs backwards"),
    ((*ADD, "--preset", "none"), 2, "No preset `none`"),
    ((*ADD, "--gpus", "many"), 2, "`--gpus` must be auto, 0, a part of one GPU"),
    ((*ADD, "--seeds", "5", "--after", "99"), 4, "no job 99"),
    ((*ADD, "--after", "one"), 2, "Job ids must be numbers"),
    ((*ADD, "--set", "text.encoder=/nowhere"), 3, "No text encoder folder"),
    (("queue", "show", "99"), 4, "no job 99"),
    (("queue", "show", "1-3"), 2, "One job id is expected"),
    (("queue", "cancel", "99"), 4, "no job 99"),
    (("queue", "cancel", "x"), 2, "Job ids must be numbers or ranges"),
    (("queue", "retry", "1"), 4, "Job 1 is queued; only a failed, cancelled or lost job"),
    (("queue", "log", "1"), 2, "has no log yet"),
    (("worker", "start", "--gpus", "x"), 2, "`--gpus` must be numbers like 0,1"),
    (("worker", "start", "--slots", "0", "--gpus", "none"), 5, "give it one by `--slots 1`"),
    (("worker", "start", "--gpus", "99"), 5, "This machine has no GPU"),
    (("worker", "stop"), 5, "No worker is running"),
]


@pytest.mark.parametrize(
    ("words", "code", "sentence"), REFUSED, ids=[" ".join(words) for words, _, _ in REFUSED]
)
def test_every_mistake_gets_one_sentence_and_changes_nothing(
    store: Path, setgf: Terminal, words: Sequence[str], code: int, sentence: str
) -> None:
    setgf(*ADD)
    before = setgf.json("queue", "list", "--all")

    assert setgf(*words) == code

    assert sentence in setgf.err
    assert setgf.err.startswith("setgf: error: ")
    assert "Traceback" not in setgf.err
    assert setgf.json("queue", "list", "--all") == before


def test_commands_before_there_is_a_database_say_so(home: Path, setgf: Terminal) -> None:
    assert setgf("queue", "list") == 0
    assert "The queue is empty" in setgf.out
    assert setgf.json("queue", "list") == []
    assert setgf("worker", "status") == 0
    assert "No worker is running" in setgf.out
    assert not (home / "setgf.db").exists()


def test_jobs_are_cancelled_held_released_and_tried_again(store: Path, setgf: Terminal) -> None:
    setgf(*ADD, "--seeds", "1-4")

    assert setgf("queue", "cancel", "1-2", "4") == 0
    assert setgf.out.count("is cancelled") == 3
    assert setgf("queue", "retry", "2") == 0
    assert setgf("queue", "hold", "3") == 0

    states = {job["id"]: job["state"] for job in setgf.json("queue", "list")}
    assert states == {1: "cancelled", 2: "queued", 3: "held", 4: "cancelled"}
    assert setgf("queue", "release", "3") == 0
    shown = setgf.json("queue", "show", "3")
    assert shown["state"] == "queued"
    assert [event["to_state"] for event in shown["events"]] == ["queued", "held", "queued"]
    assert shown["config"]["text"]["encoder"] == "tiny"


def test_jobs_are_listed_in_the_order_they_start(store: Path, setgf: Terminal) -> None:
    setgf(*ADD, "--seeds", "1-2")
    setgf(*ADD, "--seeds", "3", "--priority", "5")

    assert [job["id"] for job in setgf.json("queue", "list")] == [3, 1, 2]


def test_old_jobs_are_hidden_unless_asked_for(store: Path, setgf: Terminal) -> None:
    setgf(*ADD, "--seeds", "1-2")
    database = open_database(Home(store).database_url)
    with database.write() as connection:
        long_ago = time.time() - 3 * 86400
        claim(
            connection, 1, worker_id="w", host="h", boot_id="b", devices=["cpu0"],
            lease_seconds=30, now=long_ago,
        )  # fmt: skip
        finish_attempt(connection, 1, 1, outcome="succeeded", now=long_ago)
    database.close()

    assert [job["id"] for job in setgf.json("queue", "list")] == [2]
    assert setgf("queue", "list") == 0
    assert "1 older jobs are not shown" in setgf.err
    assert [job["id"] for job in setgf.json("queue", "list", "--all")] == [1, 2]


def test_every_command_shows_an_example() -> None:
    for words in (
        *(("queue", name) for name in
          ("add", "list", "show", "cancel", "retry", "hold", "release", "log")),
        *(("worker", name) for name in ("start", "stop", "status")),
        ("watch",),
    ):  # fmt: skip
        result = run_process(*words, "--help")
        assert f"Example: setgf {' '.join(words)}" in result.stdout, words


@pytest.mark.parametrize("words", [("queue", "list"), ("worker", "status"), ("queue", "--help")])
def test_looking_at_the_queue_loads_no_torch(store: Path, words: tuple[str, ...]) -> None:
    code = (
        "import sys; sys.argv = ['setgf', *sys.argv[1:]]\n"
        "from setgf.cli.main import app\n"
        "try: app(standalone_mode=False)\n"
        "finally: print('LOADED', sorted({'torch', 'transformers', 'numpy'} & set(sys.modules)))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, text=True, check=True
    )

    assert "LOADED []" in result.stdout


def test_ids_are_read_as_numbers_and_ranges() -> None:
    assert parse_ids(["3", "5-7", "6,1"]) == (3, 5, 6, 7, 1)
    assert parse_ids([]) == ()
    for text in ("x", "-3", "3-", "1--2", "²"):
        with pytest.raises(ConfigError, match="must be numbers or ranges"):
            parse_ids([text])
    with pytest.raises(ConfigError, match="runs backwards; write `5-9`"):
        parse_ids(["9-5"])
    with pytest.raises(ConfigError, match="longer than"):
        parse_ids(["1-999999999"])


def test_durations_are_short() -> None:
    shown = [show_duration(seconds) for seconds in (0, 59, 60, 3600, 7620, 90000)]

    assert shown == ["0s", "59s", "1m 00s", "1h 00m", "2h 07m", "1d 01h"]


@pytest.mark.slow
@pytest.mark.xdist_group("processes")
def test_a_detached_worker_lives_on_and_stops_when_asked(store: Path, setgf: Terminal) -> None:
    started = run_process("worker", "start", "--detach", "--slots", "1", "--gpus", "none")
    assert started.returncode == 0, started.stderr
    (worker,) = setgf.json("worker", "status")
    try:
        assert worker["state"] == "alive"
        assert [device["name"] for device in worker["devices"]] == ["cpu0"]
        assert log_path(store / "workers", worker["pid"]).exists()

        stopped = run_process("worker", "stop")

        assert stopped.returncode == 0, stopped.stderr
        assert f"Worker {worker['id']} stopped." in stopped.stdout
        assert setgf.json("worker", "status") == []
    finally:
        if Path(f"/proc/{worker['pid']}").exists():
            os.kill(worker["pid"], signal.SIGKILL)


@pytest.mark.slow
@pytest.mark.xdist_group("processes")
def test_a_real_job_is_queued_watched_and_logged(store: Path, setgf: Terminal) -> None:
    assert setgf(*ADD, "--model", "text_only", "--set", "max_epochs=1") == 0
    worker = subprocess.Popen(
        [sys.executable, "-m", "setgf.cli.main", "worker", "start", "--drain", "--gpus", "none"],
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    watched = run_process("watch", "--until-idle", seconds=120)
    _, said = worker.communicate(timeout=60)

    assert worker.returncode == 0
    assert "job 1 (text_only small 1111), attempt 1: succeeded" in said
    lines = watched.stdout.splitlines()
    assert "succeeded" in lines[-1]
    assert "best mae" in lines[-1]
    assert setgf("queue", "log", "1") == 0
    assert "epoch 1/1" in setgf.out
    assert setgf("queue", "log", "1", "-f") == 0
    assert setgf("queue", "show", "1") == 0
    assert "attempt 1  succeeded after" in setgf.out
    assert " on cpu0 of " in setgf.out
    wait_until(lambda: setgf.json("worker", "status") == [])
