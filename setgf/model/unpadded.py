"""A BERT that computes real word pieces only.

Everything in a BERT but attention looks at one word piece at a time, so it runs on the real pieces
of all transcripts, one after the other. Attention alone needs the transcripts apart: it runs on
groups of similar length, padded to the longest of their group. The weights stay those of the
Hugging Face module, and its own layers are called; states and gradients are those of the module.

Shapes: B batch, T word pieces of the longest transcript, N real pieces of all, W width, H heads,
D = W / H; of one group: G transcripts, L pieces of the longest, n real pieces.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

FAMILIES = frozenset({"bert", "roberta", "xlm-roberta", "camembert"})
"""Families that are built as BERT is."""
GROUPS = 4
"""Groups of a batch: more have less padding, but more and smaller products."""


def can_unpad(transformer: nn.Module) -> bool:
    """Return whether `encode_unpadded` knows how this transformer is built."""
    config: Any = transformer.config
    return config.model_type in FAMILIES and not config.is_decoder


def encode_unpadded(
    transformer: nn.Module,
    tokens: Tensor,
    segments: Tensor,
    lengths: Tensor,
    *,
    only_first: bool = False,
    layers: slice = slice(None),
    below: Tensor | None = None,
) -> Tensor:
    """Return the last states (B, T, W), undefined where padded.

    Args:
        transformer: a module `can_unpad` accepts.
        tokens: (B, T) int64. Word piece ids; padding is never read.
        segments: (B, T) int64. Segment ids.
        lengths: (B,) int64, on the CPU, 0 <= length <= T.
        only_first: return only the first piece's state (B, 1, W): nothing else of the last layer
            is computed.
        layers: which run, all by default.
        below: (B, T, W), padding is never read. What the first of them reads; None: embeddings.
    """
    bert: Any = transformer
    if not lengths.any():
        steps = 1 if only_first else tokens.shape[1]
        return torch.zeros(len(tokens), steps, bert.config.hidden_size, device=tokens.device)
    packing = Packing.of(lengths, tokens.shape[1], bert.config.num_attention_heads, tokens.device)
    states = (
        _embed(bert, tokens, segments, packing)
        if below is None
        else below.flatten(0, 1).index_select(0, packing.places)
    )  # (N, W)
    *lower, last = bert.encoder.layer[layers]
    for layer in lower:
        states = _run(layer, states, packing)
    if not only_first:
        states = _run(last, states, packing)
        return packing.unpack(states)
    return packing.unpack_first(_run_first(last, states, packing))


def _embed(bert: Any, tokens: Tensor, segments: Tensor, packing: Packing) -> Tensor:
    """Return the embeddings (N, W) of real pieces."""
    has_segments = bert.config.type_vocab_size > 1
    # RoBERTa's positions begin after its padding id.
    padding_id: int | None = bert.embeddings.position_embeddings.padding_idx
    first = 0 if padding_id is None else padding_id + 1
    return bert.embeddings(
        input_ids=tokens.flatten()[packing.places][None],
        token_type_ids=segments.flatten()[packing.places][None] if has_segments else None,
        position_ids=packing.positions[None] + first,
    ).squeeze(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Transcripts of similar length, whose pieces follow each other; rows are one head's, (D,)."""

    size: int
    """G."""
    heads: int
    """H."""
    steps: int
    """L."""
    rows: Tensor
    """(G * H * L,) int64. Which of the n * H rows stands at a place; any where it is padding."""
    places: Tensor
    """(n * H,) int64. Place of each row."""
    padding: Tensor | None
    """(G * H * L, 1) bool, True where padded; None where nothing is."""
    bias: Tensor
    """(G * H, 1, L) float32, what is added to attention scores: -inf where padded."""

    @classmethod
    def of(cls, lengths: Tensor, heads: int, device: torch.device) -> Group:
        """Lay out transcripts of lengths (G,), each above 0."""
        size, steps = len(lengths), int(lengths.max())
        padding = torch.arange(steps) >= lengths[:, None]  # (G, L)
        pieces = ((lengths.cumsum(0) - lengths)[:, None] + torch.arange(steps)).masked_fill(
            padding, 0
        )
        head = torch.arange(heads)[:, None]
        rows = pieces[:, None] * heads + head  # (G, H, L)
        places = torch.arange(rows.numel()).view_as(rows).transpose(1, 2)[~padding]  # (n, H)
        padding = padding[:, None].expand(size, heads, steps)
        bias = torch.zeros(size * heads, 1, steps)
        bias.masked_fill_(padding.reshape_as(bias), -torch.inf)
        rows, places, bias = (part.to(device, non_blocking=True) for part in (rows, places, bias))
        return cls(
            size=size,
            heads=heads,
            steps=steps,
            rows=rows.flatten(),
            places=places.flatten(),
            padding=padding.reshape(-1, 1).to(device, non_blocking=True) if padding.any() else None,
            bias=bias,
        )

    @property
    def beta(self) -> int:
        """Share of the bias that counts."""
        return 0 if self.padding is None else 1

    def part(self, states: Tensor) -> Tensor:
        """Return packed states (n, W) by transcript and head: (G * H, L, D)."""
        rows = states.reshape(len(states) * self.heads, -1)
        taken = _Take.apply(rows, self.rows, self.places, None)
        return taken.unflatten(0, (-1, self.steps))

    def join(self, states: Tensor) -> Tensor:
        """Return states (G * H, L, D) packed again: (n, W)."""
        rows = _Take.apply(states.flatten(0, 1), self.places, self.rows, self.padding)
        return rows.reshape(len(rows) // self.heads, -1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Packing:
    """Where the real pieces of a batch are: one after the other, short transcripts first."""

    shape: tuple[int, int]
    """B, T."""
    places: Tensor
    """(N,) int64. Place of each piece in the batch (B * T)."""
    pieces: Tensor
    """(B * T,) int64. Which piece stands at a place; any where it is padding."""
    positions: Tensor
    """(N,) int64. Position of each piece in its transcript."""
    firsts: Tensor
    """(B',) int64. First piece of each transcript that has one."""
    rows: Tensor
    """(B',) int64. Row in the batch of each transcript that has a piece."""
    groups: tuple[Group, ...]

    @classmethod
    def of(cls, lengths: Tensor, steps: int, heads: int, device: torch.device) -> Packing:
        """Pack transcripts of lengths (B,), on the CPU, that are padded to `steps`."""
        order = lengths.argsort(stable=True)
        rows = order[lengths[order] > 0]
        real = lengths[rows]
        starts = real.cumsum(0) - real
        owners = torch.repeat_interleave(torch.arange(len(rows)), real)  # (N,)
        positions = torch.arange(len(owners)) - starts[owners]
        places = rows[owners] * steps + positions
        pieces = torch.zeros(len(lengths) * steps, dtype=torch.int64)
        pieces[places] = torch.arange(len(places))
        places, pieces, positions, firsts, rows = (
            part.to(device, non_blocking=True) for part in (places, pieces, positions, starts, rows)
        )
        return cls(
            shape=(len(lengths), steps),
            places=places,
            pieces=pieces,
            positions=positions,
            firsts=firsts,
            rows=rows,
            groups=tuple(
                Group.of(part, heads, device) for part in real.tensor_split(min(GROUPS, len(real)))
            ),
        )

    @property
    def group_sizes(self) -> list[int]:
        """Pieces of each group."""
        return [len(group.places) // group.heads for group in self.groups]

    def unpack(self, states: Tensor) -> Tensor:
        """Return states (N, W) where they stand in the batch: (B, T, W), padding undefined."""
        return _Take.apply(states, self.pieces, self.places, None).unflatten(0, self.shape)

    def unpack_first(self, states: Tensor) -> Tensor:
        """Return first states (B', W) in the batch's order: (B, 1, W), zero where there is none."""
        whole = states.new_zeros(self.shape[0], 1, states.shape[-1])
        whole[self.rows, 0] = states
        return whole


class _Take(torch.autograd.Function):
    """Rows taken by number; gradients are taken back by number too: nothing is added up."""

    @staticmethod
    def forward(
        ctx: Any, rows: Tensor, taken: Tensor, back: Tensor, padding: Tensor | None
    ) -> Tensor:
        """Return `rows[taken]`.

        `back` says where each row was taken to. Rows taken to padding get no gradient from there;
        where `padding` is given, it says which rows are padding and nobody took: they get none.
        """
        ctx.save_for_backward(back, padding)
        return rows.index_select(0, taken)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> Any:
        """Return the gradient of the rows."""
        back, padding = ctx.saved_tensors
        found = grad_outputs[0].index_select(0, back)
        return found if padding is None else found.masked_fill_(padding, 0), None, None, None


def _run(layer: Any, states: Tensor, packing: Packing) -> Tensor:
    """Return the states (N, W) after a layer."""
    attention = layer.attention.self
    parts = [
        project(states).split(packing.group_sizes)
        for project in (attention.query, attention.key, attention.value)
    ]
    mixed = [
        group.join(_attend(attention, group, *(group.part(part) for part in (query, key, value))))
        for group, query, key, value in zip(packing.groups, *parts, strict=True)
    ]
    return _finish(layer, torch.cat(mixed), states)


def _run_first(layer: Any, states: Tensor, packing: Packing) -> Tensor:
    """Return the first pieces' states (B', W) after a layer."""
    attention = layer.attention.self
    first = states[packing.firsts]  # (B', W)
    queries = attention.query(first).split([group.size for group in packing.groups])
    keys = attention.key(states).split(packing.group_sizes)
    values = attention.value(states).split(packing.group_sizes)
    mixed: list[Tensor] = []
    for group, query, key, value in zip(packing.groups, queries, keys, values, strict=True):
        query = query.reshape(group.size * group.heads, 1, -1)  # (G * H, 1, D)
        read = _attend(attention, group, query, group.part(key), group.part(value))
        mixed.append(read.reshape(group.size, -1))  # (G, W)
    return _finish(layer, torch.cat(mixed), first)


def _finish(layer: Any, mixed: Tensor, states: Tensor) -> Tensor:
    """Return what a layer makes of its attention and its input, (.., W) each."""
    states = layer.attention.output(mixed, states)
    return layer.output(layer.intermediate(states), states)


def _attend(attention: Any, group: Group, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Return what `query` (G * H, Q, D) reads in `key` and `value` (G * H, L, D)."""
    scores = torch.baddbmm(
        group.bias.to(query.dtype), query, key.mT, beta=group.beta, alpha=attention.scaling
    )  # (G * H, Q, L)
    return attention.dropout(scores.softmax(-1)) @ value
