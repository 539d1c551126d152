from __future__ import annotations

from typing import cast

import torch

from setgf.model.setgf_network import GROUP_SIZE, SetgfNetwork, similar_lengths
from tests.model.builders import loss_of, make_batch, small_network, take

SOURCE = torch.Generator().manual_seed(4)


def lengths(most: int, *, count: int = GROUP_SIZE + 9) -> list[int]:
    """Lengths of more samples than a group has, some of them zero."""
    return torch.randint(0, most + 1, (count,), generator=SOURCE).tolist()


BATCH = make_batch(lengths(7), lengths(9), lengths(5))


def test_groups_hold_every_sample_once_and_short_ones_together() -> None:
    groups = similar_lengths(BATCH)
    steps = BATCH.text_lengths + BATCH.audio_lengths + BATCH.vision_lengths

    assert [len(rows) for rows in groups] == [21, 20]
    assert torch.cat(groups).sort().values.equal(torch.arange(BATCH.size))
    assert steps[groups[0]].max() <= steps[groups[1]].min()
    assert [len(rows) for rows in similar_lengths(take(BATCH, range(GROUP_SIZE)))] == [GROUP_SIZE]


def test_samples_in_groups_score_as_they_do_alone_and_in_their_order() -> None:
    network = cast(SetgfNetwork, small_network())

    with torch.no_grad():
        together = network(BATCH)
        for row in (0, 17, GROUP_SIZE + 8):
            alone = network(take(BATCH, [row]))
            for branch, scores in alone.scores.items():
                torch.testing.assert_close(
                    together.scores[branch][row : row + 1], scores, atol=1e-5, rtol=0
                )


def test_consistency_of_groups_is_the_mean_over_all_pairs_that_are_there() -> None:
    network = cast(SetgfNetwork, small_network())

    with torch.no_grad():
        together = network(BATCH).consistency
        total, pairs = torch.zeros(()), 0
        for row in range(BATCH.size):
            alone = take(BATCH, [row])
            there = int(alone.text_lengths > 0) * (
                int(alone.audio_lengths > 0) + int(alone.vision_lengths > 0)
            )
            found = network(alone).consistency
            assert found is not None
            total, pairs = total + there * found, pairs + there

    assert together is not None
    assert 0 < pairs < 2 * BATCH.size
    torch.testing.assert_close(together, total / pairs, atol=1e-5, rtol=0)


def test_gradient_of_groups_reaches_every_weight() -> None:
    network = small_network().train()

    loss_of(network(BATCH)).backward()

    for name, weight in network.named_parameters():
        assert weight.grad is not None, name
        assert weight.grad.isfinite().all(), name
