"""`setgf runs import`: other databases, exports, TensorBoard, MMSA; all or nothing."""

import json
import shutil

import pytest

from tests.cli.command import run_setgf
from tests.cli.event_files import event, simple, tensor, write_events
from tests.cli.run_folders import Sample, make_run


def runs():
    return {run["id"]: run for run in run_setgf("runs", "list", "--json", "--archived").json}


@pytest.fixture
def other(tmp_path, monkeypatch):
    """The database of another home, with one run in it."""
    mine = tmp_path / "mine"
    monkeypatch.setenv("SETGF_HOME", str(tmp_path / "other"))
    make_run(
        "aaaaaaaa",
        name="theirs",
        points={"train.loss": [3.0, float("nan"), float("inf")], "valid.mae": [1.0]},
        predictions=[Sample("v_1", 1.0, 0.5, text=0.25), Sample("v,\n2", -1.0, -0.5)],
        metrics={"test.mae": 2 / 3},
        tags=("good",),
        environment={"code": {"commit": "a" * 40, "dirty": True, "diff": "+x\n"}, "python": "3"},
    )
    run_setgf("runs", "note", "aaaa", "as they said")
    run_setgf("runs", "archive", "aaaa")
    monkeypatch.setenv("SETGF_HOME", str(mine))
    return tmp_path / "other" / "setgf.db"


def test_another_database_comes_over_whole_and_is_left_as_it_was(other, tmp_path):
    before = other.read_bytes()

    outcome = run_setgf("runs", "import", other)

    assert outcome.code == 0
    assert outcome.out == "aaaaaaaa  theirs\n"
    assert other.read_bytes() == before
    detail = run_setgf("runs", "show", "aaaa", "--json").json
    run = detail["run"]
    assert run["metrics"] == {"test.mae": 2 / 3}
    assert (run["note"], run["tags"], run["archived"]) == ("as they said", ["good"], True)
    assert (run["state"], run["code_commit"], run["best_epoch"]) == ("succeeded", "a" * 40, 1)
    assert run["folder"] == str(tmp_path / "mine" / "runs" / "aaaaaaaa")
    assert detail["code_diff"] == "+x\n"
    assert detail["summaries"]["train.loss"]["count"] == 3
    assert detail["attempts"][0]["outcome"] == "succeeded"
    points = run_setgf("runs", "export", "aaaa", "--what", "points").out.splitlines()
    assert [line.split(",")[4] for line in points[1:]] == ["3.0", "nan", "inf", "1.0"]
    predictions = run_setgf("runs", "export", "aaaa", "--what", "predictions").out
    assert 'aaaaaaaa,test,"v,\n2",-1.0,-0.5,,,' in predictions


def test_a_home_is_recognised_by_its_database(other):
    assert run_setgf("runs", "import", other.parent).out == "aaaaaaaa  theirs\n"


def test_importing_twice_changes_nothing(other):
    run_setgf("runs", "import", other)
    run_setgf("runs", "note", "aaaa", "mine now")
    before = runs()

    outcome = run_setgf("runs", "import", other)

    assert outcome.code == 0
    assert "1 run already here" in outcome.err
    assert runs() == before


def test_an_imported_run_survives_a_lost_database(other, tmp_path):
    run_setgf("runs", "import", other)
    before = runs()["aaaaaaaa"]
    for file in (tmp_path / "mine").glob("setgf.db*"):
        file.unlink()

    assert run_setgf("db", "rebuild").code == 0

    after = runs()["aaaaaaaa"]
    for run in (before, after):
        del run["updated_at"]
    assert after == before


def test_a_dry_run_imports_nothing(other, tmp_path):
    outcome = run_setgf("runs", "import", other, "--dry-run")

    assert "Would import 1 run." in outcome.err
    assert runs() == {}
    assert not (tmp_path / "mine" / "runs").exists()


def test_an_import_that_was_killed_before_its_rows_is_ended_by_the_next(other, tmp_path):
    run_setgf("runs", "import", other)
    for file in (tmp_path / "mine").glob("setgf.db*"):
        file.unlink()

    run_setgf("runs", "import", other)

    assert list(runs()) == ["aaaaaaaa"]


def test_a_live_run_is_over_where_it_is_imported(tmp_path):
    make_run("aaaaaaaa", points={"train.loss": [1.0]})
    file = tmp_path / "runs.jsonl"
    run_setgf("runs", "export", "--what", "all", "-o", file)
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    lines[0] |= {"state": "running", "id": "bbbbbbbb", "metrics": {}}
    file.write_text("".join(json.dumps({**x, "run_id": "bbbbbbbb"}) + "\n" for x in lines))

    assert run_setgf("runs", "import", file).code == 0

    run = runs()["bbbbbbbb"]
    assert run["state"] == "cancelled"
    assert run["error"] == "It was running when it was exported."
    assert run_setgf("runs", "delete", "bbbb", "--yes").code == 0


