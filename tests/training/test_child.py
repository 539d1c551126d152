from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from setgf.data.synthetic import synthesise
from setgf.home import Home
from setgf.runs.folder import RunFolder, RunIdentity, new_run_id
from setgf.runs.heartbeat import boot_time, read_heartbeat
from setgf.runs.reader import read_events, read_points
from setgf.runs.recorder import FolderRecorder
from setgf.terms import Dataset, Split
from setgf.worker import child
from tests.training.conftest import tiny_config


@pytest.fixture
def made(home) -> Home:
    """A home with a small made-up store."""
    root = Home(Path(home))
    sizes = {Split.TRAIN: 20, Split.VALID: 6, Split.TEST: 6}
    synthesise(root, "made_up", Dataset.MOSI, sizes=sizes, seed=3)
    return root


@pytest.fixture(autouse=True)
def own_sigterm():
    """Gives SIGTERM back after a child ran in this process."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def make_run(home: Home, **settings) -> RunFolder:
    config = tiny_config(**settings)
    run = RunFolder(home.runs / new_run_id())
    identity = RunIdentity(
        id=run.id, name="small", dataset="mosi", data_name=config.data.name,
        model=config.model.name, seed=config.seed, fingerprint=config.fingerprint,
        variant=config.variant, max_epochs=config.train.max_epochs,
        monitor=config.train.monitor, created_at=0.0,
    )  # fmt: skip
    run.create(identity, config.to_dict())
    return run


def told(attempt) -> list:
    """Events of an attempt but that of its memory, which comes after its end."""
    events = read_events(attempt)
    assert events[-1]["kind"] == "memory"
    assert events[-1]["peak_memory_mib"] > 50
    assert events[-1]["peak_gpu_mib"] is None
    return list(events[:-1])


def options(home: Home, run: RunFolder, attempt: int, resume: str | None = None) -> list[str]:
    given = ["--run", str(run.path), "--attempt", str(attempt), "--home", str(home.root)]
    return given if resume is None else [*given, "--resume", resume]


def test_a_child_trains_its_run_and_leaves_everything_in_the_folder(made):
    run = make_run(made, max_epochs=2)
    attempt = run.begin_attempt(1)

    assert child.main(options(made, run, 1)) == 0

    events = told(attempt)
    assert events[0]["kind"] == "started"
    assert events[-1]["kind"] == "finished"
    assert len(read_points(run, "train.loss")) == events[-1]["steps"] == 6
    assert attempt.predictions("test").read_text().startswith("sample_id,label,prediction")
    environment = json.loads(run.environment.read_text())
    assert environment["data_fingerprint"] == events[0]["data_fingerprint"]
    assert attempt.has_checkpoint()


def test_a_child_that_is_asked_to_stop_checkpoints_and_the_next_one_goes_on(made):
    run = make_run(made, max_epochs=2)
    first = run.begin_attempt(1)
    first.request_stop()

    assert child.main(options(made, run, 1)) == 130
    second = run.begin_attempt(2)
    assert child.main(options(made, run, 2, resume="a1")) == 0

    assert told(first)[-1]["kind"] == "stopped"
    assert read_events(second)[0]["resume_step"] == told(first)[-1]["step"] == 1
    assert told(second)[-1]["kind"] == "finished"


@pytest.mark.parametrize(
    ("settings", "code", "failure", "words"),
    [
        ({"data__name": "missing"}, 3, "data", "No feature store named `missing`"),
        ({"monitor": "acc2"}, 2, "config", "which is not defined on mosi"),
        ({"encoder": "no/such/folder"}, 3, "data", "no/such/folder"),
        ({"lr": 1e30, "warmup_ratio": 0.0, "clip_norm": 0.0}, 1, "diverged", "Training diverged"),
    ],
    ids=["data", "config", "encoder", "diverged"],
)
def test_a_child_says_why_it_failed(made, capfd, settings, code, failure, words):
    run = make_run(made, **settings)
    attempt = run.begin_attempt(1)

    assert child.main(options(made, run, 1)) == code

    failed = told(attempt)[-1]
    assert failed["kind"] == "failed"
    assert failed["failure_class"] == failure
    assert failed["exit_code"] == code
    assert words in failed["message"]
    assert f"setgf: error: {failed['message']}" in capfd.readouterr().err


def test_a_child_of_an_attempt_that_is_not_current_stops_without_a_trace(made):
    run = make_run(made)
    first = run.begin_attempt(1)
    run.begin_attempt(2)

    assert child.main(options(made, run, 1)) == 130

    assert read_events(first) == []


@pytest.mark.slow
def test_sigterm_makes_a_real_child_checkpoint_and_leave(made):
    run = make_run(made, max_epochs=1000, patience=0)
    attempt = run.begin_attempt(1)
    command = [sys.executable, "-m", "setgf.worker.child", *options(made, run, 1)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=dict(os.environ)) as process:
        deadline = time.monotonic() + 60
        while not attempt.points.exists() or attempt.points.stat().st_size == 0:
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)

    assert process.returncode == 130
    assert told(attempt)[-1]["kind"] == "stopped"
    assert attempt.has_checkpoint()


def test_a_child_beats_while_it_trains_evaluates_and_makes_labels(made):
    run = make_run(made, max_epochs=2)
    attempt = run.begin_attempt(1)
    began = boot_time()

    assert child.main(options(made, run, 1)) == 0

    beat = read_heartbeat(attempt)
    assert beat is not None
    assert began < beat.worked_at < beat.beat_at
    # 2 epochs of 3 batches and an evaluation each, and two evaluations at the end.
    assert beat.units >= 2 * (3 + 1) + 2


@pytest.mark.parametrize(
    ("error", "failure", "words"),
    [
        (MemoryError(), "host_out_of_memory", "The machine ran out of memory: the run held"),
        (
            RuntimeError("CUDA out of memory. Tried to allocate 20.00 GiB. GPU 0 has a total"),
            "out_of_memory",
            "The GPU ran out of memory when 20.00 GiB more were asked for: the run had",
        ),
    ],
    ids=["machine", "gpu"],
)
def test_a_child_without_memory_says_how_much_there_was(made, capfd, error, failure, words):
    attempt = make_run(made).begin_attempt(1)

    def run_out():
        raise error

    assert child.record_failure(FolderRecorder(attempt), run_out) == 1

    failed = told(attempt)[-1]
    assert failed["failure_class"] == failure
    assert words in failed["message"]
    assert "`optim.batch_size`" in failed["message"]
    assert failed["total_memory_mib"] > failed["free_memory_mib"] > 0
    assert "Traceback" in capfd.readouterr().err
