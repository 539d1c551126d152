"""States of one modality with their padding, and how to pool them over time.

Shapes: B batch, T steps, D width.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from setgf.data.batch import padding_mask


@dataclass(frozen=True, slots=True, kw_only=True)
class Sequence:
    """The states of one modality; there is always at least one step, be it padding."""

    states: Tensor
    """(B, T, D) float32, zero where padded, 1 <= T."""
    lengths: Tensor
    """(B,) int64, on the CPU, 0 <= length <= T."""
    padding: Tensor
    """(B, T) bool, True where padded."""

    def with_states(self, states: Tensor) -> Sequence:
        """Return the same steps with other states (B, T, D'), zero where padded."""
        return replace(self, states=states.masked_fill(self.padding[..., None], 0))

    @property
    def is_present(self) -> Tensor:
        """(B, 1) bool. Samples that have at least one step."""
        return ~self.padding[:, :1]


def as_sequence(states: Tensor, lengths: Tensor) -> Sequence:
    """Return padded states (B, T, D) and lengths (B,) as a sequence; no step becomes one padded."""
    if states.shape[1] == 0:
        states = F.pad(states, (0, 0, 0, 1))  # (B, 1, D)
    padding = padding_mask(lengths, states.shape[1], states.device)
    return Sequence(
        states=states.masked_fill(padding[..., None], 0), lengths=lengths, padding=padding
    )


def masked_mean(sequence: Sequence) -> Tensor:
    """Return the mean over real steps (B, D); zero for a sample without any."""
    count = sequence.lengths.clamp(min=1).to(sequence.states)
    return sequence.states.sum(1) / count[:, None]  # (B, D)


def masked_max(sequence: Sequence) -> Tensor:
    """Return the maximum over real steps (B, D); zero for a sample without any."""
    lowest = torch.finfo(sequence.states.dtype).min
    highest = sequence.states.masked_fill(sequence.padding[..., None], lowest).amax(1)  # (B, D)
    return highest.masked_fill(~sequence.is_present, 0)


def pack(sequence: Sequence) -> PackedSequence:
    """Return the real steps for a recurrent network, which then reads no padding.

    A sample without any has one step of zeros, as packing refuses none: `unpack` masks it, and who
    takes a last state has to (`Sequence.is_present`).
    """
    return pack_padded_sequence(
        sequence.states, sequence.lengths.clamp(min=1), batch_first=True, enforce_sorted=False
    )


def unpack(packed: PackedSequence, sequence: Sequence) -> Sequence:
    """Return packed states (D' wide) at the steps of `sequence`, zero where padded."""
    states, _ = pad_packed_sequence(
        packed, batch_first=True, total_length=sequence.states.shape[1]
    )  # (B, T, D')
    return sequence.with_states(states)


def read_both_ways(lstm: nn.LSTM, sequence: Sequence) -> Sequence:
    """Return states (B, T, 2 H) of a bidirectional LSTM over real steps, zero where padded.

    On the CPU each direction reads padded steps, after the real ones: torch's packed LSTM makes
    small products step by step there, its padded one is a single kernel.

    Args:
        lstm: batch first, one layer.
        sequence: states (B, T, D).
    """
    if sequence.states.is_cuda:
        return unpack(lstm(pack(sequence))[0], sequence)
    steps = torch.arange(sequence.states.shape[1])
    ends = sequence.lengths[:, None]
    turned = torch.where(steps < ends, ends - 1 - steps, steps)[..., None]  # (B, T, 1)
    ahead = _read(lstm, sequence.states, "")
    states = sequence.states.take_along_dim(turned, 1)
    back = _read(lstm, states, "_reverse").take_along_dim(turned, 1)
    return sequence.with_states(torch.cat([ahead, back], -1))


def _read(lstm: nn.LSTM, states: Tensor, direction: str) -> Tensor:
    """Return the hidden states (B, T, H) of one direction over all steps, from the first."""
    names = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
    weights = [getattr(lstm, name + direction) for name in names]
    start = states.new_zeros(1, len(states), lstm.hidden_size)
    return torch.lstm(states, (start, start), weights, True, 1, 0.0, lstm.training, False, True)[0]


def last_hidden(lstm: nn.LSTM, sequence: Sequence) -> Tensor:
    """Return the last layer's hidden state after the last real step (B, H); zero without any.

    Args:
        lstm: batch first, in one direction.
        sequence: states (B, T, D).
    """
    _, (hidden, _) = lstm(pack(sequence))
    # By index and not squeezed: a batch of one must stay a batch (MMSA#21).
    return hidden[-1].masked_fill(~sequence.is_present, 0)


class AttentionPooling(nn.Module):
    """Mean over real steps, weighted by a learnt softmax over them."""

    if TYPE_CHECKING:

        def __call__(self, sequence: Sequence) -> Tensor:
            """Call `forward`."""
            ...

    def __init__(self, width: int) -> None:
        super().__init__()
        # No bias: the softmax would cancel it, and its gradient is always zero.
        self.weigh = nn.Linear(width, 1, bias=False)

    def forward(self, sequence: Sequence) -> Tensor:
        """Return (B, D); zero for a sample without a real step."""
        logits = self.weigh(sequence.states).squeeze(-1).float()  # (B, T)
        lowest = torch.finfo(logits.dtype).min
        # Finite and not -inf: a row without a real step becomes uniform over zeros, not NaN.
        weights = logits.masked_fill(sequence.padding, lowest).softmax(-1)
        pooled = weights[:, None].to(sequence.states) @ sequence.states  # (B, 1, D)
        return pooled.squeeze(1)  # (B, D)
