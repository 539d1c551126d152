"""`setgf runs list`: chosen columns, orders and formats, and their agreement with filters."""

import csv
import io
import json
import os
import subprocess
import sys
from dataclasses import asdict, fields

import pytest

from db.filter_names import COLUMNS
from db.query import open as open_query
from db.records import JobState, Run
from db.run_list import TAGS
from tests.cli.command import run_setgf
from tests.cli.stored import store_run


@pytest.fixture
def runs():
    """Three runs; the second has no metrics yet."""
    store_run(
        "aaaaaaaa",
        metrics={"test.acc7": 0.41, "test.mae": 0.9},
        series={"valid.mae": [1.5, 1.2, 1.3], "valid.acc7": [0.1, 0.3, 0.2]},
        settings={"optim.lr": 0.002},
    )
    store_run("bbbbbbbb", seed=7, state=JobState.RUNNING, created_at=2000.0)
    store_run("cccccccc", model="text_only", metrics={"test.mae": 0.8}, created_at=3000.0)


def csv_rows(*options):
    return list(
        csv.DictReader(io.StringIO(run_setgf("runs", "list", "--format", "csv", *options).out))
    )


def test_columns_may_be_settings_metrics_and_summaries(runs):
    columns = "id,optim.lr,lr,test.acc7,valid.mae,best.valid.mae,best.valid.acc7,last.valid.mae"

    rows = run_setgf("runs", "list", "--json", "--columns", columns, "--sort", "id").json

    assert rows[0] == {
        "id": "aaaaaaaa",
        "optim.lr": 0.002,
        "lr": 0.002,
        "test.acc7": 0.41,
        "valid.mae": 1.3,
        "best.valid.mae": 1.2,
        "best.valid.acc7": 0.3,
        "last.valid.mae": 1.3,
    }
    assert rows[1]["test.acc7"] is None


def test_settings_keep_their_type(runs):
    store_run("dddddddd", data="1234", settings={"text.finetune": False}, created_at=9000.0)

    columns = "data.name,text.finetune,max_epochs,data.modalities,archived"
    (row, *_) = run_setgf("runs", "list", "--json", "--columns", columns).json

    assert row == {
        "data.name": "1234",
        "text.finetune": False,
        "max_epochs": 30,
        "data.modalities": "text,audio,vision",
        "archived": False,
    }


def test_the_table_shows_chosen_columns_for_people(runs):
    run_setgf("runs", "tag", "cccccccc", "good", "paper")

    out = run_setgf("runs", "list", "--columns", "id,tags,test.mae,test.acc7,created").out

    lines = out.splitlines()
    assert lines[0].split() == ["id", "tags", "test.mae", "test.acc7", "created"]
    assert lines[1].startswith("cccccccc  good, paper     0.800          -  1970-01-01")
    assert "41.00" in lines[3]


def test_csv_is_unrounded_with_empty_cells_for_what_is_missing(runs):
    rows = csv_rows("--columns", "id,test.mae,archived")

    assert [row["test.mae"] for row in rows] == ["0.8", "", "0.9"]
    assert rows[0]["archived"] == "false"


def test_missing_values_come_last_in_either_direction(runs):
    for sort in ("test.mae", "-test.mae", "test.mae desc"):
        assert csv_rows("--columns", "id", "--sort", sort)[-1]["id"] == "bbbbbbbb"
    assert csv_rows("--columns", "id", "--sort", "-test.mae")[0]["id"] == "aaaaaaaa"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ("--columns", "id,test.mea"),
            "nothing called `test.mea`. Did you mean `test.mae`",
        ),
        (("--columns", " , "), "must name columns, settings or metrics"),
        (("--sort", "optim.rl"), "There is nothing called `optim.rl`. Did you mean `optim.lr`"),
        (("--sort", "tag"), "A run has many tags; they give no order."),
        (("--format", "csv", "--json"), "not both"),
    ],
)
def test_a_name_that_means_nothing_is_refused_with_the_nearest(runs, options, message):
    outcome = run_setgf("runs", "list", *options)

    assert outcome.code == 2
    assert outcome.out == ""
    assert message in outcome.err


def test_the_wrong_column_is_pointed_at(runs):
    lines = run_setgf("runs", "list", "--columns", "id,seed,test.mea").err.splitlines()

    shown, carets = lines[-2], lines[-1]
    assert shown[carets.index("^") :].startswith("test.mea")


def test_lists_and_filters_mean_the_same_by_every_name(runs):
    names = [name for name in COLUMNS if name not in TAGS]
    names += ["optim.lr", "lr", "test.mae", "best.valid.mae", "last.valid.acc7", "model.name"]
    url = f"sqlite:///{os.environ['SETGF_HOME']}/setgf.db"
    with open_query(url) as query:
        for name in names:
            for sort in (name, f"-{name}"):
                expected = [run.id for run in query.runs(sort=sort)]
                assert [r["id"] for r in csv_rows("--columns", "id", "--sort", sort)] == expected, (
                    sort
                )
            shown = {row["id"]: row[name] for row in csv_rows("--columns", f"id,{name}")}
            missing = {run.id for run in query.runs(where=f"{name} == null")}
            assert {run_id for run_id, value in shown.items() if value == ""} >= missing, name


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--where", "test.mae < 0.85 or name ~ '11$'", "--sort", "-test.mae"),
        ("--where", "not has x and created < 0.1d", "--limit", "2"),
        ("--where", "state in [running, queued]", "--sort", "created desc"),
    ],
)
def test_the_quick_way_and_the_engine_give_the_same_rows(runs, monkeypatch, options):
    columns = "id,name,tags,optim.lr,test.mae,best.valid.mae,archived,created,duration"
    command = ("runs", "list", "--columns", columns, "--format", "csv", *options)

    quick = run_setgf(*command).out
    monkeypatch.setattr("setgf.cli.run_table._open_file", lambda url: None)

    assert quick == run_setgf(*command).out


