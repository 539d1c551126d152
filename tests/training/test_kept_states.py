"""States of a frozen encoder that a run leaves for the next."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import transformers

from setgf.model.state_cache import state_folder
from setgf.training.fit import fit
from tests.training.conftest import tiny_config


@pytest.fixture(scope="module")
def encoder(tmp_path_factory) -> Path:
    """The folder of a small BERT with a vocabulary."""
    folder = tmp_path_factory.mktemp("encoders") / "small-bert"
    settings = transformers.BertConfig(
        vocab_size=200,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
    )
    transformers.logging.disable_progress_bar()
    transformers.BertModel(settings).save_pretrained(folder)
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefghijklmnopqrstuvwxyz"]
    pieces = [*words, *(f"##{letter}" for letter in words[5:])]
    (folder / "vocab.txt").write_text("\n".join(pieces) + "\n", encoding="utf-8")
    return folder


def test_seeds_share_the_states_and_get_the_numbers_of_a_run_that_had_none(
    store, recorder, encoder
):
    config = tiny_config(encoder=str(encoder), finetune=False, max_epochs=1)
    other = tiny_config(encoder=str(encoder), finetune=False, max_epochs=1, seed=7)
    kept = state_folder(store)

    alone = fit(config, store, recorder("alone"))
    shutil.rmtree(kept)
    fit(other, store, recorder("other"))
    left = sorted(kept.rglob("*.safetensors"))
    shared = fit(config, store, recorder("shared"))

    assert shared.weights_sha256 == alone.weights_sha256
    assert shared.metrics == alone.metrics
    assert left
    assert sorted(kept.rglob("*.safetensors")) == left  # nothing was encoded again
