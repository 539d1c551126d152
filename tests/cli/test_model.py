"""`setgf model`: what models cost, and exports that need neither store nor database."""

from __future__ import annotations

import doctest
import hashlib
import json
import pickle
import re
import shutil
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from setgf.errors import CheckpointError, DataError, EncoderError
from setgf.model.registry import network_names
from setgf.training import saved_model
from setgf.training.saved_model import load
from tests.cli.command import run_setgf
from tests.cli.conftest import Trained, train
from tests.training.conftest import TINY

USAGE, DATA, GONE, UNKNOWN = 2, 3, 1, 4
TEXTS = ["I loved every minute of it.", "A waste of time."]
SETTINGS = [
    part
    for name, value in TINY.items()
    if name != "data.name"
    for part in ("--set", f"{name}={value}")
]


def scores(trained: Trained, model: object) -> list[dict[str, float]]:
    asked = [part for text in TEXTS for part in ("--text", text)]
    outcome = run_setgf("predict", model, *asked, "--json")
    assert outcome.code == 0, outcome.err
    return [one["branches"] for one in outcome.json["samples"]]


def test_every_model_is_counted_whole_and_in_parts(trained: Trained) -> None:
    words = ("--data", "made_up", "--model", "all", "--json", *SETTINGS)
    outcome = run_setgf("model", "summary", *words)

    assert outcome.code == 0, outcome.err
    found = {one["model"]: one for one in outcome.json}
    assert tuple(found) == network_names()
    for name, one in found.items():
        parts = one["modules"]
        assert 0 < sum(part["parameters"] for part in parts) <= one["parameters"], name
        assert sum(part["flops"] for part in parts) <= one["flops"], name
        assert all(part["weight_bytes"] >= 4 * part["parameters"] for part in parts), name
        assert one["training"]["bytes"] > one["weight_bytes"] + 12 * one["trainable"], name
    heads = {part["name"]: part for part in found["text_only"]["modules"]}["heads"]
    # Three layers on the encoder's 64 values: a product and a sum for every weight.
    sizes = [(64, 16), (16, 16), (16, 1)]
    assert heads["flops"] == 2 * sum(a * b for a, b in sizes)
    assert heads["parameters"] == sum(a * b + b for a, b in sizes)


