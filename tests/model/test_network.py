from __future__ import annotations

import pytest

from setgf.config import ExperimentConfig, override
from setgf.data.batch import DataFacts
from setgf.errors import ConfigError
from setgf.model.network import build_network
from setgf.terms import Branch
from tests.model.builders import FACTS, loss_of, make_batch, small_config, small_network


def test_a_missing_weight_of_the_rest_is_still_refused() -> None:
    network = small_network({"text.finetune": False})
    state = network.state_dict()
    del state["heads.heads.fusion.first.weight"]

    with pytest.raises(RuntimeError, match=r"heads\.heads\.fusion\.first\.weight"):
        network.load_state_dict(state)


def test_left_out_text_freezes_the_encoder_and_the_rest_still_trains() -> None:
    network = small_network({"data.modalities": "audio,vision"}).train()

    output = network(make_batch((0, 0), (3, 4), (5, 2)))
    loss_of(output).backward()

    assert network.text_encoder.is_frozen
    assert list(output.scores) == [Branch.FUSION, Branch.AUDIO, Branch.VISION]


def test_text_only_without_text_is_refused() -> None:
    config = small_config({"model.name": "text_only", "data.modalities": "audio"})

    with pytest.raises(ConfigError, match=r"`model\.name` is `text_only`.*Add `text`"):
        build_network(config, FACTS)


def test_the_default_network_has_the_size_of_the_design() -> None:
    config = override(ExperimentConfig(), {"text.encoder": "tiny"})
    facts = DataFacts(
        dataset="mosi", audio_width=5, vision_width=20, label_limit=3.0, num_train=1284
    )
    network = build_network(config, facts)

    rest = sum(
        parameter.numel()
        for name, parameter in network.named_parameters()
        if not name.startswith("text_encoder.")
    )

    # msa.md 5.3: 4.4 M beside BERT, whose 768 columns enter four times: URLM (128), both heads
    # that read the text vector (128 and 64); the tiny encoder has 64 of them.
    with_bert = rest + (768 - 64) * (128 + 128 + 64)
    assert with_bert == pytest.approx(4.4e6, rel=0.03)
