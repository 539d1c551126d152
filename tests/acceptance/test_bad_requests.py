"""A request that can't be met: one clear sentence, an exit code, and nothing is changed."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.acceptance.user import User, check_refusal, fingerprints, queue_rows

USAGE, DATA, DATABASE = 2, 3, 4


@pytest.mark.parametrize(
    ("words", "code", "parts"),
    [
        ("--set optim.lr_txt=1", USAGE, ("Unknown setting `optim.lr_txt`", "`optim.lr_text`?")),
        ("--set nonsense=1", USAGE, ("Unknown setting `nonsense`", "See `setgf config`")),
        ("--set max_epochs=two", USAGE, ("`train.max_epochs` must be a whole number", "'two'")),
        ("--set max_epochs=0", USAGE, ("`train.max_epochs` must be 1 or more, but is 0",)),
        ("--set max_epochs", USAGE, ("`setting=value`",)),
        ("--set monitor=acc9", USAGE, ("`train.monitor` must be one of mae,", "acc9")),
        ("--set optimizer=sgd", USAGE, ("`optim.optimizer` must be one of adamw, adam", "sgd")),
        ("--model segtf", USAGE, ("No model `segtf`", "setgf, self_mm, text_only")),
        ("--data nodata", DATA, ("No feature store named `nodata`", "Known: `demo`")),
        (
            "--preset mossi",
            USAGE,
            ("No preset `mossi`", "mosei, mosei_mmsa", "simsv2_tetfn, small"),
        ),
        ("--preset none.toml", USAGE, ("none.toml can't be read", "No such file")),
        ("--set text.encoder=/no/bert", DATA, ("No text encoder folder at `/no/bert`", "minilm")),
        ("--set text.encoder=no/bert", DATA, ("`no/bert` is not a folder", "hf download no/bert")),
        ("--bogus", USAGE, ("--bogus", "--help`")),
    ],
)
def test_a_wrong_request_is_refused_before_anything_is_stored(
    user: User, words: str, code: int, parts: tuple[str, ...]
) -> None:
    before = fingerprints(user.home)

    check_refusal(user.run("queue", "add", "--data", "demo", *words.split()), code, *parts)

    assert fingerprints(user.home) == before


@pytest.mark.parametrize(
    ("spoil", "parts"),
    [
        ("rm config.json model.safetensors", ("has no `config.json`", "Give a folder with")),
        ("rm model.safetensors", ("no weights", "`model.safetensors`", "Give a folder with")),
        ("truncate -s 1000 model.safetensors", ("model.safetensors` is damaged", "1000 bytes")),
        ("truncate -s 0 model.safetensors", ("model.safetensors` is damaged", "0 bytes")),
        ("truncate -s 5 config.json", ("config.json` is damaged", "not JSON")),
    ],
)
def test_an_encoder_that_can_not_be_loaded_is_told_when_queueing(
    user: User, tmp_path: Path, spoil: str, parts: tuple[str, ...]
) -> None:
    folder = make_encoder(tmp_path / "bert")
    subprocess.run(spoil.split(), cwd=folder, check=True)
    before = fingerprints(user.home)

    outcome = user.run("queue", "add", "--data", "demo", "--set", f"text.encoder={folder}")

    check_refusal(outcome, DATA, str(folder), *parts)
    assert fingerprints(user.home) == before


@pytest.mark.parametrize(
    ("words", "code", "parts"),
    [
        ("queue add --data demo --seeds 1115-1111", USAGE, ("runs backwards", "`1111-1115`")),
        ("queue add --data demo --seeds x", USAGE, ("Seeds must be numbers", "`x`")),
        ("queue add --data demo --after 99", DATABASE, ("There is no job 99",)),
        ("queue show 99", DATABASE, ("There is no job 99", "`setgf queue list --all`")),
        ("queue show x", USAGE, ("Job ids must be numbers", "`x`")),
        ("queue cancel 1 99", DATABASE, ("There is no job 99",)),
        ("queue cancel 9-3", USAGE, ("runs backwards", "`3-9`")),
        ("queue retry 1", DATABASE, ("Job 1 is queued", "only a failed, cancelled or lost job")),
        ("queue release 1", DATABASE, ("Job 1 is queued", "only a held job can be released")),
        ("queue log 1", USAGE, ("Job 1 is queued", "no log yet")),
        ("queue ad", USAGE, ("'ad'", "Did you mean 'add'?", "`setgf queue --help`")),
        ("runs show zzzzzzzz", DATABASE, ("There is no run `zzzzzzzz`", "`setgf runs list`")),
        ("train --data demo --model bert", USAGE, ("No model `bert`", "setgf, self_mm")),
        ("train --data nodata", DATA, ("No feature store named `nodata`", "Known: `demo`")),
        ("train --data demo --set max_epoks=1", USAGE, ("`max_epoks`", "`max_epochs`?")),
        ("train --resume zzzzzzzz", DATABASE, ("No run folder `zzzzzzzz`", "`setgf runs list`")),
        ("worker stop", 5, ("No worker is running",)),
        ("worker start --gpus 63", 5, ("no GPU",)),
        ("data show nodata", DATA, ("No feature store named `nodata`", "Known: `demo`")),
        ("data synth --name demo", DATA, ("`demo` exists already", "--force")),
        ("--db mysql://host/x queue list", DATABASE, ("`mysql://host/x` is not", "postgresql")),
    ],
)
def test_an_id_or_a_state_that_does_not_fit_is_told_and_changes_nothing(
    user: User, words: str, code: int, parts: tuple[str, ...]
) -> None:
    before = queue_rows(user.database)

    check_refusal(user.run(*words.split()), code, *parts)

    assert queue_rows(user.database) == before


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        (None, ("No file at", "predictions.csv")),
        ("", ("is empty", "`prediction` and `label`")),
        ("prediction,label\n", ("has column names but no predictions",)),
        ("score,label\n1,2\n", ("no column `prediction`", "`score`, `label`")),
        ("prediction,label\n1,2\nx,2\n", ("`prediction` must be a number", "`x`", "line 3")),
        ("prediction,label\n1,\n", ("`label` must be a number, but is missing", "line 2")),
        ("prediction,label\n1,2\n1,nan\n", ("must be finite", "1 of 2", "row 2 (nan)")),
        ("prediction,label\n1,2\n\0\xff", ("predictions.csv",)),
    ],
)
def test_predictions_that_can_not_be_scored_are_told_with_their_line(
    user: User, tmp_path: Path, text: str | None, parts: tuple[str, ...]
) -> None:
    path = tmp_path / "predictions.csv"
    if text is not None:
        path.write_text(text, encoding="latin1")

    check_refusal(user.run("metrics", path, "--dataset", "mosi"), DATA, *parts)


def make_encoder(folder: Path) -> Path:
    """Make a folder that looks like a text encoder's, with one weight."""
    folder.mkdir()
    (folder / "config.json").write_text('{"model_type": "bert"}')
    header = b'{"a":{"dtype":"F32","shape":[1000],"data_offsets":[0,4000]}}'
    weights = len(header).to_bytes(8, "little") + header + bytes(4000)
    (folder / "model.safetensors").write_bytes(weights)
    return folder
