"""The three losses that give MISA's subspaces their meaning (paper, section 3.5).

Shapes: B batch, D model width.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations

import torch
from torch import Tensor
from torch.nn import functional as F

from setgf.terms import MODALITIES, Modality

MOMENTS = 5
"""Order of the last central moment compared (paper)."""
TINY = 1e-6
"""A row shorter than this is not lengthened to one; a lone sample's is zero."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subspaces:
    """A batch in MISA's subspaces; every part by modality."""

    vectors: dict[Modality, Tensor]
    """(B, D). u, what is divided."""
    private: dict[Modality, Tensor]
    """(B, D) within 0 and 1. p."""
    shared: dict[Modality, Tensor]
    """(B, D) within 0 and 1. s."""
    rebuilt: dict[Modality, Tensor]
    """(B, D). u as it is rebuilt from p + s."""
    present: dict[Modality, Tensor]
    """(B, 1) bool. Samples that have the modality."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SubspaceLosses:
    """() float32 each, before their weights."""

    similarity: Tensor
    """Mean central moment discrepancy of the three pairs of shared vectors."""
    difference: Tensor
    """Sum over private and shared of each modality, and over pairs of private vectors."""
    reconstruction: Tensor
    """Mean squared error of the rebuilt vectors, mean over modalities."""


def subspace_losses(spaces: Subspaces) -> SubspaceLosses:
    """Return the losses of a batch; samples count where they have the modalities compared."""
    pairs = list(combinations(MODALITIES, 2))

    def compare(
        measure: Callable[[Tensor, Tensor, Tensor], Tensor],
        left: tuple[dict[Modality, Tensor], Modality],
        right: tuple[dict[Modality, Tensor], Modality],
    ) -> Tensor:
        both = spaces.present[left[1]] & spaces.present[right[1]]
        return measure(left[0][left[1]].float(), right[0][right[1]].float(), both.float())

    similar = [
        compare(moment_discrepancy, (spaces.shared, one), (spaces.shared, other))
        for one, other in pairs
    ]
    different = [compare(overlap, (spaces.private, m), (spaces.shared, m)) for m in MODALITIES] + [
        compare(overlap, (spaces.private, one), (spaces.private, other)) for one, other in pairs
    ]
    rebuilt = [compare(squared_error, (spaces.rebuilt, m), (spaces.vectors, m)) for m in MODALITIES]
    return SubspaceLosses(
        similarity=torch.stack(similar).mean(),
        difference=torch.stack(different).sum(),
        reconstruction=torch.stack(rebuilt).mean(),
    )


def moment_discrepancy(one: Tensor, other: Tensor, weight: Tensor) -> Tensor:
    """Return the central moment discrepancy () of two batches (B, D) within 0 and 1.

    ||E(X) - E(Y)|| + sum over k = 2..5 of ||C_k(X) - C_k(Y)||, C_k the k-th central moment of
    every column. `weight` (B, 1): 1 for samples that count, 0 for others.
    """
    means = _mean(one, weight), _mean(other, weight)
    parts = [torch.linalg.vector_norm(means[0] - means[1])]
    centred = one - means[0], other - means[1]
    for order in range(2, MOMENTS + 1):
        moments = _mean(centred[0] ** order, weight), _mean(centred[1] ** order, weight)
        parts.append(torch.linalg.vector_norm(moments[0] - moments[1]))
    return torch.stack(parts).sum()


def overlap(one: Tensor, other: Tensor, weight: Tensor) -> Tensor:
    """Return how far two batches (B, D) are from orthogonal subspaces: mean((X^T Y)^2), ().

    Columns are centred and rows scaled to length 1 first. The paper has the sum over D x D, the
    authors' code the mean, which their weights are made for.
    """
    left = F.normalize(one - _mean(one, weight), dim=-1, eps=TINY) * weight
    right = F.normalize(other - _mean(other, weight), dim=-1, eps=TINY) * weight
    return (left.mT @ right).square().mean()


def squared_error(one: Tensor, other: Tensor, weight: Tensor) -> Tensor:
    """Return the mean squared difference () of two batches (B, D)."""
    return _mean((one - other).square(), weight).mean()


def _mean(values: Tensor, weight: Tensor) -> Tensor:
    """Return the mean (D,) over samples that count; zero where none does."""
    return (values * weight).sum(0) / weight.sum().clamp(min=1)
