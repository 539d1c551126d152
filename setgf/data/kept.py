"""Sequences of a split as padded batches on one device; kept there when they fit.

Shapes: N samples of the split, F_total rows of all sequences, B batch, T longest of the batch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from setgf.data.memory import free_memory
from setgf.data.ragged import Array, Integers, count_up, offsets_of

_MIB = 1 << 20
_SHARE_OF_FREE = 0.25
_SMALL = 64 * _MIB
"""What nobody asks the machine about."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SequenceMaker:
    """How the rows of a split's sequences are made."""

    lengths: Integers
    """(N,) int64. Rows of every sequence."""
    row_shape: tuple[int, ...]
    """`(D,)`, or `()` where a row is one number."""
    dtype: torch.dtype
    make: Callable[[Integers], Array]
    """Gives the rows of some sequences, back to back; each the same whatever the company."""

    @property
    def size(self) -> int:
        """Bytes of all rows."""
        return (int(self.lengths.sum()) + 1) * int(np.prod(self.row_shape)) * self.dtype.itemsize


class PaddedSequences:
    """Gives the sequences of a split by row, padded with zeros, on a device.

    Kept rows are made once, when they are first asked for: nothing is read before it is needed.
    """

    def __init__(self, maker: SequenceMaker, device: torch.device, *, keep: bool) -> None:
        self._maker = maker
        self._device = device
        self._offsets = offsets_of(maker.lengths)
        self._rows: Tensor | None = None
        if keep:
            count = int(self._offsets[-1])
            # Memory that nobody has written to yet costs nothing on the CPU.
            self._rows = torch.empty(
                (count + 1, *maker.row_shape), dtype=maker.dtype, device=device
            )
            self._rows[count] = 0  # what padding points at
            self._is_there = np.zeros(len(maker.lengths), np.bool_)

    def padded(self, index: Integers) -> tuple[Tensor, Tensor]:
        """Return (B, T, ...) on the device, 1 <= T, and lengths (B,) int64 on the CPU."""
        lengths = self._maker.lengths[index]
        steps = max(int(lengths.max(initial=0)), 1)
        if self._rows is None:
            values = self._pad(self._maker.make(index), lengths, steps)
        else:
            self._make_missing(index)
            values = self._take(index, lengths, steps)
        return values, as_tensor(lengths)

    def _make_missing(self, index: Integers) -> None:
        missing = index[~self._is_there[index]]
        if not len(missing) or self._rows is None:
            return
        lengths = self._maker.lengths[missing]
        places = np.repeat(self._offsets[missing], lengths) + count_up(lengths)
        made = send(self._maker.make(missing), self._device).to(self._maker.dtype)
        self._rows.index_copy_(0, send(places, self._device), made)
        self._is_there[missing] = True

    def _take(self, index: Integers, lengths: Integers, steps: int) -> Tensor:
        """Return kept rows (B, T, ...); one gather, padding included."""
        rows = self._rows
        assert rows is not None
        position = np.arange(steps)
        places = np.where(
            position < lengths[:, None],
            self._offsets[index][:, None] + position,
            len(rows) - 1,
        )
        taken = rows.index_select(0, send(places.reshape(-1), self._device))
        return taken.view(len(index), steps, *self._maker.row_shape)

    def _pad(self, values: Array, lengths: Integers, steps: int) -> Tensor:
        """Return rows that lie back to back as (B, T, ...)."""
        padded = torch.zeros((len(lengths), steps, *self._maker.row_shape), dtype=self._maker.dtype)
        held, place = padded.numpy(), 0
        for row, length in enumerate(lengths.tolist()):
            held[row, :length] = values[place : place + length]
            place += length
        return _to(padded, self._device)


def fits(size: int, limit_mib: int, device: torch.device) -> bool:
    """Return whether a split of so many bytes may be kept: the limit, a quarter of what is free."""
    if size > limit_mib * _MIB:
        return False
    if device.type == "cpu" and size <= _SMALL:
        return True
    free = torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else free_memory()
    return size <= free * _SHARE_OF_FREE


def send(values: Array, device: torch.device) -> Tensor:
    """Return an array as a tensor on a device, without waiting for it."""
    return _to(as_tensor(values), device)


def as_tensor(values: Array) -> Tensor:
    """Return an array as a tensor on the CPU."""
    return torch.from_numpy(values)  # pyright: ignore[reportUnknownMemberType]


def _to(values: Tensor, device: torch.device) -> Tensor:
    if device.type == "cpu":
        return values
    return values.pin_memory().to(device, non_blocking=True)
