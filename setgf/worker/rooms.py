"""What is left of this worker's devices: shares not given out, memory that is really free."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from db.records import Device
from setgf.worker.placement import Room

DRIVER_MIB = 1024
"""A GPU nobody computes on holds less than this: the driver's own, a desktop's windows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuUse:
    """What the management library says of a GPU."""

    used_mib: int
    """All together, by whomever."""
    processes: Mapping[int, int] = field(default_factory=dict[int, int])
    """MiB by pid, as far as they can be seen."""


def gpu_room(
    device: Device, use: GpuUse, *, given: float, ours: Collection[int], share_gpus: bool
) -> Room:
    """Return what is left of a GPU.

    Memory that was given out counts as used, though the job may still be loading; so does memory in
    use beyond that, by whomever.

    Args:
        device: the GPU.
        use: what the management library says of it now.
        given: part of it that jobs of this machine hold.
        ours: pids of all processes of those jobs.
        share_gpus: give out what other programs leave free; else a GPU they use is left to them.
    """
    foreign = _foreign_mib(device, use, given=given, ours=ours)
    promised = int(given * device.memory_mib)
    return Room(
        device=device,
        free_share=max(0.0, 1.0 - given),
        free_mib=device.memory_mib - max(use.used_mib, promised + foreign),
        foreign_mib=foreign,
        is_closed=foreign > 0 and not share_gpus,
    )


def slot_room(device: Device, *, is_taken: bool) -> Room:
    """Return what is left of a CPU slot: all or nothing."""
    return Room(device=device, free_share=0.0 if is_taken else 1.0)


def _foreign_mib(device: Device, use: GpuUse, *, given: float, ours: Collection[int]) -> int:
    """Return the memory that programs hold which are not ours; 0 when there is none."""
    strangers = {pid: mib for pid, mib in use.processes.items() if pid not in ours}
    if strangers and (given <= 0 or len(strangers) < len(use.processes)):
        return max(1, sum(strangers.values()))
    # No pids, or none that mean anything in this container: what we did not give out is foreign.
    beyond = use.used_mib - int(given * device.memory_mib)
    return beyond if beyond > DRIVER_MIB else 0
