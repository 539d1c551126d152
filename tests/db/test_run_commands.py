"""`setgf runs` and `setgf gc` on a database server: the same as on a file."""

import csv
import io
import os

import pytest

from tests.cli.command import run_setgf
from tests.cli.run_folders import Sample, make_run


@pytest.fixture(autouse=True)
def server(empty_url, monkeypatch):
    """The command line's database is on the server."""
    monkeypatch.setenv("SETGF_DATABASE_URL", empty_url)


def test_chosen_columns_filters_and_orders():
    make_run("aaaaaaaa", metrics={"test.mae": 0.5}, points={"valid.mae": [2.0, 1.0]}, tags=("x",))
    make_run("bbbbbbbb", settings={"optim.lr": 0.002}, metrics={"test.corr": 0.5})
    columns = "id,optim.lr,text.finetune,test.mae,best.valid.mae,tags,archived,group,duration"

    def rows(*options):
        out = run_setgf("runs", "list", "--columns", columns, "--format", "csv", *options).out
        return list(csv.DictReader(io.StringIO(out)))

    found = {row["id"]: row for row in rows("--sort", "test.mae, -optim.lr")}
    assert list(found) == ["aaaaaaaa", "bbbbbbbb"]
    assert (found["aaaaaaaa"]["test.mae"], found["bbbbbbbb"]["test.mae"]) == ("0.5", "")
    assert found["bbbbbbbb"]["optim.lr"] == "0.002"
    assert found["aaaaaaaa"]["best.valid.mae"] == "1.0"
    assert (found["aaaaaaaa"]["tags"], found["aaaaaaaa"]["archived"]) == ("x", "false")
    assert found["aaaaaaaa"]["text.finetune"] == "true"
    assert [row["id"] for row in rows("--where", "optim.lr > 0.001")] == ["bbbbbbbb"]


def test_delete_restore_and_gc():
    folder = make_run("aaaaaaaa", checkpoints=("best-1", "last-1", "last-2"))

    assert run_setgf("runs", "delete", "aaaa", "--yes").code == 0
    assert "aaaaaaaa" in run_setgf("runs", "list", "--trash").out
    assert run_setgf("runs", "restore", "aaaa").code == 0
    assert run_setgf("gc", "--apply").code == 0
    assert len(list(folder.path.rglob("*.pt"))) == 2
    run_setgf("runs", "delete", "aaaa", "--yes")
    assert run_setgf("gc", "--trash-older-than", "0d", "--apply").code == 0
    assert run_setgf("runs", "show", "aaaa").code == 4


def test_export_and_import(tmp_path, monkeypatch):
    make_run("aaaaaaaa", points={"train.loss": [3.0, 2.0]}, predictions=[Sample("v", 1.0, 0.5)])
    file = tmp_path / "runs.jsonl"
    assert run_setgf("runs", "export", "--what", "all", "-o", file).code == 0
    before = file.read_text()
    url = os.environ.pop("SETGF_DATABASE_URL")
    monkeypatch.setenv("SETGF_HOME", str(tmp_path / "other"))
    assert run_setgf("runs", "import", file).code == 0
    assert run_setgf("runs", "export", "--what", "all").out == before
    monkeypatch.setenv("SETGF_DATABASE_URL", url)

    assert run_setgf("runs", "import", file).err.startswith("1 run already here")
