from __future__ import annotations

from typing import Any

import torch

from setgf.model.baselines.tetfn import TetfnNetwork
from setgf.terms import Branch
from tests.model import by_hand
from tests.model.builders import make_batch, small_network

WIDTH = 50
ROW = 1
TEXT, AUDIO, VISION = "text", "audio", "vision"


def tetfn() -> Any:
    network = small_network({"model.name": "tetfn"})
    assert isinstance(network, TetfnNetwork)
    return network


@torch.no_grad()
def test_all_four_scores_are_the_equations_written_out() -> None:
    network = tetfn()
    # Row 1 is shorter than the others everywhere, so all of its sequences are padded.
    batch = make_batch((6, 4, 3), (7, 5, 2), (4, 3, 6))
    text = network.encode_text(batch).hidden[ROW, :4]
    x = {
        TEXT: by_hand.convolution(network.text.convolution, text),
        AUDIO: by_hand.convolution(
            network.audio.convolve.convolution,
            by_hand.lstm_states(network.audio.lstm, batch.audio[ROW, :5]),
        ),
        VISION: by_hand.convolution(
            network.vision.convolve.convolution,
            by_hand.lstm_states(network.vision.lstm, batch.vision[ROW, :3]),
        ),
    }
    s = {m: WIDTH**0.5 * x[m] + by_hand.positions(len(x[m]), WIDTH) for m in x}

    def mapping(reader: str, source: str) -> torch.Tensor:
        blocks = network.mappings.mappings[f"{reader}_reads_{source}"].blocks
        return by_hand.stack(blocks, s[reader], s[source])

    through = network.attention
    seen_vision = by_hand.block(through.vision_through_text, s[VISION], s[TEXT])
    seen_audio = by_hand.block(through.audio_through_text, s[AUDIO], s[TEXT])
    readings = {
        TEXT: [mapping(TEXT, AUDIO), mapping(TEXT, VISION)],
        AUDIO: [
            mapping(AUDIO, TEXT),
            by_hand.stack(through.audio_reads_vision.blocks, s[AUDIO], seen_vision),
        ],
        VISION: [
            mapping(VISION, TEXT),
            by_hand.stack(through.vision_reads_audio.blocks, s[VISION], seen_audio),
        ],
    }
    fused = [by_hand.memory(network.memories[m], readings[m]) for m in (TEXT, AUDIO, VISION)]
    expected = {
        Branch.FUSION: by_hand.score(network.heads.heads["fusion"], torch.cat(fused)),
        **{Branch(m): by_hand.score(network.heads.heads[m], x[m].amax(0)) for m in x},
    }

    scores = network(batch).scores

    assert set(scores) == set(expected)
    for branch, value in expected.items():
        torch.testing.assert_close(scores[branch][ROW], value, atol=1e-5, rtol=0)


@torch.no_grad()
def test_a_unimodal_score_reads_its_modality_only() -> None:
    network = tetfn()
    loud = make_batch()
    loud.vision.mul_(3)

    before, after = network(make_batch()).scores, network(loud).scores

    changed = {branch for branch in Branch if not before[branch].equal(after[branch])}
    assert changed == {Branch.FUSION, Branch.VISION}
