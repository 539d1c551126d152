"""`setgf eval`: stored metrics come out again; missing modalities; the test split is guarded."""

from __future__ import annotations

import csv
import io
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from db.engine import open_database
from db.query import Query
from setgf.data.synthetic import synthesise
from setgf.home import Home
from setgf.runs.evaluations import read_evaluations
from setgf.runs.folder import RunFolder
from setgf.runs.reader import read_events
from setgf.terms import Dataset, Split
from tests.cli.command import run_setgf
from tests.cli.conftest import SIZES, Trained, train

USAGE, DATA, GONE, UNKNOWN = 2, 3, 1, 4


def stored_metrics(trained: Trained, run_id: str) -> dict[str, float]:
    (attempt,) = RunFolder(trained.run_path(run_id)).attempts()
    (finished,) = [event for event in read_events(attempt) if event["kind"] == "finished"]
    return finished["metrics"]


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


@pytest.mark.parametrize("which", ["setgf", "frozen"])
@pytest.mark.parametrize("split", ["valid", "test"])
def test_the_stored_metrics_come_out_again_to_the_last_digit(
    trained: Trained, which: str, split: str
) -> None:
    run_id = getattr(trained, which)

    outcome = run_setgf("eval", run_id, "--split", split, "--csv")

    assert outcome.code == 0, outcome.err
    found = {row["metric"]: row["value"] for row in rows_of(outcome.out)}
    stored = stored_metrics(trained, run_id)
    assert found == {name: repr(v) for name, v in stored.items() if name.startswith(split)}


def test_a_table_says_what_was_stored_and_that_nothing_differs(trained: Trained) -> None:
    outcome = run_setgf("eval", trained.setgf[:5])

    lines = outcome.out.splitlines()
    assert lines[0].split() == ["metric", "again", "stored", "difference"]
    mae = stored_metrics(trained, trained.setgf)["test.mae"]
    assert f"mae {mae:.4f} {mae:.4f} +0.0000".split() in [line.split() for line in lines]
    assert "Equal to what the run stored (largest difference 0.0e+00)" in outcome.err


def test_what_is_found_is_kept_apart_from_the_runs_own_metrics(own_trained: Trained) -> None:
    folder = RunFolder(own_trained.run_path(own_trained.setgf))
    events = (folder.path / "a1" / "events.jsonl").read_bytes()

    first = run_setgf("eval", folder.id, "--drop", "audio", "--json")
    second = run_setgf("eval", folder.id)

    kept = read_evaluations(folder)
    assert [(one["split"], one["drop"]) for one in kept] == [("test", ["audio"]), ("test", [])]
    assert kept[0]["metrics"] == first.json["metrics"]
    assert kept[0]["data"]["is_own"]
    assert (folder.path / "a1" / "events.jsonl").read_bytes() == events
    with Query(open_database(Home(own_trained.home).database_url)) as query:
        stored = stored_metrics(own_trained, folder.id)
        assert query.run(folder.id).metrics["test.mae"] == stored["test.mae"]
        said = [event.why for event in query.events() if event.run_id == folder.id]
    assert "evaluated on test of made_up without audio" in said
    assert "had scored the test split of this run once before" not in first.err
    assert "had scored the test split of this run once before" in second.err
    listed = run_setgf("eval", folder.id, "--list")
    assert [line.split()[3:5] for line in listed.out.splitlines()[1:]] == [["test", "made_up"]] * 2
    assert run_setgf("eval", folder.id, "--list", "--json").json == kept


def test_a_run_without_a_database_is_scored_all_the_same(own_trained: Trained) -> None:
    (own_trained.home / "setgf.db").unlink()

    assert run_setgf("eval", own_trained.setgf).code == 0
    assert not (own_trained.home / "setgf.db").exists()


def test_dropped_modalities_are_what_a_text_alone_is_scored_as(trained: Trained) -> None:
    from setgf.data.store import open_store
    from setgf.metrics import score

    data = open_store(Home(trained.home), "made_up").split(Split.TEST)
    asked = [part for text in data.transcripts for part in ("--text", text)]
    told = run_setgf("predict", trained.setgf, *asked, "--json").json["samples"]
    scores = [one["score"] for one in told]

    found = run_setgf("eval", trained.setgf, "--drop", "vision,audio", "--json").json["metrics"]

    wanted = score(Dataset.MOSI, scores, data.labels)
    assert {name: found[f"test.{name}"] for name in ("mae", "acc7")} == pytest.approx(
        {name: wanted[name] for name in ("mae", "acc7")}, abs=1e-5
    )
    assert found["test.mae"] != stored_metrics(trained, trained.setgf)["test.mae"]


