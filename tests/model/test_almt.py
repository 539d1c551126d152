from __future__ import annotations

from typing import Any

import torch

from setgf.model.baselines.almt import AlmtNetwork
from setgf.model.sequence import as_sequence
from setgf.terms import Branch
from tests.model import by_hand
from tests.model.builders import make_batch, small_network

ROW = 1
MODALITIES = ("text", "audio", "vision")


def almt() -> Any:
    network = small_network({"model.name": "almt"})
    assert isinstance(network, AlmtNetwork)
    # New norms and biases do nothing; moved ones let every part show in the score.
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return network


@torch.no_grad()
def test_the_score_is_the_equations_written_out() -> None:
    network = almt()
    batch = make_batch((6, 4, 3), (7, 5, 2), (4, 3, 6))
    features = {
        "text": network.encode_text(batch).hidden[ROW, :4],
        "audio": batch.audio[ROW, :5],
        "vision": batch.vision[ROW, :3],
    }
    tokens: dict[str, torch.Tensor] = {}
    for name in MODALITIES:
        encoder, count = network.encoders[name], len(features[name])
        steps = by_hand.linear(encoder.project, features[name]) + by_hand.positions(count, 128)
        learnt = encoder.tokens[0]
        tokens[name] = by_hand.block(encoder.block, learnt, torch.cat([learnt, steps]))
    texts = [tokens["text"]]
    for block in network.deepen:
        texts.append(by_hand.block(block, texts[-1], texts[-1]))
    hyper = network.hyper[0]
    for update, text in zip(network.updates, texts, strict=True):
        query = by_hand.linear(update.query, by_hand.norm(update.norms["text"], text))
        read = torch.zeros_like(query)
        for name in ("audio", "vision"):
            normed = by_hand.norm(update.norms[name], tokens[name])
            key, value = by_hand.linear(getattr(update, name), normed).chunk(2, -1)
            read += by_hand.multihead(query, key, value, 8)
        hyper = hyper + by_hand.linear(update.output, read)
    fuse = network.fuse
    keys = torch.cat([fuse.token[0], hyper]) + fuse.places[0]
    gathered = by_hand.stack(fuse.stack.blocks, fuse.token[0] + fuse.reader_place[0], keys)
    expected = by_hand.linear(network.score, gathered[0])[0]

    score = network(batch).scores[Branch.FUSION][ROW]

    torch.testing.assert_close(score, expected, atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_text_beside_the_gathering_token_would_not_reach_it() -> None:
    fuse = almt().fuse
    hyper, text = torch.randn(2, 8, 128), torch.randn(2, 8, 128)

    alone = fuse(hyper)

    # The paper's form: text stands behind the token and reads along.
    token = (fuse.token + fuse.reader_place).expand(2, -1, -1)
    keys = torch.cat([fuse.token.expand(2, -1, -1), hyper], 1) + fuse.places
    nine = torch.tensor([9, 9])
    both = fuse.stack(as_sequence(torch.cat([token, text], 1), nine), as_sequence(keys, nine))
    torch.testing.assert_close(both.states[:, 0], alone)


@torch.no_grad()
def test_text_changes_the_score_through_what_audio_and_vision_are_asked() -> None:
    network = almt()
    batch, other = make_batch(), make_batch(seed=5)

    before = network(batch).scores[Branch.FUSION]
    batch.tokens.copy_(other.tokens)

    assert not torch.allclose(before, network(batch).scores[Branch.FUSION], atol=1e-3)
