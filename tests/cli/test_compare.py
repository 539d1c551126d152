"""`setgf compare` as a user meets it, on a real database."""

import csv
import io

import pytest

from db.records import JobState
from setgf.data.synthetic import synthesise
from setgf.home import find_home
from setgf.terms import Dataset
from tests.cli.command import run_setgf
from tests.cli.stored import store_run


@pytest.fixture
def seeds():
    """Three models, two seeds each, and one failed run."""
    maes = {"setgf": (0.90, 0.94), "self_mm": (1.00, 1.02), "text_only": (1.10, 1.16)}
    for model, values in maes.items():
        for seed, mae in enumerate(values):
            metrics = {"test.mae": mae, "test.acc7": 0.3 + seed / 3, "test.corr": 0.5}
            store_run(f"{model[:4]}{seed}aaa", model=model, seed=seed, metrics=metrics)
    store_run("failed00", seed=7, state=JobState.FAILED)


def test_without_runs_it_says_what_to_do():
    outcome = run_setgf("compare")

    assert outcome.code == 0
    assert "No run has finished yet. Queue some with `setgf queue add" in outcome.err
    assert run_setgf("compare", "--format", "json").json == []


def test_published_rows_can_be_read_before_anything_was_run():
    outcome = run_setgf("compare", "--dataset", "mosi")

    assert "Self-MM" in outcome.out
    assert "No run like that has finished yet." in outcome.err


def test_the_table_has_mean_and_deviation_by_mae_beside_published_rows(seeds):
    out = run_setgf("compare").out

    lines = out.splitlines()
    ours = [line.split()[0] for line in lines[2:5]]
    assert ours == ["setgf", "self_mm", "text_only"]
    assert "2, 1 failed" in lines[2]
    assert "0.920 ± 0.028*" in lines[2]
    assert "46.67 ± 23.57" in lines[2]
    assert "published:" in out
    assert "best test epoch per metric; ALMT, EMNLP 2023" in out
    assert "mean ± standard deviation over seeds" in out


def test_published_rows_are_left_out_beside_a_smaller_test_split_unless_asked_for(seeds):
    synthesise(find_home(), "mosi400", Dataset.MOSI, num_samples=24)

    outcome = run_setgf("compare")
    assert "published" not in outcome.out
    assert "they are of 686 test samples, but `mosi400` has" in outcome.err
    assert "published:" in run_setgf("compare", "--published").out


def test_published_rows_can_be_left_out(seeds):
    outcome = run_setgf("compare", "--no-published", "--format", "json")

    assert outcome.json[0]["published"] == []
    assert "published" not in run_setgf("compare", "--no-published").out


def test_json_is_unrounded(seeds):
    (comparison,) = run_setgf("compare", "--format", "json").json

    first = comparison["rows"][0]
    assert first["model"] == "setgf"
    assert first["seeds"] == [0, 1]
    assert first["failed"] == 1
    assert first["metrics"]["mae"]["mean"] == pytest.approx(0.92, abs=1e-15)
    assert first["metrics"]["acc7"]["sd"] == pytest.approx(2**-0.5 / 3, abs=1e-15)
    assert first["metrics"]["acc2_has0"]["mean"] is None
    assert first["metrics"]["acc2_has0"]["undefined"] == 2
    assert all(row["selection"] and row["source"] for row in comparison["published"])


def test_csv_is_one_line_a_row_and_metric(seeds):
    rows = list(csv.DictReader(io.StringIO(run_setgf("compare", "--format", "csv").out)))

    (mae,) = [
        r for r in rows if r["kind"] == "run" and r["model"] == "setgf" and r["metric"] == "mae"
    ]
    assert float(mae["mean"]) == pytest.approx(0.92, abs=1e-15)
    assert mae["n"] == "2"
    assert {row["kind"] for row in rows} == {"run", "published"}


def test_markdown_marks_the_best_in_bold(seeds):
    out = run_setgf("compare", "--format", "markdown", "--metric", "mae").out

    assert "| setgf | 2, 1 failed | **0.920 ± 0.028** |  |" in out
    assert "| self_mm | 2 | 1.010 ± 0.014 |  |" in out
    assert out.splitlines()[0] == "**mosi**"


def test_runs_can_be_chosen_by_filter_and_data(seeds):
    def models(*options):
        found = run_setgf("compare", "--format", "json", *options).json
        return [row["model"] for comparison in found for row in comparison["rows"]]

    assert models("--where", 'model == "self_mm"') == ["self_mm"]
    assert models("--data", "mosi400") == ["setgf", "self_mm", "text_only"]
    assert models("--data", "other") == []
    assert models("--dataset", "sims") == []


def test_runs_of_one_group_can_be_compared():
    store_run("aaaaaaaa", group="first", metrics={"test.mae": 0.9})
    store_run("bbbbbbbb", group="second", metrics={"test.mae": 0.8}, created_at=2000.0)

    for name in ("first", "1"):
        found = run_setgf("compare", "--group", name, "--format", "json").json
        assert found[0]["rows"][0]["runs"] == ["aaaaaaaa"]


def test_a_baseline_tells_how_far_the_others_are(seeds):
    out = run_setgf("compare", "--baseline", "text_only").out

    assert "setgf on mosi400: mae -0.210 against text_only, 95 % interval" in out
    assert "(Welch)" in out


def test_floors_come_from_the_store_when_it_is_there():
    synthesise(find_home(), "small", Dataset.SIMS, num_samples=40)
    store_run("aaaaaaaa", dataset=Dataset.SIMS, data="small", metrics={"test.mae": 0.4})

    out = run_setgf("compare").out

    assert "train median (floor)" in out
    assert "train majority (floor)" in out
    (comparison,) = run_setgf("compare", "--format", "json").json
    assert comparison["floors"][0]["metrics"]["mae"] > 0


def test_a_metric_the_data_set_does_not_have_is_refused(seeds):
    outcome = run_setgf("compare", "--metric", "accuracy")

    assert outcome.code == 2
    assert "mosi has no metric `accuracy`; it has acc2_has0" in outcome.err


def test_archived_runs_do_not_count(seeds):
    run_setgf("runs", "archive", "setg1aaa")

    (comparison,) = run_setgf("compare", "--format", "json").json

    assert comparison["rows"][0]["seeds"] == [0]