def test_rates_of_missing_modalities_are_drawn_and_written(
    trained: Trained, tmp_path: Path
) -> None:
    picture = tmp_path / "curve.svg"
    words = ("--missing-rate", "0,0.5,1", "--missing-seeds", "3", "--split", "valid")

    outcome = run_setgf("eval", trained.setgf, *words, "--save-plot", picture, "-m", "corr")
    table = rows_of(run_setgf("eval", trained.setgf, *words, "--csv").out)
    text = tmp_path / "curve.txt"
    plain = run_setgf("eval", trained.setgf, *words, "--save-plot", text, "--json").json

    assert outcome.code == 0, outcome.err
    assert [line.split()[0] for line in outcome.out.splitlines()[:4]] == ["rate", "0", "0.5", "1"]
    assert "valid.corr  by missing rate" in outcome.out
    assert picture.read_text().startswith("<svg")
    assert text.read_text().startswith("valid.mae  by missing rate")
    mae = {float(row["rate"]): row for row in table if row["metric"] == "valid.mae"}
    stored = stored_metrics(trained, trained.setgf)
    assert float(mae[0.0]["mean"]) == pytest.approx(stored["valid.mae"], abs=1e-6)
    assert (mae[0.0]["sd"], mae[0.0]["n"], mae[0.0]["missing_share"]) == ("0.0", "3", "0.0")
    assert float(mae[0.5]["sd"]) > 0
    assert [float(mae[rate]["missing_share"]) for rate in (0.0, 1.0)] == [0, 1]
    assert [point["mean"]["valid.mae"] for point in plain["metrics"]] == pytest.approx(
        [float(mae[rate]["mean"]) for rate in (0.0, 0.5, 1.0)]
    )
    assert len(plain["metrics"][1]["values"]["valid.mae"]) == 3
    # With nothing left, all samples are alike.
    assert plain["metrics"][2]["mean"]["valid.corr"] is None


def test_a_frozen_encoders_memory_does_not_bring_a_missing_text_back(trained: Trained) -> None:
    words = ("eval", trained.frozen, "--split", "valid", "--csv")

    after = rows_of(run_setgf(*words, "--missing-rate", "0,0.5,0.9", "--missing-seeds", "2").out)
    alone = rows_of(run_setgf(*words, "--missing-rate", "0.9", "--missing-seeds", "2").out)

    assert [row for row in after if row["rate"] == "0.9"] == alone


def test_other_data_of_the_same_kind_is_scored_and_told_apart(own_trained: Trained) -> None:
    synthesise(Home(own_trained.home), "other", Dataset.MOSI, sizes=SIZES, seed=9)

    outcome = run_setgf("eval", own_trained.setgf, "--data", "other", "--split", "valid")

    assert outcome.code == 0, outcome.err
    assert outcome.out.splitlines()[0].split() == ["metric", "other"]
    (kept,) = read_evaluations(RunFolder(own_trained.run_path(own_trained.setgf)))
    assert kept["data"]["name"] == "other"
    assert not kept["data"]["is_own"]


@pytest.fixture
def stopped(own_trained: Trained, monkeypatch: pytest.MonkeyPatch) -> str:
    """The finished run, as it would be before its last event."""
    path = own_trained.run_path(own_trained.setgf) / "a1" / "events.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(line for line in lines if '"kind": "finished"' not in line))
    return own_trained.setgf


def test_the_test_split_of_an_unfinished_run_stays_closed(stopped: str) -> None:
    closed = run_setgf("eval", stopped)
    opened = run_setgf("eval", stopped, "--split", "valid")

    assert (closed.code, closed.out) == (USAGE, "")
    assert f"Run {stopped} is not finished, so its best epoch is not fixed" in closed.err
    assert f"setgf train --resume {stopped}" in closed.err
    assert opened.code == 0
    assert opened.out.splitlines()[0].split() == ["metric", "made_up"]


