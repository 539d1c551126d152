from __future__ import annotations

from typing import Any

import pytest
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
def test_every_score_and_feature_is_the_published_equation_written_out() -> None:
    """`msa.md` 3.2: h_s = relu(W_1 x_s), score = W_3 relu(W_2 h_s), x_f the three side by side."""
    network = small_network({"model.name": "self_mm"})
    assert isinstance(network, SelfMmNetwork)
    batch, row = make_batch(), 1  # 3 frames of audio, 8 of vision
    audio = by_hand.lstm_states(network.audio.lstm, batch.audio[row, :3])[-1]
    vision = by_hand.lstm_states(network.vision.lstm, batch.vision[row, :8])[-1]
    vectors = {
        Branch.TEXT: network.encode_text(batch).pooled[row],
        Branch.AUDIO: network.audio.project(audio),
        Branch.VISION: network.vision.project(vision),
    }
    vectors[Branch.FUSION] = torch.cat(list(vectors.values()))

    output = network(batch)

    for branch in Branch:
        head: Any = network.heads.heads[branch.value]
        feature = torch.relu(head.first.weight @ vectors[branch] + head.first.bias)
        second = torch.relu(head.second.weight @ feature + head.second.bias)
        score = head.third.weight[0] @ second + head.third.bias[0]
        torch.testing.assert_close(output.features[branch][row], feature)
        torch.testing.assert_close(output.scores[branch][row], score)


@torch.no_grad()
def test_the_numbers_of_a_case_worked_out_by_hand() -> None:
    """One hidden unit, two frames, every gate as large as the frame."""
    network = RecurrentSubnetwork(1, 1, 1)
    for weights in network.parameters():
        weights.zero_()
    lstm: Any = network.lstm
    lstm.weight_ih_l0.fill_(1.0)
    network.project.weight.fill_(2.0)
    network.project.bias.fill_(0.5)

    out = network(as_sequence(torch.tensor([[[1.0], [-1.0], [9.0]]]), torch.tensor([2])))

    # c_1 = s(1) tanh(1) = 0.7311 * 0.7616 = 0.5568
    # c_2 = s(-1) c_1 + s(-1) tanh(-1) = 0.2689 * (0.5568 - 0.7616) = -0.0551
    # h_2 = s(-1) tanh(c_2) = 0.2689 * -0.0550 = -0.0148;  2 h_2 + 0.5 = 0.4704
    assert out.item() == pytest.approx(0.4704, abs=1e-4)


@torch.no_grad()
def test_a_unimodal_score_reads_its_modality_only() -> None:
    network = small_network({"model.name": "self_mm"})
    loud = make_batch()
    loud.audio.mul_(3)

    before, after = network(make_batch()).scores, network(loud).scores

    changed = {branch for branch in Branch if not before[branch].equal(after[branch])}
    assert changed == {Branch.FUSION, Branch.AUDIO}
