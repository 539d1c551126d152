"""The fusion of every baseline, against its published equation written out."""

from __future__ import annotations

from itertools import product
from typing import Any

import torch
from torch import Tensor

from setgf.model.baselines.ef_lstm import EfLstmNetwork
from setgf.model.baselines.lf_dnn import LfDnnNetwork
from setgf.model.baselines.lmf import LowRankFusion
from setgf.model.baselines.subnetworks import FrameSubnetwork
from setgf.model.baselines.tfn import TfnNetwork, outer_product
from setgf.terms import Branch
from tests.model.builders import make_batch, small_network


def head_of(network: Any, vector: Tensor) -> Tensor:
    return network.heads.heads["fusion"](vector[None])[0][0]


@torch.no_grad()
def test_tfn_multiplies_every_entry_with_every_other_and_with_one() -> None:
    text, audio, vision = torch.tensor([[2.0, 3.0]]), torch.tensor([[5.0]]), torch.tensor([[7.0]])

    found = outer_product(text, audio, vision)

    expected = [t * a * v for t, a, v in product((2, 3, 1), (5, 1), (7, 1))]
    assert found.tolist() == [expected]


@torch.no_grad()
def test_tfn_keeps_its_scores_in_the_range_of_the_labels() -> None:
    network = small_network({"model.name": "tfn"})
    assert isinstance(network, TfnNetwork)
    batch = make_batch()

    vectors = network.vectors(batch)
    unbounded = network.heads({Branch.FUSION: outer_product(*vectors)})[0][Branch.FUSION]
    torch.testing.assert_close(
        network(batch).scores[Branch.FUSION], unbounded.sigmoid() * 6 - 3, atol=1e-6, rtol=1e-5
    )

    network.heads.heads["fusion"].third.bias.fill_(50.0)  # type: ignore[union-attr]
    assert network(batch).scores[Branch.FUSION].tolist() == [3.0, 3.0, 3.0]


@torch.no_grad()
def test_lmf_is_the_outer_product_times_a_tensor_of_low_rank() -> None:
    fusion = LowRankFusion((2, 3, 1), 4, rank=2)
    fusion.bias.normal_()
    vectors = torch.randn(5, 2), torch.randn(5, 3), torch.randn(5, 1)
    tensor = torch.einsum("i,iah,ibh,ich->abch", fusion.weights, *fusion.factors)

    whole = outer_product(*vectors) @ tensor.flatten(0, 2) + fusion.bias

    torch.testing.assert_close(fusion(*vectors), whole)


@torch.no_grad()
def test_lf_dnn_reads_mean_frames_and_the_text_lstms_last_state() -> None:
    network = small_network({"model.name": "lf_dnn"})
    assert isinstance(network, LfDnnNetwork)
    batch, row = make_batch(), 1  # of 7 pieces, 3 audio frames, 8 vision frames
    pieces = network.encode_text(batch).hidden[row, :7]
    vector = torch.cat(
        [
            network.text.project(network.text.lstm(pieces)[0][-1]),
            network.audio(batch.audio[row, :3].mean(0)),
            network.vision(batch.vision[row, :8].mean(0)),
        ]
    )

    found = network(batch).scores[Branch.FUSION][row]

    torch.testing.assert_close(found, head_of(network, vector))


@torch.no_grad()
def test_a_frame_subnetwork_is_three_layers_with_relu() -> None:
    network = FrameSubnetwork(3, 4, dropout=0.0)
    frame = torch.randn(3)
    one, two, three = (part for part in network.layers if isinstance(part, torch.nn.Linear))

    expected = three(two(one(frame).relu()).relu()).relu()

    torch.testing.assert_close(network(frame[None])[0], expected)


@torch.no_grad()
def test_ef_lstm_reads_the_windows_under_every_word_piece() -> None:
    network = small_network({"model.name": "ef_lstm"})
    assert isinstance(network, EfLstmNetwork)
    batch, row = make_batch((2, 4), (6, 1), (5, 8)), 0
    audio, vision = batch.audio[row], batch.vision[row]
    steps = torch.stack(
        [
            torch.cat([piece, audio[heard].mean(0), vision[seen].mean(0)])
            for piece, heard, seen in zip(
                network.encode_text(batch).hidden[row, :2],
                (slice(0, 3), slice(3, 6)),
                (slice(0, 2), slice(2, 5)),
                strict=True,
            )
        ]
    )

    found = network(batch).scores[Branch.FUSION][row]

    torch.testing.assert_close(found, head_of(network, network.lstm(steps)[0][-1]))


@torch.no_grad()
def test_ef_lstm_hears_and_sees_a_sample_without_text() -> None:
    network = small_network({"model.name": "ef_lstm"})
    silent, loud = make_batch((0,), (6,), (0,)), make_batch((0,), (6,), (0,))
    loud.audio.mul_(3)

    assert not network(silent).scores[Branch.FUSION].equal(network(loud).scores[Branch.FUSION])
