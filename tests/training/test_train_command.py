from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from db.engine import open_database
from setgf.cli.main import app
from setgf.cli.output import run_command
from setgf.data.synthetic import synthesise
from setgf.home import Home
from setgf.runs.folder import list_runs
from setgf.terms import Dataset, Split
from tests.training.conftest import TINY

SETTINGS = [
    part
    for name, value in {**TINY, "train.max_epochs": 2}.items()
    if name != "data.name"
    for part in ("--set", f"{name}={value}")
]


@pytest.fixture
def made(home) -> Home:
    """A home with a small made-up store."""
    root = Home(Path(home))
    sizes = {Split.TRAIN: 20, Split.VALID: 6, Split.TEST: 6}
    synthesise(root, "made_up", Dataset.MOSI, sizes=sizes, seed=3)
    return root


def invoke(*arguments: str) -> tuple[int, str, str]:
    """Run the command in this process: exit code, stdout, stderr."""
    result = CliRunner().invoke(app, list(arguments))
    return result.exit_code, result.stdout, result.stderr


def refusal(capsys, *arguments: str) -> tuple[int, str]:
    """Run a command that is refused: exit code and stderr."""
    code = run_command(lambda: app(list(arguments), standalone_mode=False))
    return code, capsys.readouterr().err


def test_train_shows_progress_and_prints_the_metrics(made):
    code, output, errors = invoke("train", "--data", "made_up", *SETTINGS)

    assert code == 0
    assert "epoch 2/2  step 6  loss" in errors
    assert [line.split()[0] for line in output.splitlines()][-2:] == ["mae", "corr"]
    assert "Best epoch" in errors


def test_a_warning_is_recorded_and_told(tmp_path, capsys):
    from setgf.cli.telling_recorder import TellingRecorder
    from setgf.runs.folder import AttemptFolder
    from setgf.runs.reader import read_events

    (tmp_path / "a1").mkdir(parents=True)
    (tmp_path / "attempt").write_text("1")
    attempt = AttemptFolder(tmp_path / "a1", 1)
    recorder = TellingRecorder(attempt)
    recorder.event("warning", message="Half of it is cut.")
    recorder.event("epoch", epoch=1)
    recorder.close()

    assert [event["kind"] for event in read_events(attempt)] == ["warning", "epoch"]
    assert capsys.readouterr().err == "warning: Half of it is cut.\n"


def test_a_foreground_run_is_in_the_run_database_with_its_points(made):
    code, output, _ = invoke("train", "--data", "made_up", "--json", *SETTINGS)

    result = json.loads(output)
    assert code == 0
    from db.query import Query

    database = open_database(made.database_url)
    run = Query(database).run(result["run"])
    assert run.state == "succeeded"
    assert run.metrics["test.mae"] == pytest.approx(result["metrics"]["test.mae"])
    assert len(Query(database).points(result["run"], "train.loss").steps) == result["steps"]
    database.close()


def test_a_lost_database_does_not_stop_training(made):
    (made.root / "setgf.db").write_bytes(b"this is no database" * 100)

    code, output, errors = invoke("train", "--data", "made_up", "--json", *SETTINGS)

    assert code == 0
    assert json.loads(output)["metrics"]["test.mae"] > 0
    assert "the run database could not follow" in errors
    assert "`setgf db rebuild` stores the run later" in errors


def state_of(home, run_id):
    """The state of a run in the database, and whether it is open, with no end yet."""
    from db.query import Query

    database = open_database(home.database_url)
    run = Query(database).run(run_id)
    database.close()
    return run.state, run.finished_at is None


def test_a_stopped_run_goes_on_with_resume(made, capsys, monkeypatch):
    from setgf.runs import recorder

    monkeypatch.setattr(recorder.FolderRecorder, "stop_requested", lambda self: True)
    code, errors = refusal(capsys, "train", "--data", "made_up", *SETTINGS)
    monkeypatch.undo()
    monkeypatch.setenv("SETGF_HOME", str(made.root))
    (run,) = list_runs(made)

    assert code == 130
    assert f"Go on with `setgf train --resume {run.id}`." in errors
    assert state_of(made, run.id) == ("paused", True)

    assert invoke("train", "--resume", run.id)[0] == 0
    assert state_of(made, run.id) == ("succeeded", False)
    assert [attempt.number for attempt in run.attempts()] == [1, 2]

    code, errors = refusal(capsys, "train", "--resume", run.id)
    assert code == 2
    assert f"Run {run.id} is finished" in errors


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ([], 2, "Name either `--data`"),
        (["--data", "made_up", "--resume", "abcdefgh"], 2, "Name either `--data`"),
        (["--data", "elsewhere"], 3, "`elsewhere`"),
        (["--data", "made_up", "--set", "learning_rte=1"], 2, "Unknown setting `learning_rte`"),
        (["--data", "made_up", "--model", "setfg"], 2, "No model `setfg`"),
        (["--resume", "abcdefgh"], 4, "No run folder `abcdefgh`"),
    ],
)
def test_train_refuses_in_one_sentence_and_makes_no_run(made, capsys, arguments, code, words):
    found, errors = refusal(capsys, "train", *arguments)

    assert found == code
    assert words in errors
    assert list_runs(made) == ()


def test_a_diverged_run_is_recorded_as_failed(made, capsys):
    extreme = ["--set", "lr=1e30", "--set", "warmup_ratio=0", "--set", "clip_norm=0"]

    code, errors = refusal(capsys, "train", "--data", "made_up", *SETTINGS, *extreme)

    assert code == 1
    assert "Training diverged at step" in errors
    from db.query import Query

    database = open_database(made.database_url)
    (run,) = Query(database).runs()
    assert run.state == "failed"
    assert "Training diverged" in (run.error or "")
    database.close()


def test_config_lists_every_setting_with_value_default_and_meaning():
    from setgf.config import setting_names

    code, output, _ = invoke("config", "--preset", "mosei", "--set", "lr=1e-4", "--json")

    rows = {row["setting"]: row for row in json.loads(output)}
    assert code == 0
    assert set(rows) == set(setting_names())
    assert rows["optim.batch_size"]["value"] == 64
    assert rows["optim.lr"] == {
        "setting": "optim.lr",
        "value": 1e-4,
        "default": 5e-4,
        "changed": True,
        "meaning": rows["optim.lr"]["meaning"],
    }
    assert all(row["meaning"].endswith(".") for row in rows.values())


def test_config_shows_one_setting_or_what_is_changed():
    assert invoke("config", "max_epochs")[1].startswith("train.max_epochs = 30 (default 30)")
    output = invoke("config", "--changed", "--set", "data.modalities=text")[1]
    assert "data.modalities  text   text,audio,vision" in output
    assert "optim.lr " not in output


def test_the_commands_load_no_torch_before_they_train():
    import subprocess

    code = "import sys, setgf.cli.main, setgf.worker.child; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