def test_json_has_every_field_of_a_run_as_python_reads_it(runs):
    run_setgf("runs", "tag", "aaaa", "good", "best")
    url = f"sqlite:///{os.environ['SETGF_HOME']}/setgf.db"
    with open_query(url) as query:
        expected = json.loads(json.dumps([asdict(run) for run in query.runs(sort="id")]))

    assert run_setgf("runs", "list", "--json", "--sort", "id").json == expected
    assert [field.name for field in fields(Run)] == list(expected[0])


def test_text_of_users_is_shown_and_not_obeyed(runs):
    run_setgf("runs", "rename", "aaaaaaaa", "red \x1b[31m'quoted\"\nnext\u202e")
    run_setgf("runs", "note", "aaaaaaaa", "a\x1b]0;title\x07b\nsecond")

    table = run_setgf("runs", "list").out
    shown = run_setgf("runs", "show", "aaaaaaaa").out

    assert "red \\e[31m'quoted\"\\nnext\\u202e" in table
    assert "\x1b" not in table + shown
    assert "a\\e]0;title\\u0007b" in shown
    assert len(table.splitlines()) == 4
    (row,) = run_setgf(
        "runs", "list", "--json", "--columns", "name", "--where", 'id == "aaaaaaaa"'
    ).json
    assert row["name"] == "red \x1b[31m'quoted\"\nnext\u202e"


@pytest.mark.parametrize("text", ["'; DROP TABLE runs; --", '"', "%s {0} \\", "名字"])
def test_text_that_looks_like_code_is_text(runs, text):
    assert run_setgf("runs", "rename", "aaaaaaaa", text).code == 0
    outcome = run_setgf("runs", "list", "--columns", f"name,{text}")

    assert outcome.code == 2
    assert (
        run_setgf("runs", "list", "--columns", "name", "--sort", "id", "--format", "csv").code == 0
    )
    assert len(run_setgf("runs", "list", "--json").json) == 3


@pytest.mark.parametrize("name", ["", "  ", "\udcff", "a\x00b"])
def test_a_name_that_can_not_be_stored_is_refused(runs, name):
    outcome = run_setgf("runs", "rename", "aaaaaaaa", name)

    assert outcome.code == 2
    assert "The name" in outcome.err or "A run's name" in outcome.err
    assert run_setgf("runs", "show", "aaaaaaaa", "--json").json["run"]["name"] == "setgf-1111"


def test_a_list_of_a_thousand_runs_takes_little_time(home):
    for place in range(20):
        store_run(f"{place:02}aaaaaa", seed=place, metrics={"test.mae": place / 20})
    _multiply(home, 50)

    seconds = min(_cpu_seconds(home) for _ in range(3))

    # 150 ms of CPU on the machine this was written on; SQLAlchemy alone would take 270.
    assert seconds < 1.0


def test_a_plain_list_loads_no_sqlalchemy(runs, home):
    script = (
        "import sys; from setgf.cli.main import app\n"
        "try: app(['runs', 'list', '--sort', '-test.mae', '--where', 'test.mae < 9'])\n"
        "except SystemExit as left: assert not left.code\n"
        "assert 'sqlalchemy' not in sys.modules and 'rich' not in sys.modules"
    )

    finished = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)

    assert finished.returncode == 0, finished.stderr.decode()


def _multiply(home, times):
    import sqlite3

    connection = sqlite3.connect(home / "setgf.db")
    for table, key in (("runs", "id"), ("settings", "run_id"), ("final_metrics", "run_id")):
        columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
        rest = ", ".join(column for column in columns if column != key)
        connection.execute(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n "
            f"WHERE i < {times - 1}) "
            f"INSERT INTO {table} ({key}, {rest}) SELECT {key} || i, {rest} FROM {table}, n"
        )
    connection.commit()
    assert connection.execute("SELECT count(*) FROM runs").fetchone()[0] == 20 * times
    connection.close()


def _cpu_seconds(home):
    before = os.times()
    finished = subprocess.run(
        [sys.executable, "-m", "setgf.cli.main", "runs", "list"], capture_output=True, check=True
    )
    after = os.times()
    assert len(finished.stdout.splitlines()) == 1001
    return (
        after.children_user - before.children_user + after.children_system - before.children_system
    )


@pytest.mark.parametrize(
    "words",
    [
        *(
            ("runs", name)
            for name in ["list", "show", "tag", "note", "rename", "archive", "delete", "restore"]
        ),
        *(("runs", name) for name in ["diff", "repro", "export", "import"]),
        ("gc",),
        ("compare",),
        ("metrics",),
    ],
)
def test_every_help_has_an_example(words):
    outcome = run_setgf(*words, "--help")

    assert outcome.code == 0
    assert f"Example: setgf {' '.join(words)}" in " ".join(outcome.out.split())
