from __future__ import annotations

import json
import re
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from setgf.errors import RunFolderError, StoppedError
from setgf.home import Home
from setgf.runs.environment import allowed_variables, describe_code, describe_environment
from setgf.runs.folder import RunFolder, RunIdentity, list_runs, new_run_id, open_run
from setgf.runs.reader import read_events, read_points
from setgf.runs.recorder import FolderRecorder
from setgf.terms import Split
from setgf.training.recorder import Recorder, SamplePrediction


def identity(run_id: str = "abcd1234") -> RunIdentity:
    return RunIdentity(
        id=run_id,
        name="setgf mosi",
        dataset="mosi",
        data_name="demo",
        model="setgf",
        seed=1111,
        fingerprint="f" * 12,
        variant="v" * 12,
        max_epochs=3,
        monitor="mae",
        created_at=1.5,
        tags=("first",),
        command=("setgf", "train"),
    )


def make_run(tmp_path: Path) -> RunFolder:
    run = RunFolder(tmp_path / "runs" / "abcd1234")
    run.create(identity(), {"seed": 1111, "train": {"max_epochs": 3}})
    return run


def test_a_run_folder_gives_back_its_identity_and_config(tmp_path: Path) -> None:
    run = make_run(tmp_path)

    opened = open_run(Home(tmp_path), "abcd1234")

    assert opened.identity() == identity()
    assert opened.config()["train"]["max_epochs"] == 3
    assert list_runs(Home(tmp_path)) == (run,)


def test_creating_a_run_folder_twice_keeps_the_first(tmp_path: Path) -> None:
    run = make_run(tmp_path)

    run.create(identity(), {"seed": 2})

    assert run.config()["seed"] == 1111


@pytest.mark.parametrize("run_id", ["zzzz9999", "../secret", "a/b", ""])
def test_an_unknown_run_is_refused_by_its_id(tmp_path: Path, run_id: str) -> None:
    with pytest.raises(RunFolderError, match=r"No run folder `.*` in .*See `setgf runs list`"):
        open_run(Home(tmp_path), run_id)


def test_run_ids_are_eight_letters_or_digits_and_differ() -> None:
    ids = {new_run_id() for _ in range(1000)}

    assert len(ids) == 1000
    assert all(re.fullmatch(r"[a-z0-9]{8}", run_id) for run_id in ids)