def exported(tmp_path):
    make_run("aaaaaaaa", points={"train.loss": [1.0]}, predictions=[Sample("v", 1.0, 0.5)])
    file = tmp_path / "runs.jsonl"
    run_setgf("runs", "export", "--what", "all", "-o", file)
    return [json.loads(line) for line in file.read_text().splitlines()]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda lines: lines[0].pop("name"), "`name` of the run in line 1 of .* must be text"),
        (lambda lines: lines[0].update(id="../../x"), "`id` of the run .* 8 letters"),
        (lambda lines: lines[0].update(seed="1"), "`seed` .* must be a whole number"),
        (lambda lines: lines[0].update(seed=2**70), "`seed` .* below 2"),
        (lambda lines: lines[0].update(archived=1), "`archived` .* true or false"),
        (lambda lines: lines[0].update(format=99), "has format 99, but this setgf reads format 1"),
        (lambda lines: lines[0].update(metrics={"x": "y"}), "`metrics.x` .* must be a number"),
        (lambda lines: lines[0].update(name="\ud800"), "has half a letter in it"),
        (lambda lines: lines[1].update(kind="thing"), 'is of kind "thing"; expected `run`'),
        (lambda lines: lines[1].update(run_id="zzzzzzzz"), "whose own line did not come before"),
        (lambda lines: lines[1].update(steps=[1, 2]), "lists of equal length"),
        (lambda lines: lines[1].update(steps=[-1]), "must be from 0 to 2"),
        (lambda lines: lines[1].update(values=["x"]), "lists of equal length"),
        (lambda lines: lines[2].update(split="../x"), "`split` in line 3 of .* must be a word"),
        (lambda lines: lines[2].update(rows=[["v", 1.0]]), "must have `rows`"),
        (lambda lines: lines.append(dict(lines[0])), "stands in .* twice"),
        (lambda lines: lines.append([1]), "must be a JSON object"),
    ],
)
def test_a_line_that_can_not_be_stored_is_named_and_nothing_is_imported(
    tmp_path, monkeypatch, change, message
):
    lines = exported(tmp_path)
    change(lines)
    file = tmp_path / "changed.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    mine = tmp_path / "mine"
    monkeypatch.setenv("SETGF_HOME", str(mine))

    outcome = run_setgf("runs", "import", file)

    assert outcome.code == 3
    assert outcome.err.count("\n") == 1
    for part in message.split(" .* "):
        assert part in outcome.err
    assert runs() == {}
    assert [path.name for path in mine.iterdir() if path.is_dir()] == []


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("x.jsonl", b"{\n", "Line 1 of"),
        ("x.jsonl", b'{"kind": "\xff"}\n', "must be text in UTF-8"),
        ("x.bin", b"\x00\x01", "holds no runs that are known"),
        ("x.db", b"SQLite format 3\x00garbage", "setgf: error:"),
        ("x.csv", b"a,b\n1,2\n", "must be a result file of MMSA"),
        ("mosi.csv", b"Model,MAE\n", "has column names but no results"),
        ("mosi.csv", b"Model,MAE\nx,bad\n", "`MAE` in row 1"),
        ("other.csv", b"Model,MAE\nx,1.0\n", "name it with `--dataset`"),
        ("x.tfevents.1", b"", "holds no scalars of TensorBoard"),
    ],
)
def test_a_file_that_is_none_of_these_is_one_sentence(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)

    outcome = run_setgf("runs", "import", tmp_path / name)

    assert outcome.code in (3, 4)
    assert message in outcome.err
    assert "Traceback" not in outcome.err
    assert runs() == {}


def test_nothing_there_and_an_empty_folder(tmp_path):
    assert "There is nothing at" in run_setgf("runs", "import", tmp_path / "none").err
    (tmp_path / "empty").mkdir()
    assert run_setgf("runs", "import", tmp_path / "empty").code == 3


def test_tensorboard_folders_are_runs_and_tags_are_series(tmp_path):
    logs = tmp_path / "logs"
    write_events(
        logs / "one" / "events.out.tfevents.1",
        event(0, simple("Loss/train", 2.5), simple("val/mae", 1.5), at=1000.0),
        event(1, simple("Loss/train", 1.25), tensor("test/acc7", 0.5), at=1001.0),
        event(1, tensor("text", 1.0, plugin="text")),
    )
    write_events(logs / "two" / "deep" / "events.out.tfevents.2", event(7, simple("lr", 0.5)))

    options = ("--dataset", "mosi", "--model", "mine", "--data", "demo", "--seed", "3")
    outcome = run_setgf("runs", "import", logs, *options)

    assert outcome.code == 0
    found = {run["name"]: run for run in runs().values()}
    assert sorted(found) == ["one", "two/deep"]
    run = found["one"]
    assert (run["dataset"], run["data_name"], run["model"], run["seed"]) == (
        "mosi",
        "demo",
        "mine",
        3,
    )
    assert run["metrics"] == {"test.acc7": 0.5}
    assert run["started_at"] == 1000.0
    points = run_setgf("runs", "export", run["id"], "--what", "points").out.splitlines()[1:]
    assert [line.split(",")[1:5] for line in points] == [
        ["test.acc7", "1", "0", "0.5"],
        ["train.loss", "0", "0", "2.5"],
        ["train.loss", "1", "0", "1.25"],
        ["valid.mae", "0", "0", "1.5"],
    ]
    assert run_setgf("runs", "import", logs).err.startswith("2 runs already here")


