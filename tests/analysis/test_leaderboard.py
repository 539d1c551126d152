import math

import pytest

from db.records import JobState
from setgf.analysis.leaderboard import best_rows, leaderboard
from setgf.terms import Dataset, Task
from tests.analysis.builders import make_run


def test_seeds_of_one_experiment_are_one_row():
    runs = [
        make_run(id="a", seed=2, mae=0.8, acc7=0.4),
        make_run(id="b", seed=1, mae=1.0, acc7=0.5),
    ]

    (row,) = leaderboard(runs)

    assert (row.n, row.seeds, row.run_ids) == (2, (1, 2), ("b", "a"))
    assert row.metrics["mae"].mean == pytest.approx(0.9)
    assert row.metrics["mae"].sd == pytest.approx(0.1414213562)
    assert row.values["acc7"] == (0.5, 0.4)
    assert row.settings == {}


def test_rows_come_by_mae_and_those_without_a_result_last():
    runs = [
        make_run(variant="none", model="self_mm", state=JobState.RUNNING),
        make_run(variant="worse", model="text_only", mae=1.1),
        make_run(variant="better", mae=0.9),
    ]

    rows = leaderboard(runs)

    assert [row.variant for row in rows] == ["better", "worse", "none"]
    assert (rows[2].n, rows[2].unfinished) == (0, 1)


def test_one_seed_has_no_deviation():
    (row,) = leaderboard([make_run(mae=0.9)])

    assert (row.n, row.metrics["mae"].mean, row.metrics["mae"].sd) == (1, 0.9, None)


def test_failed_runs_are_counted_and_never_averaged():
    runs = [
        make_run(id="a", seed=1, mae=0.9),
        make_run(id="b", seed=2, state=JobState.FAILED, mae=9.0),
        make_run(id="c", seed=3, state=JobState.FAILED, data_fingerprint=None),
        make_run(id="d", seed=4, state=JobState.CANCELLED),
    ]

    (row,) = leaderboard(runs)

    assert (row.n, row.failed, row.unfinished) == (1, 2, 0)
    assert row.metrics["mae"].mean == 0.9


def test_validation_metrics_never_stand_in_for_test_metrics():
    (row,) = leaderboard([make_run(metrics={"valid.mae": 0.1, "best_epoch": 3.0})])

    assert row.n == 0
    assert row.metrics["mae"].mean is None


def test_undefined_metrics_are_counted_and_left_out():
    runs = [
        make_run(id="a", seed=1, mae=1.0, corr=math.nan),
        make_run(id="b", seed=2, mae=1.0, corr=0.5),
        make_run(id="c", seed=3, mae=1.0),
    ]

    (row,) = leaderboard(runs)

    assert row.metrics["corr"].mean == 0.5
    assert (row.metrics["corr"].n, row.metrics["corr"].undefined) == (1, 2)
    assert row.metrics["mae"].n == 3


def test_a_seed_run_twice_counts_once_by_its_newest_run():
    runs = [
        make_run(id="new", created_at=2.0, mae=0.8),
        make_run(id="old", created_at=1.0, mae=0.9),
    ]

    (row,) = leaderboard(runs)

    assert (row.n, row.run_ids, row.metrics["mae"].mean) == (1, ("new",), 0.8)


def test_runs_on_data_replaced_under_one_name_are_not_averaged():
    runs = [
        make_run(id="a", seed=1, mae=0.8, data_fingerprint="1111111111"),
        make_run(id="b", seed=2, mae=0.9, data_fingerprint="2222222222"),
    ]

    rows = leaderboard(runs)

    assert [row.n for row in rows] == [1, 1]
    assert [row.settings for row in rows] == [
        {"data.fingerprint": "11111111"},
        {"data.fingerprint": "22222222"},
    ]


def test_rows_of_one_model_are_told_apart_by_the_settings_that_differ():
    runs = [
        make_run(variant="a", mae=0.8, config={"optim": {"lr": 1e-3, "batch": 32}, "seed": 1}),
        make_run(variant="b", mae=0.9, config={"optim": {"lr": 1e-4, "batch": 32}, "seed": 2}),
        make_run(variant="c", mae=1.0, model="text_only", config={"optim": {"lr": 1.0}}),
    ]

    assert [row.settings for row in leaderboard(runs)] == [
        {"optim.lr": 1e-3},
        {"optim.lr": 1e-4},
        {},
    ]


def test_one_data_set_can_be_asked_for():
    runs = [make_run(mae=0.8), make_run(variant="s", dataset="sims", mae=0.4, acc2=0.7)]

    rows = leaderboard(runs, dataset=Dataset.SIMS)

    assert [row.dataset for row in rows] == [Dataset.SIMS]
    assert rows[0].metrics["acc2"].mean == 0.7
    assert "acc7" not in rows[0].metrics
    assert leaderboard([]) == ()


def test_the_best_row_of_a_metric_goes_by_its_direction_with_ties():
    rows = [{"mae": 0.8, "acc7": 0.4}, {"mae": 0.9, "acc7": 0.4}, {"mae": math.nan, "acc7": None}]

    assert best_rows(rows, ["mae", "acc7", "corr"]) == {
        "mae": frozenset({0}),
        "acc7": frozenset({0, 1}),
        "corr": frozenset(),
    }


def test_scores_and_classes_are_never_rows_of_one_table():
    classes = {"train": {"task": "classification"}}
    runs = [
        make_run(id="a", variant="v1", mae=0.9, acc3=0.5),
        make_run(id="b", variant="v2", config=classes, acc3=0.7),
        make_run(id="c", variant="v3", config=classes, acc3=0.8),
    ]

    scores = leaderboard(runs, dataset=Dataset.MOSI)
    found = leaderboard(runs, dataset=Dataset.MOSI, task=Task.CLASSIFICATION)

    assert [row.run_ids for row in scores] == [("a",)]
    assert [row.run_ids for row in found] == [("c",), ("b",)]
    assert "mae" not in found[0].metrics
