"""Masked attention with a learnt null key, and the pre-norm block around it.

Shapes: B batch, Q query steps, K key steps, D model width, H heads.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from setgf.config import ModelConfig
from setgf.model.sequence import Sequence

NULL_KEY_SCALE = 0.02
"""Standard deviation of a new null key; BERT's `initializer_range`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockSizes:
    """What every attention block of a network shares."""

    width: int
    """D, a multiple of `heads`."""
    heads: int
    """H."""
    attention_dropout: float
    """Dropout on attention weights."""
    feedforward_dropout: float
    """Dropout in feed-forward layers and residuals."""
    null_key: bool
    """Attention has a learnt key for `nothing there`."""
    feedforward_factor: int = 4
    """Hidden units of a feed-forward layer, in widths."""
    activation: type[nn.Module] = nn.GELU
    """Activation of feed-forward layers."""


def block_sizes(config: ModelConfig, *, null_key: bool) -> BlockSizes:
    """Return the block sizes a model's settings ask for."""
    return BlockSizes(
        width=config.width,
        heads=config.heads,
        attention_dropout=config.attention_dropout,
        feedforward_dropout=config.feedforward_dropout,
        null_key=null_key,
    )


class MaskedAttention(nn.Module):
    """Multi-head attention that sees no padding and may look at a learnt null key instead."""

    if TYPE_CHECKING:

        def __call__(self, queries: Tensor, keys: Tensor, padding: Tensor) -> Tensor:
            """Call `forward`."""
            ...

    def __init__(self, sizes: BlockSizes) -> None:
        super().__init__()
        self.heads = sizes.heads
        self.dropout = sizes.attention_dropout
        self.query = nn.Linear(sizes.width, sizes.width)
        self.key_value = nn.Linear(sizes.width, 2 * sizes.width)
        self.output = nn.Linear(sizes.width, sizes.width)
        self.null_key = nn.Parameter(torch.empty(sizes.width)) if sizes.null_key else None
        if self.null_key is not None:
            nn.init.normal_(self.null_key, std=NULL_KEY_SCALE)

    def forward(self, queries: Tensor, keys: Tensor, padding: Tensor) -> Tensor:
        """Return (B, Q, D); without a null key, zero before the output layer where all is padding.

        Args:
            queries: (B, Q, D) float32.
            keys: (B, K, D) float32. Keys and values.
            padding: (B, K) bool, True where a key is padding.
        """
        if self.null_key is not None:
            null = self.null_key.to(keys).expand(keys.shape[0], 1, -1)  # (B, 1, D)
            keys = torch.cat([null, keys], 1)  # (B, K + 1, D)
            padding = F.pad(padding, (1, 0), value=False)  # (B, K + 1)
            return self._attend(queries, keys, ~padding)
        is_empty = padding.all(-1, keepdim=True)  # (B, 1)
        # A row with no key to look at is undefined: let it look anywhere, then forget it.
        return self._attend(queries, keys, ~padding | is_empty, forget=is_empty)

    def _attend(
        self, queries: Tensor, keys: Tensor, visible: Tensor, forget: Tensor | None = None
    ) -> Tensor:
        key, value = self.key_value(keys).chunk(2, -1)  # (B, K, D) each
        dropout = self.dropout if self.training else 0.0
        read = attend(
            self.query(queries), key, value, heads=self.heads, dropout=dropout, visible=visible
        )  # (B, Q, D)
        if forget is not None:
            read = read.masked_fill(forget[..., None], 0)
        return self.output(read)


def attend(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    *,
    heads: int,
    dropout: float = 0.0,
    visible: Tensor | None = None,
) -> Tensor:
    """Return (B, Q, D): softmax(Q K^T / sqrt(D / H)) V of every head, side by side.

    Args:
        query: (B, Q, D).
        key: (B, K, D).
        value: (B, K, D).
        heads: H.
        dropout: share of attention weights that are dropped now.
        visible: (B, K) bool, False where a key is not looked at; None shows all.
    """

    def split(states: Tensor) -> Tensor:
        return states.unflatten(-1, (heads, -1)).transpose(1, 2)  # (B, H, steps, D / H)

    mask = None if visible is None else visible[:, None, None]  # (B, 1, 1, K)
    mixed = _mix(split(query), split(key), split(value), mask, dropout)  # (B, H, Q, D / H)
    return mixed.transpose(1, 2).flatten(2)


def _mix(
    query: Tensor, key: Tensor, value: Tensor, visible: Tensor | None, dropout: float
) -> Tensor:
    """Return attention by head, (B, H, steps, D / H) all; every sample sees a key."""
    if dropout == 0 or query.is_cuda:
        return F.scaled_dot_product_attention(
            query, key, value, attn_mask=visible, dropout_p=dropout
        )
    # With dropout torch has no kernel for the CPU, and its formula looks for empty rows as well.
    scores = (query * query.shape[-1] ** -0.5) @ key.mT  # (B, H, Q, K)
    if visible is not None:
        scores = scores.masked_fill_(~visible, -torch.inf)
    return F.dropout(scores.softmax(-1), dropout) @ value


class AttentionBlock(nn.Module):
    """Pre-norm attention of one sequence over another, then a feed-forward layer; both residual."""

    if TYPE_CHECKING:

        def __call__(self, queries: Sequence, keys: Sequence) -> Sequence:
            """Call `forward`."""
            ...

    def __init__(self, sizes: BlockSizes) -> None:
        super().__init__()
        width, dropout = sizes.width, sizes.feedforward_dropout
        self.query_norm = nn.LayerNorm(width)
        self.key_norm = nn.LayerNorm(width)
        self.attention = MaskedAttention(sizes)
        self.dropout = nn.Dropout(dropout)
        self.feedforward = nn.Sequential(
            nn.LayerNorm(width),
            nn.Linear(width, sizes.feedforward_factor * width),
            sizes.activation(),
            nn.Linear(sizes.feedforward_factor * width, width),
            nn.Dropout(dropout),
        )

    def forward(self, queries: Sequence, keys: Sequence) -> Sequence:
        """Return the steps of `queries` (B, Q, D), having read `keys` (B, K, D)."""
        read = self.attention(
            self.query_norm(queries.states), self.key_norm(keys.states), keys.padding
        )
        states = queries.states + self.dropout(read)
        return queries.with_states(states + self.feedforward(states))


class AttentionStack(nn.Module):
    """Several attention blocks of one sequence over the same other sequence."""

    if TYPE_CHECKING:

        def __call__(self, queries: Sequence, keys: Sequence) -> Sequence:
            """Call `forward`."""
            ...

    def __init__(self, sizes: BlockSizes, num_blocks: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(AttentionBlock(sizes) for _ in range(num_blocks))

    def forward(self, queries: Sequence, keys: Sequence) -> Sequence:
        """Return the steps of `queries` (B, Q, D), having read `keys` (B, K, D) block by block."""
        for block in self.blocks:
            queries = block(queries, keys)
        return queries
