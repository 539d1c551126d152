"""`setgf runs` as a user meets it, on a real database."""

import math

import pytest

from db.records import JobState
from tests.cli.command import run_setgf
from tests.cli.stored import store_run


def test_without_runs_the_list_says_what_to_do():
    outcome = run_setgf("runs", "list")

    assert (outcome.code, outcome.out) == (0, "")
    assert "No run database at" in outcome.err
    assert "No runs yet. Train one with `setgf train`" in outcome.err
    assert run_setgf("runs", "list", "--json").json == []


def test_a_list_makes_no_database(home):
    run_setgf("runs", "list")

    assert list(home.iterdir()) == []
    assert run_setgf("runs", "show", "aaaa").code == 4


def test_the_list_shows_state_progress_and_the_test_error():
    store_run("aaaaaaaa", metrics={"test.mae": 0.98765})
    store_run("bbbbbbbb", model="text_only", state=JobState.RUNNING, created_at=2000.0)

    lines = run_setgf("runs", "list").out.splitlines()

    assert [line.split()[0] for line in lines] == ["id", "bbbbbbbb", "aaaaaaaa"]
    assert "succeeded" in lines[2]
    assert "0.988" in lines[2]
    assert "running" in lines[1]
    assert "2/30" in lines[1]


def test_json_is_unrounded_with_config_and_metrics():
    store_run("aaaaaaaa", metrics={"test.mae": 2 / 3, "test.corr": math.nan})

    (run,) = run_setgf("runs", "list", "--json").json

    assert run["metrics"]["test.mae"] == 2 / 3
    assert run["metrics"]["test.corr"] is None
    assert run["config"]["model"]["name"] == "setgf"
    assert run["state"] == "succeeded"


def test_the_list_can_be_filtered_sorted_and_cut():
    for place, mae in enumerate((0.9, 0.7, 0.8)):
        store_run(f"{place}aaaaaaa", seed=place, metrics={"test.mae": mae})

    def ids(*options):
        return [run["id"][0] for run in run_setgf("runs", "list", "--json", *options).json]

    assert ids("--sort", "test.mae") == ["1", "2", "0"]
    assert ids("--where", "test.mae < 0.85", "--sort", "test.mae") == ["1", "2"]
    assert ids("--sort", "test.mae", "--limit", "1") == ["1"]


def test_a_filter_that_matches_nothing_or_cannot_be_read_says_so():
    store_run("aaaaaaaa")

    assert "No run matches." in run_setgf("runs", "list", "--where", "seed == 7").err
    outcome = run_setgf("runs", "list", "--where", "seed ==")
    assert outcome.code == 2
    assert outcome.err.startswith("setgf: error:")


def test_show_prints_the_live_last_value_of_every_series():
    store_run(
        "aaaaaaaa",
        state=JobState.RUNNING,
        series={"train.loss": [3.0, 2.0, 1.25], "valid.mae": [1.5]},
    )

    out = run_setgf("runs", "show", "aaaaaaaa").out

    assert "train.loss" in out
    assert "1.25  (step 3, 3 points)" in out
    assert "1.5  (step 1, 1 point)" in out

    detail = run_setgf("runs", "show", "aaaaaaaa", "--json").json
    assert detail["summaries"]["train.loss"]["last"] == 1.25


def test_show_keeps_calibrated_results_apart():
    calibrated = {"test.calibrated.mae": 0.8, "valid.calibrated.slope": 1.25}
    store_run("aaaaaaaa", metrics={"test.mae": 0.9, "valid.mae": 0.85, **calibrated})

    out = run_setgf("runs", "show", "aaaaaaaa").out

    plain, _, own = out.partition("Calibrated on validation: a result of its own")
    assert [line.split() for line in own.splitlines()[1:3]] == [
        ["test.mae", "0.800"],
        ["valid.slope", "1.250"],
    ]
    assert "0.900" in plain
    assert "0.800" not in plain


def test_show_prints_metrics_settings_that_differ_and_the_folder(home):
    store_run(
        "aaaaaaaa",
        metrics={"test.acc7": 0.45, "test.mae": 0.9, "test.text.mae": 1.1, "valid.mae": 0.8},
        settings={"optim.lr": 0.002, "max_epochs": 3},
    )

    out = run_setgf("runs", "show", "aaa").out

    assert "Settings that differ from the preset" in out
    assert "optim.lr" in out
    assert "0.002  (preset: 0.0005)" in out
    assert "optim.batch_size" not in out
    assert "45.00" in out
    assert str(home / "runs" / "aaaaaaaa") in out


def test_a_run_is_found_by_the_start_of_its_id_when_there_is_only_one():
    store_run("aaaaaaaa")
    store_run("aaaabbbb", seed=2)

    assert run_setgf("runs", "show", "aaaaa").code == 0
    ambiguous = run_setgf("runs", "show", "aaaa")
    missing = run_setgf("runs", "show", "zzz")

    assert (ambiguous.code, missing.code) == (4, 4)
    assert "aaaa" in ambiguous.err
    assert "zzz" in missing.err


def test_tags_are_put_on_and_taken_off():
    store_run("aaaaaaaa")

    assert "baseline, good" in run_setgf("runs", "tag", "aaaa", "good", "baseline").out
    assert "has the tags baseline" in run_setgf("runs", "tag", "aaaa", "good", "--remove").out
    assert run_setgf("runs", "list", "--json").json[0]["tags"] == ["baseline"]


def test_a_tag_that_is_not_there_changes_nothing():
    store_run("aaaaaaaa")
    run_setgf("runs", "tag", "aaaa", "good")

    outcome = run_setgf("runs", "tag", "aaaa", "good", "nope", "--remove")

    assert outcome.code == 4
    assert "has no tag `nope`" in outcome.err
    assert run_setgf("runs", "list", "--json").json[0]["tags"] == ["good"]


@pytest.mark.parametrize("tag", ["", "two words", "a,b"])
def test_a_tag_is_one_word(tag):
    store_run("aaaaaaaa")

    outcome = run_setgf("runs", "tag", "aaaa", tag)

    assert outcome.code == 2
    assert "A tag is one word" in outcome.err


def test_a_note_is_written_shown_and_removed():
    store_run("aaaaaaaa")

    run_setgf("runs", "note", "aaaa", "best so far\nkeep it")

    assert "best so far" in run_setgf("runs", "list").out
    assert "keep it" in run_setgf("runs", "show", "aaaa").out
    assert "has no note" in run_setgf("runs", "note", "aaaa", "").out


def test_an_archived_run_leaves_the_list_until_it_is_restored():
    store_run("aaaaaaaa")

    outcome = run_setgf("runs", "archive", "aaaa")

    assert "`setgf runs restore aaaaaaaa`" in outcome.out
    assert run_setgf("runs", "list", "--json").json == []
    assert [r["id"] for r in run_setgf("runs", "list", "--archived", "--json").json] == ["aaaaaaaa"]
    assert run_setgf("runs", "restore", "aaaaaaaa").code == 0
    assert len(run_setgf("runs", "list", "--json").json) == 1


def test_a_run_that_is_not_there_has_one_exit_code_everywhere(home):
    store_run("aaaaaaaa")

    assert run_setgf("runs", "show", "zzzz9999").code == 4
    outcome = run_setgf("train", "--resume", "zzzz9999")

    assert outcome.code == 4
    assert "No run folder `zzzz9999`" in outcome.err
