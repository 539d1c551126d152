"""States of a frozen text encoder, kept on the disk for every run that meets them again.

    <folder>/<kind>/<random>.safetensors

A kind is what decides the numbers but for the word pieces: weights, libraries, machine, precision.
A file holds the states of transcripts that were new to the run that wrote it, by the hash of their
word pieces. Files appear whole and never change, so any number of runs may write at a time; they
are mapped, not read, so that runs on one machine share their memory. `setgf gc` removes them.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import platform
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from setgf.data.store import FeatureStore
from setgf.home import Home

_LAYOUT = 1


@dataclass(frozen=True, slots=True)
class Transcripts:
    """Word pieces of B transcripts."""

    tokens: Tensor
    """(B, T) int64."""
    segments: Tensor
    """(B, T) int64."""
    lengths: Tensor
    """(B,) int64, on the CPU, 0 <= length <= T."""

    def take(self, places: Sequence[int]) -> Transcripts:
        """Return some of them, in that order, cut to the longest."""
        chosen = list(places)
        lengths = self.lengths[chosen]
        steps = max(int(lengths.max()), 1)
        return Transcripts(self.tokens[chosen, :steps], self.segments[chosen, :steps], lengths)

    def names(self) -> list[str]:
        """Return the hash of each one's word piece ids and segments."""
        tokens, segments = self.tokens.cpu().numpy(), self.segments.cpu().numpy()
        return [
            hashlib.sha256(pieces[:length].tobytes() + kinds[:length].tobytes()).hexdigest()[:32]
            for pieces, kinds, length in zip(tokens, segments, self.lengths.tolist(), strict=True)
        ]


Encode = Callable[[Transcripts], Tensor]
"""Gives states (B, T, W), undefined where padded."""


class StateCache:
    """The states of one kind: what the disk has, and what is added to it."""

    def __init__(self, folder: Path) -> None:
        """Use `folder`, which need not be there; one that can't be written keeps nothing."""
        self._folder = folder
        self._known: dict[str, Tensor] = {}
        self._files: set[str] = set()
        self._is_writable = True

    def remember(
        self, names: Sequence[str], make: Callable[[list[int]], Sequence[Tensor]]
    ) -> list[Tensor]:
        """Return the states (length, W) of transcripts, those of the disk on the CPU.

        Args:
            names: of each transcript (`Transcripts.names`).
            make: gives the states of the transcripts at these places, which are then kept.
        """
        if any(name not in self._known for name in names):
            self._look_again()
        missing = [place for place, name in enumerate(names) if name not in self._known]
        if missing:
            fresh = dict(zip((names[place] for place in missing), make(missing), strict=True))
            self._known.update(fresh)
            self._add(fresh)
        return [self._known[name] for name in names]

    def _look_again(self) -> None:
        """Take up what was written since, by this run or by others; damaged files are left."""
        with contextlib.suppress(OSError):
            for path in sorted(self._folder.glob("*.safetensors")):
                if path.name not in self._files:
                    self._files.add(path.name)
                    with contextlib.suppress(OSError, SafetensorError):
                        self._known.update(load_file(path))

    def _add(self, states: Mapping[str, Tensor]) -> None:
        """Keep new states (length, W) by name, in a file that appears whole or not at all."""
        if not self._is_writable:
            return
        name = f"{secrets.token_hex(8)}.safetensors"
        temporary = self._folder / f".{name}"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with temporary.open("xb") as file:
                file.write(save({key: value.cpu() for key, value in states.items()}))
                file.flush()
                os.fsync(file.fileno())
            temporary.rename(self._folder / name)
            self._files.add(name)
        except OSError:
            self._is_writable = False
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)


class KeptStates:
    """States that never change: of each row of a split in memory, of word pieces on the disk."""

    def __init__(self, width: int) -> None:
        """Keep states of `width` numbers a word piece."""
        self.split: str | None = None
        """The split that rows belong to; None keeps nothing."""
        self.cache: StateCache | None = None
        """The disk; None keeps them in memory only."""
        self._width = width
        self._states: dict[str, dict[int, Tensor]] = {}

    def recall(self, encode: Encode, transcripts: Transcripts, rows: Sequence[int]) -> Tensor:
        """Return states (B, T, W), zero where padded; encode those that are met the first time.

        A transcript of length 0 has none, and none is kept: it may be missing for this once only.

        Args:
            encode: gives the states (B', T', W) of some of the transcripts.
            transcripts: B of them.
            rows: of each in the split.
        """
        states = self._states.setdefault(self.split or "", {})
        lengths: list[int] = transcripts.lengths.tolist()
        new = [place for place, row in enumerate(rows) if lengths[place] and row not in states]
        if new:
            found = self._look_up(encode, transcripts.take(new))
            states.update(zip((rows[place] for place in new), found, strict=True))
        none = torch.zeros(0, self._width, device=transcripts.tokens.device)
        some = zip(rows, lengths, strict=True)
        return pad_sequence([states[row] if length else none for row, length in some], True)

    def _look_up(self, encode: Encode, transcripts: Transcripts) -> list[Tensor]:
        """Return the states (length, W) of each transcript, from the disk where it has them."""

        def make(places: list[int]) -> list[Tensor]:
            return self._encode_apart(encode, transcripts.take(places))

        if self.cache is None:
            return make(list(range(len(transcripts.tokens))))
        found = self.cache.remember(transcripts.names(), make)
        return [states.to(transcripts.tokens.device) for states in found]

    def _encode_apart(self, encode: Encode, transcripts: Transcripts) -> list[Tensor]:
        """Return the states (length, W) of each transcript.

        On the CPU each is encoded alone: rounding depends on the company a sample is encoded in,
        and a resumed run, which meets the samples in another order, must repeat to the bit.
        """
        device, lengths = transcripts.tokens.device, transcripts.lengths
        none = torch.zeros(0, self._width, device=device)
        made = [none] * len(lengths)
        some = lengths.nonzero().flatten().tolist()
        alone = device.type == "cpu"
        for places in [[place] for place in some] if alone else filter(None, [some]):
            fresh = encode(transcripts.take(places))
            for place, length, hidden in zip(places, lengths[places].tolist(), fresh, strict=True):
                made[place] = hidden[:length].clone()
        return made


def state_folder(store: FeatureStore) -> Path:
    """Return the folder that keeps encoders' states, in the home of the store."""
    return Home(store.path.parent.parent).cache / "text_states"


def kind_of(encoder_sha256: str, device: torch.device, *, path: str) -> str:
    """Return the name of everything else that the numbers depend on, as things stand now.

    Args:
        encoder_sha256: of its settings and weights.
        device: where it runs; the precision is that of the autocast around the call.
        path: which of several ways to compute the same states is taken.
    """
    is_cpu = device.type == "cpu"
    is_mixed = torch.is_autocast_enabled(device.type)
    decisive = [
        _LAYOUT,
        encoder_sha256,
        torch.__version__,
        version("transformers"),
        version("setgf"),
        path,
        device.type,
        platform.machine(),
        torch.backends.cpu.get_cpu_capability() if is_cpu else torch.cuda.get_device_name(device),
        torch.get_num_threads() if is_cpu else 0,
        str(torch.get_autocast_dtype(device.type)) if is_mixed else "float32",
        torch.get_float32_matmul_precision(),
    ]
    return hashlib.sha256(json.dumps(decisive).encode()).hexdigest()[:32]
