"""Parts of networks computed a second time, sample by sample and head by head, from the equations.

Everything is one sample without padding: steps (T, F), float32.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor


def linear(layer: Any, vector: Tensor) -> Tensor:
    product = vector @ layer.weight.T
    return product if layer.bias is None else product + layer.bias


def norm(layer: Any, states: Tensor) -> Tensor:
    centred = states - states.mean(-1, keepdim=True)
    variance = centred.square().mean(-1, keepdim=True)
    return centred / (variance + layer.eps).sqrt() * layer.weight + layer.bias


def lstm_states(lstm: Any, frames: Tensor) -> Tensor:
    """Hidden state of a one-layer LSTM after every frame (T, H)."""
    hidden = cell = torch.zeros(lstm.hidden_size)
    states: list[Tensor] = []
    for frame in frames:
        gates = lstm.weight_ih_l0 @ frame + lstm.bias_ih_l0
        gates = gates + lstm.weight_hh_l0 @ hidden + lstm.bias_hh_l0
        take, keep, value, show = gates.chunk(4)
        cell = keep.sigmoid() * cell + take.sigmoid() * value.tanh()
        hidden = show.sigmoid() * cell.tanh()
        states.append(hidden)
    return torch.stack(states)


def convolution(layer: Any, steps: Tensor) -> Tensor:
    """Weighted sums (T, D) of each step and its neighbours; beyond the ends there is nothing."""
    kernel = layer.weight.shape[-1]
    out = torch.zeros(len(steps), layer.weight.shape[0])
    for place in range(len(steps)):
        for tap in range(kernel):
            source = place + tap - kernel // 2
            if 0 <= source < len(steps):
                out[place] += layer.weight[:, :, tap] @ steps[source]
    return out


def positions(count: int, width: int) -> Tensor:
    table = torch.zeros(count, width)
    for place in range(count):
        for column in range(width):
            angle = place / 10000 ** (2 * (column // 2) / width)
            table[place, column] = math.cos(angle) if column % 2 else math.sin(angle)
    return table


def multihead(query: Tensor, key: Tensor, value: Tensor, heads: int) -> Tensor:
    size = query.shape[-1] // heads
    parts: list[Tensor] = []
    for head in range(heads):
        cut = slice(head * size, (head + 1) * size)
        weights = (query[:, cut] @ key[:, cut].T / math.sqrt(size)).softmax(-1)
        parts.append(weights @ value[:, cut])
    return torch.cat(parts, -1)


def block(module: Any, reader: Tensor, source: Tensor) -> Tensor:
    """Z + W_o MultiHead(LN Z, LN Y, LN Y), then + FFN(LN Z)."""
    attention, feedforward = module.attention, module.feedforward
    query = linear(attention.query, norm(module.query_norm, reader))
    key, value = linear(attention.key_value, norm(module.key_norm, source)).chunk(2, -1)
    read = multihead(query, key, value, attention.heads)
    states = reader + linear(attention.output, read)
    hidden = feedforward[2](linear(feedforward[1], norm(feedforward[0], states)))
    return states + linear(feedforward[3], hidden)


def stack(blocks: Any, reader: Tensor, source: Tensor) -> Tensor:
    for module in blocks:
        reader = block(module, reader, source)
    return reader


def memory(module: Any, readings: Sequence[Tensor]) -> Tensor:
    """Self-attention over readings side by side, weighted mean over steps."""
    states = torch.cat(list(readings), -1)
    for inner in module.blocks:
        states = block(inner, states, states)
    states = norm(module.norm, states)
    weights = (states @ module.pooling.weigh.weight[0]).softmax(0)
    return weights @ states


def score(head: Any, vector: Tensor) -> Tensor:
    feature = torch.relu(linear(head.first, vector))
    return linear(head.third, torch.relu(linear(head.second, feature)))[0]