def test_a_runs_model_is_told_module_by_module(trained: Trained) -> None:
    outcome = run_setgf("model", "summary", trained.frozen, "--depth", "2")

    lines = outcome.out.splitlines()
    assert lines[0].startswith("module")
    assert lines[1].split()[:3] == ["text_encoder", f"{lines[1].split()[1]}", "0"]
    assert any(line.startswith("heads.") for line in lines)
    assert "Training at batch 8 holds about" in outcome.err


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        ("summary", USAGE, "Name either a run, or `--data`"),
        ("summary RUN --data made_up", USAGE, "Name either a run, or `--data`"),
        ("summary RUN --set lr=1", USAGE, "A run has its own model and settings"),
        ("summary --data made_up --model none", USAGE, "No model `none`"),
        ("summary --data made_up --model median", USAGE, "is a floor, computed in closed form"),
        ("summary nothere1", UNKNOWN, "No run folder `nothere1`"),
        ("export nothere1 out", UNKNOWN, "No run folder `nothere1`"),
        ("export RUN .", USAGE, ". is there already, and is no exported model"),
    ],
)
def test_what_can_not_be_told_or_exported_is_refused(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: str, code: int,
    sentence: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.txt").touch()

    outcome = run_setgf("model", *words.replace("RUN", trained.setgf).split())

    assert (outcome.code, outcome.out) == (code, "")
    assert sentence in outcome.err
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


@pytest.fixture(scope="module")
def exported(trained_once: Trained, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Exports `setgf` and `frozen`, made once; nothing may change them."""
    folder = tmp_path_factory.mktemp("exports")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SETGF_HOME", str(trained_once.home))
        for name, run_id in (("setgf", trained_once.setgf), ("frozen", trained_once.frozen)):
            assert run_setgf("model", "export", run_id, folder / name).code == 0
    return folder


@pytest.mark.parametrize("which", ["setgf", "frozen"])
def test_an_export_scores_as_the_run_without_its_home(
    trained: Trained, exported: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, which: str
) -> None:
    from_run = scores(trained, getattr(trained, which))
    monkeypatch.setenv("SETGF_HOME", str(tmp_path / "nothing"))

    assert scores(trained, exported / which) == from_run
    assert not (tmp_path / "nothing").exists()


def test_an_export_holds_nothing_that_runs_code(exported: Path) -> None:
    names = {path.name for path in (exported / "setgf").iterdir()}

    assert names == {"README.md", "model.json", "model.safetensors", "tokenizer.json"}
    with safe_open(exported / "frozen" / "model.safetensors", "pt") as file:
        # A frozen encoder is named, with its hash, and not in the file.
        assert not any(name.startswith("text_encoder") for name in file.keys())  # noqa: SIM118
    plain = json.loads((exported / "frozen" / "model.json").read_text())
    assert len(plain["encoder"]["weights_sha256"]) == 64
    assert plain["facts"]["audio_width"] == 5
    assert len(plain["normaliser"]["audio"]["mean"]) == 5


def test_frames_given_in_python_are_scaled_as_those_of_training(
    trained: Trained, exported: Path
) -> None:
    from setgf.data.store import open_store
    from setgf.home import Home
    from setgf.terms import Branch, Split

    data = open_store(Home(trained.home), "made_up").split(Split.TEST)
    model = load(exported / "setgf", device="cpu")
    rows = range(data.size)

    found = model.predict(
        data.transcripts,
        audio=[np.array(data.audio.row(row)) for row in rows],
        vision=[np.array(data.vision.row(row)) for row in rows],
        ids=data.ids,
    )

    stored = (trained.run_path(trained.setgf) / "a1" / "predictions-test.csv").read_text()
    fusion = [float(line.split(",")[2]) for line in stored.splitlines()[1:]]
    assert found.fusion.tolist() == pytest.approx(fusion, abs=1e-5)
    assert found.ids == data.ids
    without = model.predict(data.transcripts, audio=[None] * data.size)
    assert not np.allclose(without.scores[Branch.AUDIO], found.scores[Branch.AUDIO])


def test_the_documented_example_runs_as_it_is_written(
    exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "exports").mkdir()
    (tmp_path / "exports" / "mosi").symlink_to(exported / "setgf")
    monkeypatch.chdir(tmp_path)

    results = doctest.testmod(saved_model)

    assert results.attempted >= 3
    assert results.failed == 0


def test_the_card_tells_protocol_and_seeds_and_its_code_runs(
    own_trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(settings={"train.max_epochs": 2, "train.calibrate": "true"}, seed=7)
    run_setgf("eval", own_trained.setgf)
    folder = tmp_path / "export"
    assert run_setgf("model", "export", own_trained.setgf, folder).code == 0

    card = (folder / "README.md").read_text()

    metrics = json.loads((folder / "model.json").read_text())["about"]["metrics"]
    row = next(line for line in card.splitlines() if line.startswith("| mae |"))
    assert f"| {metrics['valid.mae']:.4f} | {metrics['test.mae']:.4f} |" in row
    assert "mean ± sd of 2 seeds" in card
    assert "Seeds 7, 1111, the same settings" in card
    assert "chosen by `mae` of the validation split; the test split was scored once" in card
    assert "Since then `setgf eval` scored the test split 1 more time" in card
    calibrated = f"the test split has a MAE of {metrics['test.calibrated.mae']:.4f}"
    assert calibrated in card
    assert str(own_trained.home) not in card
    (code,) = re.findall("```python\n(.*?)```", card, re.DOTALL)
    monkeypatch.chdir(folder)
    out = StringIO()
    with redirect_stdout(out):
        exec(code, {})
    assert "[" in out.getvalue()


def test_an_export_is_replaced_only_by_force(trained: Trained, tmp_path: Path) -> None:
    folder = tmp_path / "export"
    words = ("model", "export", trained.frozen, folder)
    assert run_setgf(*words).code == 0

    again = run_setgf(*words)
    forced = run_setgf(*words, "--force")

    assert (again.code, again.out) == (USAGE, "")
    assert "holds an exported model already" in again.err
    assert forced.code == 0
    assert [path.name for path in tmp_path.iterdir()] == ["export"]


def test_a_damaged_export_says_what_is_damaged(exported: Path, tmp_path: Path) -> None:
    def copy(name: str) -> Path:
        return shutil.copytree(exported / "setgf", tmp_path / name)

    torn, short, later = copy("torn"), copy("short"), copy("later")
    content = bytearray((torn / "model.safetensors").read_bytes())
    content[-1] ^= 1
    (torn / "model.safetensors").write_bytes(content)
    (short / "tokenizer.json").unlink()
    plain = json.loads((later / "model.json").read_text())
    (later / "model.json").write_text(json.dumps({**plain, "format": 2}))
    card = copy("card")
    (card / "README.md").write_text("My own words.")

    with pytest.raises(CheckpointError, match=r"torn is damaged: `model\.safetensors` does not"):
        load(torn)
    with pytest.raises(CheckpointError, match=r"`tokenizer\.json` is not there"):
        load(short)
    with pytest.raises(DataError, match="has format 2, but this setgf reads format 1"):
        load(later)
    assert load(card, device="cpu").about["model"] == "setgf"


class Code:
    """Makes a file when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (self.marker,))


def test_weights_of_a_stranger_that_are_a_pickle_never_run(exported: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(exported / "setgf", tmp_path / "hostile")
    content = pickle.dumps(Code(tmp_path / "marker"))
    (folder / "model.safetensors").write_bytes(content)
    plain = json.loads((folder / "model.json").read_text())
    facts = {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    plain["files"]["model.safetensors"] = facts
    (folder / "model.json").write_text(json.dumps(plain))

    outcome = run_setgf("predict", folder, "--text", "good")

    assert outcome.code == GONE
    assert "hostile is damaged: `model.safetensors` can't be read" in outcome.err
    assert not (tmp_path / "marker").exists()


def test_a_frozen_encoder_is_the_same_one_or_comes_along(
    trained: Trained, exported: Path, tmp_path: Path
) -> None:
    whole = tmp_path / "whole"
    words = ("model", "export", trained.frozen, whole, "--with-encoder")
    assert run_setgf(*words).code == 0
    wanted = scores(trained, trained.frozen)
    moved = trained.encoder.with_name("moved")
    trained.encoder.rename(moved)
    try:
        assert scores(trained, whole) == wanted
        with pytest.raises(EncoderError, match="No text encoder folder at"):
            load(exported / "frozen")
        named = load(exported / "frozen", device="cpu", encoder=str(moved)).predict(TEXTS)
    finally:
        moved.rename(trained.encoder)
    assert named.fusion.tolist() == [one["fusion"] for one in wanted]
    other = shutil.copytree(trained.encoder, tmp_path / "other")
    weights = load_file(other / "model.safetensors")
    weights["embeddings.LayerNorm.bias"] += 1e-3
    save_file(weights, other / "model.safetensors", {"format": "pt"})
    refused = run_setgf("predict", exported / "frozen", "--text", "good", "--encoder", other)
    assert refused.code == DATA
    assert "has other weights than the" in refused.err
