"""How much memory a job needs: declared, or measured in earlier attempts of the same kind of work.

Words of a job: `memory_mib` None asks for a whole GPU, 0 for as much of one as earlier attempts
needed, more is a declared figure. Without a GPU it is the machine's memory. Pure functions.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from db.records import Job

BY_MEASUREMENT = 0
"""`memory_mib` of a job that shares a GPU by what was measured."""
HEADROOM = 1.1
"""Times the measured peak: an allocator's fragments, a longer batch."""
HEADROOM_MIB = 256
_DECISIVE: Mapping[str, tuple[str, ...] | None] = {
    "data": ("name", "modalities", "max_frames", "max_tokens", "keep_mib"),
    "text": ("encoder", "finetune"),
    "model": None,
    "optim": ("optimizer", "batch_size"),
    "train": ("precision", "device"),
}
"""Settings that decide how much memory a run needs; None: all of that part."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """What a job needs of this machine."""

    kind: str
    """`cpu` or `gpu`."""
    devices: int
    """How many of them."""
    share: float | None
    """Part of each; None: so much as `device_mib` is of the device."""
    device_mib: int | None = None
    """Memory of each GPU; None when it is not known."""
    host_mib: int | None = None
    """Memory of the machine; None when it is not known."""
    is_declared: bool = False
    """A user said `host_mib`; else it was measured."""
    is_alone: bool = False
    """No other job beside it on its devices; without a GPU: on this worker."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Peaks:
    """The most that earlier attempts of the same kind of work held, in MiB; None: not measured."""

    host: int | None = None
    gpu: int | None = None


def memory_key(config: Mapping[str, Any], kind: str) -> str:
    """Return the key under which the peak of this kind of work is remembered.

    Args:
        config: nested settings of a job.
        kind: `host` for the machine's memory, `gpu` for a GPU's.
    """
    chosen = {
        part: {
            name: value
            for name, value in dict(config.get(part) or {}).items()
            if names is None or name in names
        }
        for part, names in _DECISIVE.items()
    }
    text = json.dumps(chosen, sort_keys=True, separators=(",", ":"))
    words = (kind, chosen["data"].get("name"), chosen["model"].get("name"))
    batch = chosen["optim"].get("batch_size")
    digest = hashlib.sha256(text.encode()).hexdigest()[:12]
    return " ".join(str(word) for word in (*words, f"batch {batch}", digest))


def need_of(job: Job, peaks: Peaks) -> Need:
    """Return what a job needs; what nobody declared or measured is not known."""
    if job.gpus <= 0:
        declared = job.memory_mib or None
        return Need(
            kind="cpu",
            devices=1,
            share=1.0,
            host_mib=with_headroom(peaks.host) if declared is None else declared,
            is_declared=declared is not None,
            is_alone=job.is_alone,
        )
    mib = job.memory_mib or with_headroom(peaks.gpu)
    return Need(
        kind="gpu",
        devices=max(1, round(job.gpus)),
        share=_share(job, mib),
        device_mib=mib,
        host_mib=with_headroom(peaks.host),
        is_alone=job.is_alone,
    )


def _share(job: Job, mib: int | None) -> float | None:
    """Return the part of a GPU a job asks for; None when its memory decides."""
    if job.is_alone:
        return 1.0
    if job.memory_mib is not None:
        return 1.0 if mib is None else None
    return job.gpus if job.gpus < 1 else 1.0


def with_headroom(peak_mib: int | None) -> int | None:
    """Return what to plan for after a measured peak, in MiB.

    >>> with_headroom(1000)
    1356
    """
    return None if peak_mib is None else round(peak_mib * HEADROOM) + HEADROOM_MIB
