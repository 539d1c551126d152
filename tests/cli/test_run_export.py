"""`setgf runs export`: unrounded and in full; what is imported again is what was exported."""

import csv
import io
import json
import math
import os
import tempfile
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from setgf.runs.exchange import FORMAT, to_json
from tests.cli.command import run_setgf
from tests.cli.run_folders import Sample, make_run
from tests.cli.stored import store_run


@pytest.fixture
def runs():
    """Two runs with points, one with predictions."""
    make_run(
        "aaaaaaaa",
        name='a "name",\nof two lines',
        points={"train.loss": [1 / 3, math.nan, -math.inf], "valid.mae": [0.5]},
        predictions=[Sample("v_1", 1.0, 0.1, text=0.2, audio=-0.3)],
        metrics={"test.mae": 2 / 3, "test.corr": math.nan},
        tags=("b", "a"),
    )
    make_run("bbbbbbbb", settings={"optim.lr": 0.002}, points={"train.loss": [2.0]})


def table(*options):
    return list(csv.DictReader(io.StringIO(run_setgf("runs", "export", *options).out)))


def lines(*options):
    out = run_setgf("runs", "export", "--format", "jsonl", *options).out
    return [json.loads(line) for line in out.splitlines()]


def test_runs_are_rows_with_settings_and_metrics_as_columns(runs):
    rows = {row["id"]: row for row in table()}

    first = rows["aaaaaaaa"]
    assert first["name"] == 'a "name",\nof two lines'
    assert first["metrics.test.mae"] == repr(2 / 3)
    assert first["metrics.test.corr"] == "nan"
    assert first["tags"] == "a,b"
    assert rows["bbbbbbbb"]["config.optim.lr"] == "0.002"
    assert rows["bbbbbbbb"]["archived"] == "false"


def test_points_are_all_there_with_all_digits(runs):
    rows = table("aaaa", "--what", "points")

    assert [(row["series"], row["step"], row["value"]) for row in rows] == [
        ("train.loss", "1", repr(1 / 3)),
        ("train.loss", "2", "nan"),
        ("train.loss", "3", "-inf"),
        ("valid.mae", "1", "0.5"),
    ]
    values = [line["value"] for line in lines("aaaa", "--what", "points")]
    assert values[:2] == [1 / 3, None]
    assert values[2] == -math.inf


def test_predictions_and_settings_are_rows(runs):
    (row,) = table("--what", "predictions")

    assert row == {
        "run_id": "aaaaaaaa",
        "split": "test",
        "sample_id": "v_1",
        "label": "1.0",
        "prediction": "0.1",
        "text": "0.2",
        "audio": "-0.3",
        "vision": "",
    }
    settings_of = {r["setting"]: r["value"] for r in table("bbbb", "--what", "config")}
    assert settings_of["optim.lr"] == "0.002"
    assert settings_of["data.modalities"] == "text,audio,vision"
    assert lines("bbbb", "--what", "config")[0]["config"]["optim"]["lr"] == 0.002


@pytest.mark.parametrize("sample_id", ["a\rb", "a\nb", 'a"b', "a,b", " a ", "\u2028", ""])
def test_any_sample_id_comes_through_recorder_database_and_export(sample_id):
    make_run("aaaaaaaa", predictions=[Sample(sample_id, 1.0, 0.5)])

    assert [row["sample_id"] for row in lines("--what", "predictions")] == [sample_id]
    assert [row["sample_id"] for row in table("--what", "predictions")] == [sample_id]


def test_runs_are_chosen_by_id_or_filter(runs):
    assert [row["id"] for row in table("bbbb", "aaaa")] == ["bbbbbbbb", "aaaaaaaa"]
    assert [row["id"] for row in table("--where", "optim.lr > 0.001")] == ["bbbbbbbb"]
    run_setgf("runs", "archive", "aaaa")
    assert len(table()) == 1
    assert len(table("--archived")) == 2


def test_the_format_follows_the_name_and_a_file_is_never_replaced_unasked(runs, tmp_path):
    file = tmp_path / "out.jsonl"

    outcome = run_setgf("runs", "export", "--what", "points", "-o", file)

    assert "Wrote points of 2 runs" in outcome.err
    assert json.loads(file.read_text().splitlines()[0])["series"] == "train.loss"
    again = run_setgf("runs", "export", "-o", file)
    assert again.code == 2
    assert "is there already" in again.err
    assert run_setgf("runs", "export", "-o", file, "--force").code == 0
    assert json.loads(file.read_text().splitlines()[0])["kind"] == "run"
    assert [path.name for path in tmp_path.iterdir()] == ["out.jsonl"]


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (("--what", "all", "--format", "csv"), 2, "All of a run does not fit into one csv table"),
        (("aaaa", "--where", "seed == 1"), 2, "not both"),
        (("zzzz",), 4, "There is no run `zzzz`"),
        (("--where", "seed ="), 2, "setgf: error:"),
        (("-o", "/no/such/folder/x.csv"), 1, "No such file or directory"),
    ],
)
def test_what_can_not_be_exported_is_one_sentence(runs, options, code, message):
    outcome = run_setgf("runs", "export", *options)

    assert (outcome.code, outcome.out) == (code, "")
    assert message in outcome.err


@pytest.mark.skipif(find_spec("pyarrow") is not None, reason="pyarrow is installed")
def test_parquet_without_pyarrow_says_what_to_install(runs, tmp_path):
    outcome = run_setgf("runs", "export", "-o", tmp_path / "runs.parquet")

    assert outcome.code == 2
    assert "Install it with `pip install pyarrow`" in outcome.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(find_spec("pyarrow") is None, reason="pyarrow is not installed")