def test_the_fence_only_moves_forward(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    assert run.current_attempt() == 0
    run.begin_attempt(1)
    run.begin_attempt(2)

    with pytest.raises(RunFolderError, match=r"Attempt 1 .* can't begin: attempt 2 is current"):
        run.begin_attempt(1)
    assert run.current_attempt() == 2


def test_a_recorder_of_an_earlier_attempt_is_fenced(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    first = FolderRecorder(run.begin_attempt(1))
    first.event("started", resume_step=0)
    assert not first.stop_requested()

    run.begin_attempt(2)

    with pytest.raises(StoppedError, match=r"Attempt 1 .* stops: attempt 2 owns the run now"):
        first.event("epoch", epoch=1)
    with pytest.raises(StoppedError, match="attempt 2 owns the run"):
        first.save_predictions(Split.TEST, [])
    assert len(read_events(first.attempt)) == 1
    first._next_poll = 0.0
    assert first.stop_requested()


def test_a_stop_file_asks_the_recorder_to_stop(tmp_path: Path) -> None:
    recorder = FolderRecorder(make_run(tmp_path).begin_attempt(1))
    assert not recorder.stop_requested()

    recorder.attempt.request_stop()

    recorder._next_poll = 0.0
    assert recorder.stop_requested()


def test_the_folder_recorder_is_a_recorder(tmp_path: Path) -> None:
    recorder: Recorder = FolderRecorder(make_run(tmp_path).begin_attempt(1))

    assert recorder.checkpoints.is_dir()


def test_points_after_the_resumed_step_are_superseded(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    first = FolderRecorder(run.begin_attempt(1))
    first.event("started", resume_step=0)
    for step in (1, 2, 3, 4):
        first.log(step, {"train.loss": 1.0 * step})
    second = FolderRecorder(run.begin_attempt(2))
    second.event("started", resume_step=2)
    for step in (3, 4, 5):
        second.log(step, {"train.loss": 10.0 * step})

    points = read_points(run, "train.loss")

    assert [(point.step, point.value) for point in points] == [
        (1, 1.0), (2, 2.0), (3, 30.0), (4, 40.0), (5, 50.0),
    ]  # fmt: skip


def test_predictions_are_stored_in_full_precision(tmp_path: Path) -> None:
    recorder = FolderRecorder(make_run(tmp_path).begin_attempt(1))

    recorder.save_predictions(
        Split.TEST, [SamplePrediction(sample_id="a,b", label=1.0, fusion=0.1 + 0.2, text=-1.5)]
    )

    text = recorder.attempt.predictions("test").read_text()
    assert text.splitlines() == [
        "sample_id,label,prediction,text,audio,vision",
        '"a,b",1.0,0.30000000000000004,-1.5,,',
    ]
    assert read_events(recorder.attempt)[-1]["file"] == "predictions-test.csv"


def test_the_lock_tells_whether_a_run_is_live(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    assert not run.is_live()

    with run.hold():
        assert run.is_live()
        with (
            pytest.raises(RunFolderError, match="is being trained by another process"),
            run.hold(),
        ):
            pass

    assert not run.is_live()


def test_the_resume_folder_is_the_newest_with_a_manifest(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    for number in (1, 2, 3):
        run.begin_attempt(number)
    assert run.resume_folder(4) is None
    run.attempt_folder(1).manifest.write_text("{}")
    run.attempt_folder(2).manifest.write_text("{}")

    found = run.resume_folder(4)

    assert found is not None
    assert found.number == 2


def test_a_full_disk_is_said_and_leaves_the_journal_readable(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    recorder = FolderRecorder(run.begin_attempt(1))
    recorder.log(1, {"train.loss": 1.0, "valid.mae": 1.0})
    size = recorder.attempt.points.stat().st_size
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 30, hard))
    try:
        with pytest.raises(RunFolderError, match=r"points\.bin can't be read or written"):
            recorder.log(2, {"train.loss": 2.0, "valid.mae": 1.0})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, ignored)

    recorder.log(3, {"train.loss": 3.0})

    assert [point.step for point in read_points(run, "train.loss")] == [1, 3]


def test_only_chosen_environment_variables_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SETGF_HOME", "somewhere")
    monkeypatch.setenv("SETGF_DATABASE_URL", "postgresql://user:password@host/db")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hidden")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")

    kept = allowed_variables()

    assert kept["SETGF_HOME"] == "somewhere"
    assert kept["OMP_NUM_THREADS"] == "1"
    assert "AWS_SECRET_ACCESS_KEY" not in kept
    assert "SETGF_DATABASE_URL" not in kept


def test_the_environment_is_plain_json_and_names_the_libraries() -> None:
    environment = describe_environment(data_fingerprint="d" * 12)

    assert json.loads(json.dumps(environment)) == environment
    assert "torch" in environment["libraries"]
    assert environment["data_fingerprint"] == "d" * 12


def test_code_outside_a_work_tree_has_no_commit(tmp_path: Path) -> None:
    assert describe_code(tmp_path) == {"commit": None, "dirty": False, "diff": ""}


def test_recording_loads_no_torch() -> None:
    code = (
        "import sys, setgf.runs.recorder, setgf.runs.reader, setgf.runs.environment;"
        "print(sorted({'torch', 'numpy', 'sqlalchemy', 'db'} & set(sys.modules)))"
    )

    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )

    assert result.stdout.strip() == "[]"
