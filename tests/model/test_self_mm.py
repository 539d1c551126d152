from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from setgf.model.baselines.self_mm import RecurrentSubnetwork, SelfMmNetwork
from setgf.model.sequence import as_sequence
from setgf.terms import Branch
from tests.model.builders import make_batch, small_network


def last_state(lstm: Any, frames: Tensor) -> Tensor:
    """Last hidden state of a one-layer LSTM over frames (T, F), equation by equation."""
    hidden = cell = torch.zeros(lstm.hidden_size)
    for frame in frames:
        gates = lstm.weight_ih_l0 @ frame + lstm.bias_ih_l0
        gates = gates + lstm.weight_hh_l0 @ hidden + lstm.bias_hh_l0
        take, keep, value, show = gates.chunk(4)
        cell = keep.sigmoid() * cell + take.sigmoid() * value.tanh()
        hidden = show.sigmoid() * cell.tanh()
    return hidden


@torch.no_grad()
def test_the_subnetwork_projects_the_state_after_the_last_real_frame() -> None:
    network = RecurrentSubnetwork(3, 4, 2)
    frames = torch.randn(3, 5, 3)

    out = network(as_sequence(frames, torch.tensor([5, 2, 0])))

    for row, length in enumerate([5, 2]):
        expected = network.project(last_state(network.lstm, frames[row, :length]))
        torch.testing.assert_close(out[row], expected)
    torch.testing.assert_close(out[2], network.project.bias)


@torch.no_grad()
def test_the_fusion_score_is_the_formula_written_out() -> None:
    network = small_network({"model.name": "self_mm"})
    assert isinstance(network, SelfMmNetwork)
    batch = make_batch()

    output = network(batch)

    row = 1
    head: Any = network.heads.heads["fusion"]
    vector = torch.cat(
        [
            network.encode_text(batch).pooled[row],
            network.audio.project(last_state(network.audio.lstm, batch.audio[row, :3])),
            network.vision.project(last_state(network.vision.lstm, batch.vision[row, :8])),
        ]
    )
    feature = torch.relu(head.first.weight @ vector + head.first.bias)
    second = torch.relu(head.second.weight @ feature + head.second.bias)
    score = head.third.weight[0] @ second + head.third.bias[0]
    torch.testing.assert_close(output.features[Branch.FUSION][row], feature)
    torch.testing.assert_close(output.scores[Branch.FUSION][row], score)


@torch.no_grad()
def test_a_unimodal_score_reads_its_modality_only() -> None:
    network = small_network({"model.name": "self_mm"})
    loud = make_batch()
    loud.audio.mul_(3)

    before, after = network(make_batch()).scores, network(loud).scores

    changed = {branch for branch in Branch if not before[branch].equal(after[branch])}
    assert changed == {Branch.FUSION, Branch.AUDIO}
