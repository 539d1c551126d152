"""A home with finished runs, trained once for all tests that use trained models.

What loads torch is imported where it is used: most commands are tested without it.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from setgf.home import Home
from setgf.terms import Dataset, Split
from tests.cli.command import run_setgf

SIZES = {Split.TRAIN: 20, Split.VALID: 8, Split.TEST: 9}


@dataclass(frozen=True)
class Trained:
    """A home with a store `made_up` and two finished runs on it."""

    home: Path
    setgf: str
    """Id of a SETGF with the tiny encoder."""
    frozen: str
    """Id of a `text_only` with a frozen encoder from the folder `encoder`."""
    encoder: Path

    def run_path(self, run_id: str) -> Path:
        return self.home / "runs" / run_id


@pytest.fixture(scope="session")
def trained_once(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trained]:
    """Train both runs; nothing may change them."""
    from setgf.data.synthetic import synthesise

    home = tmp_path_factory.mktemp("trained")
    encoder = make_encoder(tmp_path_factory.mktemp("encoders") / "small-bert")
    synthesise(Home(home), "made_up", Dataset.MOSI, sizes=SIZES, seed=3)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SETGF_HOME", str(home))
        yield Trained(
            home=home,
            setgf=train(settings={"train.max_epochs": 2, "train.calibrate": "true"}),
            frozen=train(
                "text_only",
                {"text.encoder": encoder, "text.finetune": "false", "train.max_epochs": 1},
            ),
            encoder=encoder,
        )


@pytest.fixture
def trained(trained_once: Trained, monkeypatch: pytest.MonkeyPatch) -> Trained:
    """The home of trained runs, named by the environment; it is to stay as it is."""
    monkeypatch.setenv("SETGF_HOME", str(trained_once.home))
    return trained_once


@pytest.fixture
def own_trained(trained_once: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Trained:
    """A copy of the home of trained runs, to be changed."""
    home = tmp_path / "home"
    shutil.copytree(
        trained_once.home, home, ignore=shutil.ignore_patterns("last-*.pt", "evaluations.jsonl")
    )
    monkeypatch.setenv("SETGF_HOME", str(home))
    return replace(trained_once, home=home)


def train(
    model: str = "setgf", settings: Mapping[str, Any] | None = None, *, seed: int = 1111
) -> str:
    """Train a tiny run on `made_up` in the foreground; return its id."""
    from tests.training.conftest import TINY

    chosen = {**TINY, **(settings or {})}
    words = [
        part
        for name, value in chosen.items()
        if name != "data.name"
        for part in ("--set", f"{name}={value}")
    ]
    which = ("--data", "made_up", "--model", model, "--seed", seed)
    outcome = run_setgf("train", *which, "--json", *words)
    assert outcome.code == 0, outcome.err
    return outcome.json["run"]


def make_encoder(folder: Path) -> Path:
    """Make a small random BERT with the word pieces of bert-base-uncased, as a user has one."""
    import transformers

    from setgf.data.tokens import installed_tokenizer

    vocabulary = installed_tokenizer()
    assert vocabulary is not None
    transformers.logging.disable_progress_bar()
    settings = transformers.BertConfig(
        vocab_size=30522,
        hidden_size=8,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
    )
    transformers.BertModel(settings).save_pretrained(folder)
    shutil.copy(vocabulary / "tokenizer.json", folder)
    return folder
