from __future__ import annotations

from typing import Any

import pytest
import torch

from setgf.model.baselines.misa import MisaNetwork
from setgf.model.baselines.misa_losses import moment_discrepancy, overlap, squared_error
from setgf.terms import Branch
from tests.model import by_hand
from tests.model.builders import make_batch, small_network

MODALITIES = ("text", "audio", "vision")


def misa() -> Any:
    network = small_network({"model.name": "misa"})
    assert isinstance(network, MisaNetwork)
    return network


def column(*values: float) -> torch.Tensor:
    return torch.tensor(values)[:, None]


def everyone(count: int) -> torch.Tensor:
    return torch.ones(count, 1)


def test_the_discrepancy_compares_means_and_four_central_moments() -> None:
    halves, ends = column(0.5, 0.5), column(0.0, 1.0)

    same_mean = moment_discrepancy(ends, halves, everyone(2))
    moved = moment_discrepancy(column(0.2, 0.2), halves, everyone(2))

    # Central moments of 0 and 1: 1/4, 0, 1/16, 0; those of a constant are 0.
    assert same_mean.item() == pytest.approx(0.25 + 0.0625)
    assert moved.item() == pytest.approx(0.3)


def test_the_discrepancy_sees_odd_moments() -> None:
    left, right = column(0.0, 0.0, 0.9), column(0.6, 0.6, -0.3)

    discrepancy = moment_discrepancy(left, right, everyone(3))

    # Mirrored around their mean 0.3: even moments agree, third and fifth differ by sign.
    third, fifth = (2 * (-0.3) ** 3 + 0.6**3) / 3, (2 * (-0.3) ** 5 + 0.6**5) / 3
    assert discrepancy.item() == pytest.approx(2 * third + 2 * fifth, rel=1e-5)


def test_overlap_is_none_for_uncorrelated_vectors_and_whole_for_equal_ones() -> None:
    one, other = column(1.0, -1.0, 1.0, -1.0), column(1.0, 1.0, -1.0, -1.0)

    assert overlap(one, other, everyone(4)).item() == pytest.approx(0)
    assert overlap(one, one, everyone(4)).item() == pytest.approx(4.0**2)


def test_samples_without_a_modality_do_not_count() -> None:
    here = torch.tensor([[1.0], [1.0], [0.0]])
    one, other = torch.rand(3, 4), torch.rand(3, 4)
    for measure in (moment_discrepancy, overlap, squared_error):
        expected = measure(one[:2], other[:2], everyone(2))
        assert measure(one, other, here).item() == pytest.approx(expected.item(), rel=1e-5)
        assert measure(one, other, torch.zeros(3, 1)).item() == 0


def test_a_lone_sample_has_finite_gradients() -> None:
    one, other = torch.rand(1, 4, requires_grad=True), torch.rand(1, 4)

    loss = moment_discrepancy(one, other, everyone(1)) + overlap(one, other, everyone(1))
    (gradient,) = torch.autograd.grad(loss, one)

    assert gradient.isfinite().all()


def last_states(recurrence: Any, frames: torch.Tensor) -> torch.Tensor:
    """Last states of two bidirectional LSTMs with a norm between; torch's own LSTM, no packing."""
    states, (early, _) = recurrence.first(frames[None])
    _, (late, _) = recurrence.second(by_hand.norm(recurrence.norm, states))
    return torch.cat([*early[:, 0], *late[:, 0]])


@torch.no_grad()
def test_score_and_reconstruction_are_the_equations_written_out() -> None:
    network = misa()
    lengths = [(6, 7, 4), (4, 5, 3)]
    batch = make_batch((6, 4), (7, 5), (4, 3))
    errors: list[torch.Tensor] = []
    scores: list[torch.Tensor] = []
    for row, (_, audio, vision) in enumerate(lengths):
        read = {
            "text": network.encode_text(batch).pooled[row],
            "audio": last_states(network.audio, batch.audio[row, :audio]),
            "vision": last_states(network.vision, batch.vision[row, :vision]),
        }
        u = {
            m: by_hand.norm(
                network.project[m][2], by_hand.linear(network.project[m][0], read[m]).relu()
            )
            for m in MODALITIES
        }
        private = {m: by_hand.linear(network.private[m][0], u[m]).sigmoid() for m in MODALITIES}
        shared = {m: by_hand.linear(network.shared[0], u[m]).sigmoid() for m in MODALITIES}
        rebuilt = {m: by_hand.linear(network.rebuild[m], private[m] + shared[m]) for m in u}
        errors.append(torch.stack([(rebuilt[m] - u[m]).square().mean() for m in u]).mean())
        scores.append(fused_score(network, torch.stack([*private.values(), *shared.values()])))

    output = network(batch)

    torch.testing.assert_close(output.scores[Branch.FUSION], torch.stack(scores))
    torch.testing.assert_close(output.losses["reconstruction"], torch.stack(errors).mean())


def fused_score(network: Any, tokens: torch.Tensor) -> torch.Tensor:
    """Post-norm transformer layer over six tokens (6, D), then two layers."""
    layer, attention = network.fuse, network.fuse.self_attn
    projected = tokens @ attention.in_proj_weight.T + attention.in_proj_bias
    query, key, value = projected.chunk(3, -1)
    read = by_hand.multihead(query, key, value, attention.num_heads)
    states = by_hand.norm(layer.norm1, tokens + by_hand.linear(attention.out_proj, read))
    hidden = by_hand.linear(layer.linear2, by_hand.linear(layer.linear1, states).relu())
    states = by_hand.norm(layer.norm2, states + hidden)
    return by_hand.linear(network.second, by_hand.linear(network.first, states.flatten()).relu())[0]


def test_the_losses_carry_their_published_weights() -> None:
    network = misa()
    batch = make_batch()
    spaces = network._divide(batch)
    shared = [spaces.shared[m] for m in spaces.shared]
    all_three = everyone(3)

    losses = network(batch).losses

    pairs = [(0, 1), (0, 2), (1, 2)]
    similar = sum(moment_discrepancy(shared[i], shared[j], all_three) for i, j in pairs) / 3
    private = [spaces.private[m] for m in spaces.private]
    different = sum(overlap(private[i], private[j], all_three) for i, j in pairs) + sum(
        overlap(p, s, all_three) for p, s in zip(private, shared, strict=True)
    )
    assert set(losses) == {"similarity", "difference", "reconstruction"}
    torch.testing.assert_close(losses["similarity"], 0.3 * similar)
    torch.testing.assert_close(losses["difference"], 0.1 * different)