def test_a_later_file_replaces_what_it_measured_again(tmp_path):
    write_events(
        tmp_path / "events.out.tfevents.1", event(1, simple("lr", 1.0)), event(2, simple("lr", 2.0))
    )
    write_events(tmp_path / "events.out.tfevents.2", event(2, simple("lr", 4.0)))

    run_setgf("runs", "import", tmp_path)

    (run_id,) = runs()
    lines = run_setgf("runs", "export", run_id, "--what", "points").out.splitlines()[1:]
    assert [line.split(",")[4] for line in lines] == ["1.0", "4.0"]


def test_a_damaged_event_file_is_taken_up_to_the_damage_and_said(tmp_path):
    path = write_events(
        tmp_path / "events.out.tfevents.1", event(1, simple("lr", 1.0)), event(2, simple("lr", 2.0))
    )
    data = bytearray(path.read_bytes())
    data[-10] ^= 1
    path.write_bytes(data)

    outcome = run_setgf("runs", "import", path)

    assert outcome.code == 0
    assert "Record 3 of" in outcome.err
    (run_id,) = runs()
    assert len(run_setgf("runs", "export", run_id, "--what", "points").out.splitlines()) == 2


@pytest.mark.parametrize("cut", range(1, 40, 3))
def test_a_file_still_being_written_is_taken_without_its_torn_end(tmp_path, cut):
    path = write_events(
        tmp_path / "events.out.tfevents.1", event(1, simple("lr", 1.0)), event(2, simple("lr", 2.0))
    )
    path.write_bytes(path.read_bytes()[:-cut])

    outcome = run_setgf("runs", "import", path)

    assert outcome.code == 0
    assert "damaged" not in outcome.err
    (run,) = runs().values()
    assert run["step"] == 1


def test_mmsa_results_are_runs_with_means_in_our_names(tmp_path):
    file = tmp_path / "mosi.csv"
    file.write_text(
        "Model,Has0_acc_2,Has0_F1_score,Mult_acc_7,MAE,Corr,Loss\n"
        'tfn,"(80.12, 0.5)","(80.0, 0.4)","(34.5, 1.2)","(94.7, 0.3)","(67.3, 0.2)","(1.0, 0.1)"\n'
        'self_mm,"(np.float64(84.0), np.float64(0.3))",84.1,46.4,71.2,79.5,\n'
    )

    assert run_setgf("runs", "import", file).code == 0

    found = {run["model"]: run for run in runs().values()}
    tfn = found["tfn"]
    assert tfn["metrics"]["test.acc2_has0"] == pytest.approx(0.8012)
    assert tfn["metrics"]["test.mae"] == pytest.approx(0.947)
    assert tfn["config"]["imported"]["sd"]["acc7"] == pytest.approx(0.012)
    assert tfn["tags"] == ["imported", "mmsa"]
    assert found["self_mm"]["metrics"]["test.acc2_has0"] == pytest.approx(0.84)
    assert "test.loss" not in found["self_mm"]["metrics"]
    rows = run_setgf("runs", "list", "--json", "--columns", "model,imported.sd.mae").json
    assert {row["model"]: row["imported.sd.mae"] for row in rows}["tfn"] == pytest.approx(0.003)
    models = [row["model"] for row in run_setgf("compare", "--format", "json").json[0]["rows"]]
    assert models == ["self_mm", "tfn"]


def test_mmsa_tuning_results_are_of_validation(tmp_path):
    file = tmp_path / "sims-mult-regression-tune.csv"
    file.write_text("dropout,lr,Mult_acc_2,MAE\n0.1,0.001,78.0,43.1\n0.2,0.002,77.0,44.0\n")

    run_setgf("runs", "import", file)

    found = sorted(runs().values(), key=lambda run: run["metrics"]["valid.mae"])
    assert [run["model"] for run in found] == ["mult", "mult"]
    assert found[0]["metrics"] == {"valid.acc2": 0.78, "valid.mae": pytest.approx(0.431)}
    assert found[0]["config"]["imported"]["parameters"]["dropout"] == "0.1"


def test_an_imported_run_can_be_exported_shown_compared_and_deleted(other, tmp_path):
    run_setgf("runs", "import", other)
    shutil.rmtree(other.parent)

    for words in (("show", "aaaa"), ("diff", "aaaa", "aaaa"), ("repro", "aaaa"), ("export",)):
        assert run_setgf("runs", *words).code == 0, words
    assert run_setgf("gc").code == 0
    assert run_setgf("runs", "delete", "aaaa", "--yes").code == 0
    assert run_setgf("runs", "restore", "aaaa").code == 0
