"""Compiled parts compute what plain ones do."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from setgf.model.attention import AttentionBlock
from setgf.training.compiled import compile_network, compiled_parts
from tests.model.builders import loss_of, make_batch, small_network

BATCHES = (((4, 7, 2), (9, 3, 6), (5, 8, 1)), ((5, 9, 3, 2), (8, 3, 6, 7), (5, 7, 1, 2)))


def test_every_layer_of_the_encoder_and_every_attention_block_is_compiled():
    network = small_network()

    parts = list(compiled_parts(network))

    blocks = [part for part in network.modules() if isinstance(part, AttentionBlock)]
    assert parts[-len(blocks) :] == blocks
    transformer: Any = network.text_encoder.transformer
    assert len(parts) - len(blocks) == transformer.config.num_hidden_layers


@pytest.mark.long
@pytest.mark.filterwarnings("ignore:The .grad attribute")  # torch's compiler looks for it
def test_a_compiled_network_has_the_scores_and_gradients_of_a_plain_one():
    settings = {"model.blocks": 1}
    plain, compiled = small_network(settings), small_network(settings)
    compile_network(compiled)

    for lengths in BATCHES:
        batch = make_batch(*lengths)
        expected, found = plain(batch), compiled(batch)
        for branch, score in expected.scores.items():
            assert torch.allclose(found.scores[branch], score, atol=1e-5)
        loss_of(expected).backward()
        loss_of(found).backward()

    assert list(compiled.state_dict()) == list(plain.state_dict())
    for one, other in zip(plain.parameters(), compiled.parameters(), strict=True):
        assert one.grad is not None and other.grad is not None
        assert torch.allclose(one.grad, other.grad, atol=1e-5)
