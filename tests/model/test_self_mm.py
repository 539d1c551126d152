from __future__ import annotations

from typing import Any

import torch

from setgf.model.baselines.self_mm import RecurrentSubnetwork, SelfMmNetwork
from setgf.model.sequence import as_sequence
from setgf.terms import Branch
from tests.model import by_hand
from tests.model.builders import make_batch, small_network


@torch.no_grad()
def test_the_subnetwork_projects_the_state_after_the_last_real_frame() -> None:
    network = RecurrentSubnetwork(3, 4, 2)
    frames = torch.randn(3, 5, 3)

    out = network(as_sequence(frames, torch.tensor([5, 2, 0])))

    for row, length in enumerate([5, 2]):
        expected = network.project(by_hand.lstm_states(network.lstm, frames[row, :length])[-1])
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
            network.audio.project(
                by_hand.lstm_states(network.audio.lstm, batch.audio[row, :3])[-1]
            ),
            network.vision.project(
                by_hand.lstm_states(network.vision.lstm, batch.vision[row, :8])[-1]
            ),
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
