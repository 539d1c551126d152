from __future__ import annotations

import math
from typing import Any

import torch

from setgf.model.baselines.crossmodal import TemporalConvolution, sinusoids
from setgf.model.baselines.mult import MultNetwork
from setgf.model.sequence import as_sequence
from setgf.terms import Branch
from tests.model import by_hand
from tests.model.builders import make_batch, small_network

WIDTH = 50
ROW = 1
MODALITIES = ("text", "audio", "vision")


@torch.no_grad()
def test_the_score_is_the_equations_written_out() -> None:
    network: Any = small_network({"model.name": "mult"})
    assert isinstance(network, MultNetwork)
    batch = make_batch((6, 4, 3), (7, 5, 2), (4, 3, 6))
    features = {
        "text": network.encode_text(batch).hidden[ROW, :4],
        "audio": batch.audio[ROW, :5],
        "vision": batch.vision[ROW, :3],
    }
    x = {
        m: WIDTH**0.5 * by_hand.convolution(network.convolutions[m].convolution, features[m])
        + by_hand.positions(len(features[m]), WIDTH)
        for m in MODALITIES
    }

    vectors: list[torch.Tensor] = []
    for reader in MODALITIES:
        readings = [
            by_hand.stack(
                network.mappings.mappings[f"{reader}_reads_{source}"].blocks, x[reader], x[source]
            )
            for source in MODALITIES
            if source != reader
        ]
        vectors.append(by_hand.memory(network.memories[reader], readings))
    z = torch.cat(vectors)
    output = network.output
    passed = by_hand.linear(output.second, torch.relu(by_hand.linear(output.first, z))) + z
    expected = by_hand.linear(output.third, passed)[0]

    score = network(batch).scores[Branch.FUSION][ROW]

    torch.testing.assert_close(score, expected, atol=1e-5, rtol=0)


def test_every_modality_reads_both_others() -> None:
    network = small_network({"model.name": "mult"})
    assert isinstance(network, MultNetwork)

    assert {(reader.value, source.value) for reader, source in network.mappings.pairs} == {
        (reader, source) for reader in MODALITIES for source in MODALITIES if reader != source
    }


def test_positions_are_sines_and_cosines() -> None:
    table = sinusoids(3, 4)

    expected = [math.sin(2), math.cos(2), math.sin(0.02), math.cos(0.02)]
    torch.testing.assert_close(table[2], torch.tensor(expected))
    assert table[0].tolist() == [0, 1, 0, 1]


@torch.no_grad()
def test_a_convolution_sees_neighbours_and_no_padding() -> None:
    convolve = TemporalConvolution(1, 1, kernel=3)
    convolve.convolution.weight.copy_(torch.tensor([[[1.0, 10.0, 100.0]]]))
    steps = torch.tensor([[[1.0], [2.0], [3.0], [9.0]], [[4.0], [9.0], [9.0], [9.0]]])

    out = convolve(as_sequence(steps, torch.tensor([3, 1])))

    # Each step is 1 times the one before, 10 times itself, 100 times the one after.
    assert out.states.squeeze(-1).tolist() == [[210, 321, 32, 0], [40, 0, 0, 0]]
