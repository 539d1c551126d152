"""Sequences of different lengths brought onto the same steps.

Shapes: B batch, T steps, N steps after alignment, D width.
"""

from __future__ import annotations

import torch
from torch import Tensor

from setgf.model.sequence import Sequence, as_sequence


def align(sequence: Sequence, lengths: Tensor) -> Sequence:
    """Return a sequence with as many steps as asked, each the mean of consecutive ones.

    A sample's steps are cut into windows whose sizes differ by one at most; where there are fewer
    steps than asked, some stand in several windows. A sample without steps becomes zeros.

    Args:
        sequence: states (B, T, D).
        lengths: (B,) int64, on the CPU. Steps every sample is to have, 0 or more.

    Returns:
        States (B, N, D), N the largest of `lengths`, at least 1.
    """
    states = sequence.states
    starts, ends = _windows(sequence.lengths, lengths)  # (B, N) each, on the CPU
    places = torch.arange(states.shape[1], device=states.device)
    first, after = starts.to(states.device)[..., None], ends.to(states.device)[..., None]
    is_inside = (places >= first) & (places < after)  # (B, N, T)
    shares = is_inside.to(states) / (after - first).clamp(min=1).to(states)
    return as_sequence(shares @ states, lengths)


def _windows(have: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor]:
    """Return first step, and step after the last, of every window (B, N): none without steps."""
    number = torch.arange(max(int(wanted.max()), 1))  # (N,)
    have, wanted = have[:, None], wanted.clamp(min=1)[:, None]
    starts = number * have // wanted
    ends = torch.maximum((number + 1) * have // wanted, starts + 1)
    return starts.minimum(have), ends.minimum(have)
