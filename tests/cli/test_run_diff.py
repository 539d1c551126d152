"""`setgf runs diff`: only what is different, with the metrics of both."""

import math

import pytest

from tests.cli.command import run_setgf
from tests.cli.run_folders import make_run

ENVIRONMENT = {
    "code": {"commit": "a" * 40, "dirty": True, "diff": "--- a/x\n+++ b/x\n+one\n"},
    "python": "3.11.2",
    "libraries": {"torch": "2.13.0", "numpy": "2.4.6"},
    "host": "here",
    "data_fingerprint": "f1",
}


@pytest.fixture
def two():
    """Two runs with different settings, code, libraries and metrics."""
    make_run(
        "aaaaaaaa",
        name="base\x1b[31m",
        metrics={"test.mae": 0.9, "test.acc7": 0.4, "test.corr": math.nan},
        environment=ENVIRONMENT,
    )
    other = {
        **ENVIRONMENT,
        "code": {"commit": "b" * 40, "dirty": False, "diff": ""},
        "libraries": {"torch": "2.14.0", "numpy": "2.4.6"},
        "data_fingerprint": "f2",
    }
    make_run(
        "bbbbbbbb",
        settings={"optim.lr": 0.002},
        metrics={"test.mae": 0.85, "test.acc7": 0.38, "test.corr": 0.5},
        environment=other,
    )


def test_json_has_what_differs_and_nothing_else(two):
    plain = run_setgf("runs", "diff", "aaaa", "bbbb", "--json").json

    assert plain["settings"] == {"optim.lr": [0.0005, 0.002]}
    assert plain["code"] == {"commit": ["a" * 40, "b" * 40], "uncommitted changes": [True, False]}
    assert plain["data"] == {"fingerprint": ["f1", "f2"]}
    assert plain["environment"] == {"libraries.torch": ["2.13.0", "2.14.0"]}
    assert plain["metrics"]["test.mae"] == {
        "a": 0.9,
        "b": 0.85,
        "delta": pytest.approx(-0.05),
        "better": "b",
    }
    assert plain["metrics"]["test.acc7"]["better"] == "a"
    assert plain["metrics"]["test.corr"] == {"a": None, "b": 0.5, "delta": None, "better": None}
    assert "-+one" in plain["patch"]


def test_the_table_marks_the_better_value_and_signs_the_delta(two):
    outcome = run_setgf("runs", "diff", "aaaa", "bbbb")

    lines = [" ".join(line.split()) for line in outcome.out.splitlines()]
    assert "optim.lr 0.0005 0.002" in lines
    assert "libraries.torch 2.13.0 2.14.0" in lines
    assert "test.mae 0.900 0.850* -0.050" in lines
    assert "test.acc7 40.00* 38.00 -2.00" in lines
    assert "test.corr undefined 0.500" in lines
    assert "A aaaaaaaa base\\e[31m succeeded" in lines
    assert "\x1b" not in outcome.out


def test_long_changes_are_cut_unless_asked_for():
    for run_id, word in (("aaaaaaaa", "one"), ("bbbbbbbb", "two")):
        diff = "".join(f"+{word} {number}\n" for number in range(50))
        make_run(run_id, environment={"code": {"commit": None, "dirty": True, "diff": diff}})

    out = run_setgf("runs", "diff", "aaaa", "bbbb").out
    whole = run_setgf("runs", "diff", "aaaa", "bbbb", "--code").out

    assert "more lines; `--code` shows all" in out
    assert "++two 49" in whole
    assert "++two 49" not in out


def test_equal_runs_say_so(two):
    outcome = run_setgf("runs", "diff", "aaaa", "aaaaaaaa")

    assert "Both are run aaaaaaaa." in outcome.err
    assert "Settings: the same" in outcome.out


def test_a_run_that_is_not_there_is_named(two):
    outcome = run_setgf("runs", "diff", "aaaa", "zzzz")

    assert outcome.code == 4
    assert "There is no run `zzzz`." in outcome.err
    assert outcome.out == ""
