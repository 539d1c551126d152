"""`setgf metrics` as a user meets it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from setgf.metrics import metric_names, score
from setgf.terms import Dataset
from tests.cli.command import run_setgf

GOLDEN = Path(os.environ.get("SETGF_GOLDEN") or Path(__file__).parents[1] / "golden")


@pytest.fixture
def write(tmp_path):
    """Write a predictions file and return its path."""

    def write_file(text, *, encoding="utf-8"):
        path = tmp_path / "predictions.csv"
        path.write_bytes(text.encode(encoding))
        return path

    return write_file


def test_json_has_exactly_the_protocols_names_unrounded(write):
    path = write("prediction,label\n1.0,1.0\n-1.0,-1.0\n1.0,-1.0\n")

    outcome = run_setgf("metrics", path, "--dataset", "mosi", "--format", "json")

    assert outcome.code == 0
    assert list(outcome.json) == list(metric_names(Dataset.MOSI))
    assert outcome.json["acc7"] == 2 / 3
    assert outcome.err == ""


@pytest.mark.parametrize("dataset", Dataset)
def test_golden_predictions_score_the_same_through_the_command(write, dataset):
    family = Dataset.SIMS if dataset is Dataset.SIMSV2 else dataset
    case = next(
        case
        for case in json.loads((GOLDEN / "metrics.json").read_text(encoding="utf-8"))
        if case["dataset"] == family
    )
    rows = zip(case["prediction"], case["label"], strict=True)
    path = write("prediction,label\n" + "".join(f"{p!r},{y!r}\n" for p, y in rows))

    scores = run_setgf("metrics", path, "--dataset", dataset, "--format", "json").json

    assert {name: round(scores[name], 4) for name in case["expected"]} == case["expected"]
    assert scores == score(Dataset(dataset), case["prediction"], case["label"])


def test_an_undefined_metric_is_null_in_json_and_said_in_the_table(write):
    path = write("prediction,label\n0.5,1.0\n0.5,-1.0\n")

    assert run_setgf("metrics", path, "--dataset", "sims", "--format", "json").json["corr"] is None
    assert "undefined" in run_setgf("metrics", path, "--dataset", "sims").out


def test_the_table_shows_accuracies_in_percent(write):
    outcome = run_setgf("metrics", write("prediction,label\n1,1\n0.1,-1\n"), "--dataset", "mosi")

    assert "acc2_non0  50.00" in outcome.out
    assert "mae        0.550" in outcome.out
    assert "2 samples, mosi protocol" in outcome.err


def test_columns_may_stand_anywhere_with_a_byte_order_mark_and_blank_lines(write):
    text = 'sample_id, label ,text,prediction\n\na,1.0,"x, y",1.2\n,,,\nb,-1.0,"z",-0.8\n\n'
    path = write("\ufeff" + text.replace("\n", "\r\n"))

    outcome = run_setgf("metrics", path, "--dataset", "mosi", "--format", "json")

    assert outcome.json["mae"] == pytest.approx(0.2)


def test_other_column_names_can_be_given(write):
    path = write("y,yhat\n1,1\n-1,1\n")

    options = ("--prediction-column", "yhat", "--label-column", "y", "--format", "json")

    assert run_setgf("metrics", path, "--dataset", "mosi", *options).json["acc7"] == 0.5


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty; expected a line of column names with `prediction` and `label`"),
        ("\n\n", "is empty"),
        ("prediction,label\n", "has column names but no predictions"),
        ("score,label\n1,1\n", "has no column `prediction`; its columns are `score`, `label`."),
        (
            "prediction;label\n1;1\n",
            "has no column `prediction`; its columns are `prediction;label`",
        ),
        ("prediction,label,label\n1,1,2\n", "has the column `label` more than once"),
        (
            "prediction,label\n1,1\n\nx,1\n",
            "`prediction` must be a number, but is `x` in row 2 (line 4)",
        ),
        ("prediction,label\n1,\n", "`label` must be a number, but is missing in row 1 (line 2)"),
        ("prediction,label\n1\n", "`label` must be a number, but is missing in row 1"),
        ("prediction,label\n1_0,1\n", "but is `1_0` in row 1"),
        (
            "prediction,label\n1,1\nnan,1\n",
            "Predictions must be finite numbers, but 1 of 2 is not: row 2",
        ),
        ("sample_id,prediction,label\nv_1,1,inf\n", "Labels must be finite .* v_1 (inf)"),
    ],
)
def test_a_file_that_cannot_be_scored_is_one_sentence_and_exit_code_3(write, text, message):
    outcome = run_setgf("metrics", write(text), "--dataset", "mosi", "--format", "json")

    assert outcome.code == 3
    assert outcome.out == ""
    assert outcome.err.count("\n") == 1
    for part in message.split(" .* "):
        assert part in outcome.err


def test_a_file_in_another_encoding_is_refused(write):
    path = write("prediction,label\n1,1\n", encoding="utf-16")

    outcome = run_setgf("metrics", path, "--dataset", "mosi")

    assert (outcome.code, outcome.out) == (3, "")
    assert "is not a CSV file in UTF-8" in outcome.err


def test_a_file_that_is_not_there_is_named(tmp_path):
    outcome = run_setgf("metrics", tmp_path / "none.csv", "--dataset", "mosi")

    assert outcome.code == 3
    assert f"No file at {tmp_path / 'none.csv'}. Give a CSV file" in outcome.err
    assert run_setgf("metrics", tmp_path, "--dataset", "mosi").code == 3


def test_an_unknown_data_set_is_a_usage_error(write):
    outcome = run_setgf("metrics", write("prediction,label\n1,1\n"), "--dataset", "imdb")

    assert outcome.code == 2
    assert "'mosi', 'mosei', 'sims', 'simsv2'" in outcome.err


def test_the_installed_command_does_the_same(write):
    path = write("prediction,label\n1,1\nx,1\n")
    command = [sys.executable, "-m", "setgf.cli.main", "metrics", str(path), "--dataset", "mosi"]

    finished = subprocess.run(command, capture_output=True, text=True, check=False)

    assert finished.returncode == 3
    assert finished.stdout == ""
    assert finished.stderr.startswith("setgf: error: `prediction` must be a number, but is `x`")


def test_classes_are_scored_and_the_public_fault_only_on_demand(write):
    path = write("prediction,label\n-1,-0.4\n0,0\n1,0.8\n")

    plain = run_setgf(
        "metrics", path, "--dataset", "sims", "--task", "classification", "--format", "json"
    )
    faulty = run_setgf(
        "metrics", path, "--dataset", "sims", "--task", "classification", "--reference-bug",
        "--format", "json",
    )  # fmt: skip

    assert set(plain.json.values()) == {1.0}
    assert faulty.json["acc2_non0"] == 0.5
