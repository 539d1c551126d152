"""`setgf predict`: what nobody has labelled is scored as it would have been in training's data."""

from __future__ import annotations

import csv
import io
import pickle
from pathlib import Path

import numpy as np
import pytest

from setgf.data.store import open_store
from setgf.home import Home
from setgf.terms import Split
from tests.cli.command import run_setgf
from tests.cli.conftest import Trained

USAGE, DATA, UNKNOWN = 2, 3, 4
BRANCHES = ("prediction", "text", "audio", "vision")


def predictions_of(trained: Trained, run_id: str, split: str) -> list[dict[str, str]]:
    path = trained.run_path(run_id) / "a1" / f"predictions-{split}.csv"
    return list(csv.DictReader(io.StringIO(path.read_text())))


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


@pytest.mark.parametrize("which", ["setgf", "frozen"])
def test_a_store_is_scored_as_the_run_scored_it(trained: Trained, which: str) -> None:
    run_id = getattr(trained, which)

    outcome = run_setgf("predict", run_id, "--data", "made_up", "--csv")

    assert outcome.code == 0, outcome.err
    found, stored = rows_of(outcome.out), predictions_of(trained, run_id, "test")
    assert [row["sample_id"] for row in found] == [row["sample_id"] for row in stored]
    for branch in BRANCHES:
        assert [row[branch] for row in found] == [row[branch] for row in stored]
    assert "9 of 9 texts have more than the 12 word pieces the model reads" in outcome.err


def write_sample(trained: Trained, folder: Path, **changes: object) -> Path:
    """Write the third sample of valid as a toolkit would: raw, padded, without a label."""
    data = open_store(Home(trained.home), "made_up").split(Split.VALID)
    pad = ((0, 4), (0, 0))
    content = {
        "id": "mine",
        "raw_text": data.transcripts[2],
        "audio": np.pad(np.array(data.audio.row(2)), pad),
        "vision": np.pad(np.array(data.vision.row(2)), pad),
    }
    path = folder / "sample.pkl"
    path.write_bytes(pickle.dumps({**content, **changes}, 4))
    return path


def test_a_clip_of_ones_own_is_scored_as_the_same_clip_in_the_data(
    trained: Trained, tmp_path: Path
) -> None:
    sample = write_sample(trained, tmp_path)
    stored = predictions_of(trained, trained.setgf, "valid")[2]

    outcome = run_setgf("predict", trained.setgf, sample, "--json")

    (found,) = outcome.json["samples"]
    assert found["id"] == "mine"
    assert found["modalities"] == ["text", "audio", "vision"]
    scores = [found["branches"][name] for name in ("fusion", "text", "audio", "vision")]
    assert scores == pytest.approx([float(stored[name]) for name in BRANCHES], abs=1e-5)
    assert "missing" not in outcome.err


def test_texts_are_scored_with_their_branches_and_classes(trained: Trained, tmp_path: Path) -> None:
    table = tmp_path / "texts.csv"
    table.write_text('id,text\na,"Good, really good"\nb,awful\n', encoding="utf-8")

    shown = run_setgf("predict", trained.setgf, table)
    words = ("--text", "Good, really good", "--text", "awful", "--json")
    given = run_setgf("predict", trained.setgf, *words)
    written = rows_of(run_setgf("predict", trained.setgf, table, "--csv").out)

    assert shown.code == 0
    lines = shown.out.splitlines()
    heads = "sample score calibrated class of 7 text audio vision transcript"
    assert lines[0].split() == heads.split()
    assert lines[1].endswith("Good, really good")
    assert "Scores are on the scale of mosi: -3 (negative) to 3." in shown.err
    assert "audio and vision are missing in every sample" in shown.err
    first, second = given.json["samples"]
    assert [row["prediction"] for row in written] == [repr(first["score"]), repr(second["score"])]
    assert (first["id"], first["modalities"]) == ("sample1", ["text"])
    assert set(first["classes"]) == {"2", "3", "5", "7"}
    assert written[0]["class7"] == first["classes"]["7"] == str(round(first["score"]))
    assert first["score"] != second["score"]
    slope = (float(written[0]["calibrated"]) - float(written[1]["calibrated"])) / (
        first["score"] - second["score"]
    )
    assert 0 <= slope <= 4
    assert first["calibrated"] == float(written[0]["calibrated"])


def test_a_sample_without_words_is_scored_by_what_it_has(trained: Trained, tmp_path: Path) -> None:
    sample = write_sample(trained, tmp_path, raw_text="  ")

    outcome = run_setgf("predict", trained.setgf, sample, "--json")

    assert outcome.json["samples"][0]["modalities"] == ["audio", "vision"]
    assert "text is missing in every sample and counts as nothing" in outcome.err


def test_features_unlike_the_training_data_are_told(trained: Trained, tmp_path: Path) -> None:
    sample = write_sample(trained, tmp_path, audio=np.full((9, 5), 1e4, np.float32))

    outcome = run_setgf("predict", trained.setgf, sample)

    assert outcome.code == 0
    assert "100% of the audio features lie more than 5 standard deviations" in outcome.err


REFUSED: list[tuple[str, int, str]] = [
    ("RUN", USAGE, "Name what to score"),
    ("RUN sample.pkl --text good", USAGE, "Name what to score"),
    ("RUN --text=", USAGE, "`--text` must not be empty"),
    ("RUN --text good --split valid", USAGE, "`--split` goes with `--data`"),
    ("RUN --text good --encoder some", USAGE, "`--encoder` goes with the folder"),
    ("RUN --text good --json --csv", USAGE, "either `--json` or `--csv`"),
    ("nothere1 --text good", UNKNOWN, "No run folder `nothere1`"),
    ("folder --text good", DATA, "folder holds no exported model: it has no `model.json`"),
    ("./none --text good", DATA, "none holds no exported model"),
    ("RUN none.csv", DATA, "none.csv does not exist"),
    ("RUN other.csv", DATA, "other.csv has no rows with a column `text`"),
    ("RUN empty.csv", DATA, "There is nothing to score in 1 of 2 samples: row2"),
    ("RUN wide.pkl", DATA, "Frames of audio have 7 features, but the model was trained on frames"),
    ("RUN code.pkl", DATA, "refused before anything ran"),
    ("RUN --data none", DATA, "No feature store named `none`"),
]


class Code:
    """Runs when it is unpickled."""

    def __reduce__(self) -> tuple[object, ...]:
        return (print, ("it ran",))


def test_what_can_not_be_scored_is_refused_in_one_sentence(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "other.csv").write_text("id,words\na,good\n")
    (tmp_path / "empty.csv").write_text("text\ngood\n \n")
    wide = write_sample(trained, tmp_path, audio=np.zeros((3, 7), np.float32) + 1)
    wide.rename(tmp_path / "wide.pkl")
    (tmp_path / "code.pkl").write_bytes(pickle.dumps({"raw_text": "good", "audio": Code()}))
    for words, code, sentence in REFUSED:
        outcome = run_setgf("predict", *words.replace("RUN", trained.setgf).split())

        assert (outcome.code, outcome.out) == (code, ""), (words, outcome)
        assert outcome.err.startswith("setgf: error: "), words
        assert sentence in outcome.err, (words, outcome.err)