@pytest.mark.parametrize("what", ["runs", "points", "predictions", "config"])
def test_parquet_holds_what_csv_holds(runs, tmp_path, what):
    parquet = import_module("pyarrow.parquet")

    file = tmp_path / "out.parquet"
    assert run_setgf("runs", "export", "--what", what, "-o", file).code == 0

    rows = parquet.read_table(file).to_pylist()

    expected = table("--what", what)
    assert [list(row) for row in rows] == [list(row) for row in expected]
    for row, shown in zip(rows, expected, strict=True):
        for name, value in row.items():
            text = "" if value is None else str(value).lower() if value is True else str(value)
            assert text.lower() == shown[name].lower(), name


def test_an_export_of_everything_says_its_format(runs):
    first, *_ = lines("--what", "all")

    assert (first["kind"], first["format"]) == ("run", FORMAT)


TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=20)
FLOAT = st.floats(width=64)
NUMBER = st.floats(allow_nan=False, allow_infinity=False)
MOMENT = st.integers(0, 4 * 10**12).map(lambda milliseconds: milliseconds / 1000)
"""Of a point; times are kept in whole milliseconds."""
POINTS = st.dictionaries(
    st.from_regex(r"\A(train|valid)(\.text)?\.[a-z_]{1,8}\Z"),
    st.dictionaries(
        st.integers(0, 2**32 - 1),
        st.tuples(st.integers(0, 2**16 - 1), FLOAT, MOMENT),
        min_size=1,
        max_size=6,
    ),
    max_size=4,
)
ROWS = st.lists(
    st.tuples(TEXT, NUMBER, FLOAT.filter(lambda x: not math.isnan(x)), *[st.none() | NUMBER] * 3),
    max_size=4,
)


@st.composite
def exports(draw):
    """Lines of an export of up to two runs."""
    entries = []
    for run_id in draw(st.sets(st.from_regex(r"\A[a-z0-9]{8}\Z"), min_size=1, max_size=2)):
        entries.append(
            {
                "kind": "run",
                "format": FORMAT,
                "id": run_id,
                "name": draw(TEXT),
                "dataset": draw(st.sampled_from(["mosi", "sims", "other"])),
                "data_name": draw(TEXT),
                "model": draw(TEXT),
                "seed": draw(st.integers(-(2**63) + 1, 2**63 - 1)),
                "fingerprint": "f" * 12,
                "variant": "v" * 12,
                "max_epochs": draw(st.integers(0, 1000)),
                "monitor": "mae",
                "created_at": draw(st.floats(0, 4e9)),
                "config": {"imported": draw(st.dictionaries(TEXT, TEXT | NUMBER | st.booleans()))},
                "metrics": draw(st.dictionaries(TEXT, FLOAT, max_size=4)),
                "state": draw(st.sampled_from(["succeeded", "failed", "cancelled", "lost"])),
                "group_name": draw(st.none() | TEXT.filter(bool)),
                "tags": sorted(draw(st.sets(st.from_regex(r"\A[a-z]{1,5}\Z"), max_size=3))),
                "command": draw(st.lists(TEXT, max_size=3)),
                "environment": draw(st.dictionaries(TEXT, TEXT, max_size=2)),
                "code": {"commit": None, "dirty": draw(st.booleans()), "diff": draw(TEXT)},
                "error": draw(st.none() | TEXT),
                "note": draw(TEXT),
                "archived": draw(st.booleans()),
                "epoch": draw(st.integers(0, 100)),
                "step": draw(st.integers(0, 10**9)),
                "best_epoch": draw(st.none() | st.integers(1, 100)),
                "best_valid": draw(st.none() | NUMBER),
                "started_at": draw(st.none() | st.floats(0, 4e9)),
                "finished_at": draw(st.none() | st.floats(0, 4e9)),
                "host": draw(st.none() | TEXT),
                "device": draw(st.none() | TEXT),
                "parameters": draw(st.none() | st.integers(0, 2**62)),
                "data_fingerprint": draw(st.none() | TEXT),
            }
        )
        for name, points in sorted(draw(POINTS).items()):
            steps = sorted(points)
            columns = zip(*(points[step] for step in steps), strict=True)
            epochs, values, times = map(list, columns)
            entries.append(
                {
                    "kind": "points",
                    "run_id": run_id,
                    "series": name,
                    "steps": steps,
                    "epochs": epochs,
                    "values": values,
                    "times": times,
                }
            )
        rows = draw(ROWS)
        if rows:
            entries.append({"kind": "predictions", "run_id": run_id, "split": "test", "rows": rows})
    return "".join(to_json(entry) + "\n" for entry in entries)


def by_run(text):
    """Return the lines of an export by run; the order of runs is that of their age."""
    found = {}
    for line in text.splitlines():
        value = json.loads(line)
        found.setdefault(value.get("run_id") or value["id"], []).append(value)
    return found


@settings(
    max_examples=30,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(exports())
def test_what_is_imported_is_exported_again_the_same(text):
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        for name in ("first", "second"):
            with mock.patch.dict(os.environ, {"SETGF_HOME": str(home / name)}):
                file = home / f"{name}.jsonl"
                file.write_text(text, encoding="utf-8")
                outcome = run_setgf("runs", "import", file)
                assert outcome.code == 0, outcome.err
                exported = run_setgf("runs", "export", "--what", "all", "--archived").out

                assert by_run(exported) == by_run(text)
                text = exported


def test_a_run_without_anything_can_be_exported():
    store_run("aaaaaaaa")

    assert [line["kind"] for line in lines("--what", "all")] == ["run"]
    assert table("--what", "points") == []