REFUSED: list[tuple[str, int, str]] = [
    ("nothere1", UNKNOWN, "No run folder `nothere1`"),
    ("x", UNKNOWN, "No run `x`"),
    ("RUN --drop speech", USAGE, "`--drop` must name text, audio or vision"),
    ("RUN --drop text,audio,vision", USAGE, "all the model looks at; leave one"),
    ("FROZEN --drop none", USAGE, "but names `none`"),
    ("RUN --missing-rate 2", USAGE, "`--missing-rate` must be shares from 0 to 1"),
    ("RUN --missing-rate 0.9-0", USAGE, "must be shares from 0 to 1"),
    ("RUN --missing-rate much", USAGE, "but is `much`"),
    ("RUN --missing-rate 0-0.9 --missing-seeds 1001", USAGE, "missing-seeds"),
    ("RUN --missing-seeds 3", USAGE, "`--missing-seeds` goes with `--missing-rate`"),
    ("RUN --keep-one", USAGE, "`--keep-one` goes with `--missing-rate`"),
    ("RUN --save-plot p.svg", USAGE, "`--save-plot` goes with `--missing-rate`"),
    ("RUN --missing-rate 0-1 --save-plot p.png", USAGE, "but the file is `p.png`"),
    ("RUN --missing-rate 0-1 --save-plot none/p.svg", USAGE, "there is no folder none"),
    ("RUN --metric mae", USAGE, "`--metric` goes with `--missing-rate`"),
    ("RUN --missing-rate 0-1 --metric acc9", USAGE, "`acc9`, which is not defined on mosi"),
    ("FROZEN --missing-rate 0.5 --metric audio.mae", USAGE, "no branch with a metric `audio.mae`"),
    ("RUN --split train", USAGE, "train"),
    ("RUN --json --csv", USAGE, "either `--json` or `--csv`"),
    ("RUN --data none", DATA, "No feature store named `none`"),
    ("RUN --data sims", DATA, "with labels from -1 to 1, but the run was trained on mosi"),
    ("RUN --data wide", DATA, "but the model was trained on frames of 5"),
    ("RUN --device cuda", USAGE, "this process sees no GPU"),
]


def test_what_can_not_be_scored_is_refused_in_one_sentence(own_trained: Trained) -> None:
    home = Home(own_trained.home)
    small = dict.fromkeys(Split, 3)
    synthesise(home, "sims", Dataset.SIMS, sizes=small, seed=1)
    synthesise(home, "wide", Dataset.MOSEI, sizes=small, seed=1)
    for words, code, sentence in REFUSED:
        named = words.replace("RUN", own_trained.setgf).replace("FROZEN", own_trained.frozen)

        outcome = run_setgf("eval", *named.split())

        assert (outcome.code, outcome.out) == (code, ""), (words, outcome)
        assert outcome.err.startswith("setgf: error: "), words
        assert sentence in outcome.err, words
    assert read_evaluations(RunFolder(own_trained.run_path(own_trained.setgf))) == []


def break_run(trained: Trained, what: str) -> None:
    run = trained.run_path(trained.setgf)
    store = trained.home / "data" / "made_up"
    (best,) = sorted((run / "a1" / "checkpoints").glob("best-*.pt"))[-1:]
    if what == "gone":
        best.unlink()
    elif what == "torn":
        best.write_bytes(best.read_bytes()[:-100])
    elif what == "no store":
        shutil.rmtree(store)
    elif what == "other store":
        shutil.rmtree(store)
        synthesise(Home(trained.home), "made_up", Dataset.MOSI, sizes=SIZES, seed=4)
    elif what == "imported":
        (run / "imported.json").write_text("{}")
    elif what == "not begun":
        shutil.rmtree(run / "a1")
    elif what == "later settings":
        config: dict[str, Any] = json.loads((run / "config.json").read_text())
        config["model"]["colour"] = "red"
        (run / "config.json").write_text(json.dumps(config))


BROKEN = [
    ("gone", GONE, ("The best weights of run", "setgf runs repro")),
    ("torn", GONE, ("is damaged: its SHA-256",)),
    ("no store", DATA, ("No feature store named `made_up`",)),
    ("other store", DATA, ("is not the one run", "Import the data of that time again")),
    ("imported", USAGE, ("was trained elsewhere and imported",)),
    ("not begun", USAGE, ("has not begun to train",)),
    ("later settings", USAGE, ("Unknown setting `model.colour`",)),
]


@pytest.mark.parametrize(("what", "code", "parts"), BROKEN, ids=[one[0] for one in BROKEN])
def test_a_run_that_can_not_be_loaded_says_why(
    own_trained: Trained, what: str, code: int, parts: tuple[str, ...]
) -> None:
    break_run(own_trained, what)

    for command in (("eval",), ("predict", "--text", "good")):
        outcome = run_setgf(command[0], own_trained.setgf, *command[1:])

        assert (outcome.code, outcome.out) == (code, ""), outcome
        assert all(part in outcome.err for part in parts), outcome.err


def test_a_missing_encoder_is_named(own_trained: Trained, monkeypatch: pytest.MonkeyPatch) -> None:
    config = own_trained.run_path(own_trained.frozen) / "config.json"
    plain: dict[str, Any] = json.loads(config.read_text())
    moved = own_trained.encoder.with_name("moved")
    own_trained.encoder.rename(moved)
    try:
        outcome = run_setgf("eval", own_trained.frozen)
    finally:
        moved.rename(own_trained.encoder)

    assert outcome.code == DATA
    assert f"No text encoder folder at `{plain['text']['encoder']}`" in outcome.err


def test_a_floor_has_no_weights_to_score(trained: Trained) -> None:
    run_id = train("median")

    outcome = run_setgf("eval", run_id)

    assert outcome.code == USAGE
    assert "is the floor `median`" in outcome.err
