"""Which waiting job goes on which free device: a pure function, no clock, no database.

A job gets whole GPUs, a part of one, or as much of one as its memory needs; without a GPU it gets a
CPU slot. Parts are packed onto the fullest device that has room, so that whole ones stay free. A
job that waits keeps the devices it waits for from all later ones, unless it waits for programs that
are not ours to end: nobody starves, and nobody waits for a stranger.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from db.records import Device, Job
from setgf.worker.memory import Need

_SHARE_STEP = 0.01
_ROUNDING = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """A job that can start now, and the devices it would hold."""

    job: Job
    devices: tuple[str, ...]
    share: float = 1.0
    """Part of each device."""
    host_mib: int | None = None
    """Memory of the machine it is promised; None when its need is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Obstacle:
    """Why a job can't start on this worker now, in words."""

    job: Job
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """What is left of a device."""

    device: Device
    free_share: float = 1.0
    """Part that is not given out."""
    free_mib: int | None = None
    """Memory neither in use nor promised; None when it is not known."""
    foreign_mib: int = 0
    """Memory that programs hold which are not ours."""
    is_closed: bool = False
    """In use by others, and not to be shared with them."""
    is_reserved: bool = False
    """A job that came first waits for it."""

    @property
    def name(self) -> str:
        """The device's name."""
        return self.device.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """What is left of the machine's memory, and what runs on it."""

    free_mib: int | None = None
    """Neither in use nor promised; None when it is not known."""
    ours_mib: int = 0
    """What our own attempts hold or were promised."""
    num_running: int = 0
    """Attempts of this worker."""
    has_lonely: bool = False
    """One of them must have the worker to itself."""


def place(
    candidates: Sequence[tuple[Job, Need]], rooms: Sequence[Room], host: Host
) -> tuple[tuple[Placement, ...], tuple[Obstacle, ...]]:
    """Give what is free to jobs in the order given.

    Args:
        candidates: jobs that may start, best first, with what each needs.
        rooms: all devices of this worker.
        host: the machine.
    """
    table = _Table(rooms, host)
    placements: list[Placement] = []
    obstacles: list[Obstacle] = []
    for job, need in candidates:
        answer = table.answer(job, need)
        if isinstance(answer, Placement):
            placements.append(answer)
        else:
            obstacles.append(Obstacle(job=job, why=answer))
    return tuple(placements), tuple(obstacles)


def fits_ever(need: Need, devices: Sequence[Device]) -> bool:
    """True when this worker could run such a job with nothing else on its devices."""
    return _never(need, [Room(device=device) for device in devices]) is None


def share_of(need: Need, device: Device) -> float:
    """Return the part of a device a job would hold, in steps of a hundredth."""
    if need.share is not None:
        return need.share
    if need.device_mib is None or device.memory_mib <= 0:
        return 1.0
    steps = need.device_mib / device.memory_mib / _SHARE_STEP
    return min(1.0, math.ceil(steps - _ROUNDING) * _SHARE_STEP)


class _Table:
    """What is left while jobs are placed one after the other."""

    def __init__(self, rooms: Sequence[Room], host: Host) -> None:
        self.rooms = {room.name: room for room in rooms}
        self.host = host
        self.is_host_reserved = False
        """A job that came first waits for memory of the machine, or to be alone on it."""

    def answer(self, job: Job, need: Need) -> Placement | str:
        """Return where a job goes, or why it can't start."""
        mine = [room for room in self.rooms.values() if room.device.kind == need.kind]
        never = _never(need, mine)
        if never is not None:
            return never
        waits = self._waits_for_host(need)
        if waits is not None:
            return waits
        suited = [room for room in mine if not room.is_reserved and _suits(need, room)]
        if len(suited) < need.devices:
            return self._wait_for_devices(need, mine)
        chosen = sorted(suited, key=lambda room: room.free_share)[: need.devices]
        return self._take(job, need, chosen)

    def _waits_for_host(self, need: Need) -> str | None:
        """Return why the machine as a whole has no room, and keep it for this job."""
        if self.host.has_lonely:
            return "waits for a job that must run alone"
        if self.is_host_reserved:
            return "waits for a job before it that needs more of the machine"
        if need.kind == "cpu" and need.is_alone and self.host.num_running:
            self.is_host_reserved = True
            return "waits to run alone: it ran out of memory beside others"
        if need.host_mib is None or self.host.free_mib is None:
            return None
        if need.host_mib <= self.host.free_mib:
            return None
        is_ours_to_end = need.host_mib <= self.host.free_mib + self.host.ours_mib
        if not self.host.num_running and not need.is_declared:
            return None  # measured on another day: nothing would ever free more
        self.is_host_reserved = is_ours_to_end
        return (
            f"waits for memory: needs {need.host_mib} MiB, and {max(0, self.host.free_mib)} MiB "
            "of the machine are free"
        )

    def _wait_for_devices(self, need: Need, mine: Sequence[Room]) -> str:
        """Keep the devices a job waits for from those behind it; return why it waits."""
        hoped = [room for room in mine if _will_suit(need, room) and not room.is_reserved]
        best = sorted(hoped, key=lambda room: -room.free_share)[: need.devices]
        if len(best) == need.devices:
            for room in best:
                self.rooms[room.name] = replace(room, is_reserved=True)
        if need.kind == "cpu":
            return "waits for a CPU slot"
        others = [room for room in mine if not _will_suit(need, room)]
        if len(mine) - len(others) < need.devices:
            held = ", ".join(f"{room.name} ({room.foreign_mib} MiB)" for room in others)
            return f"waits for a GPU that other programs use: {held}"
        return "waits for a GPU" if need.device_mib is None else "waits for memory of a GPU"

    def _take(self, job: Job, need: Need, chosen: Sequence[Room]) -> Placement:
        share = max(share_of(need, room.device) for room in chosen)
        for room in chosen:
            left = None if room.free_mib is None else room.free_mib - _promise(need, room, share)
            self.rooms[room.name] = replace(room, free_share=room.free_share - share, free_mib=left)
        host = self.host
        left = None if host.free_mib is None else host.free_mib - (need.host_mib or 0)
        self.host = replace(
            host,
            free_mib=left,
            ours_mib=host.ours_mib + (need.host_mib or 0),
            num_running=host.num_running + 1,
            has_lonely=need.kind == "cpu" and need.is_alone,
        )
        return Placement(
            job=job,
            devices=tuple(room.name for room in chosen),
            share=share,
            host_mib=need.host_mib,
        )


def _suits(need: Need, room: Room) -> bool:
    """True when a job could start on a device now."""
    share = share_of(need, room.device)
    if room.is_closed or room.free_share + _ROUNDING < share:
        return False
    wanted = _wanted_mib(need, room)
    return wanted is None or room.free_mib is None or room.free_mib >= wanted


def _will_suit(need: Need, room: Room) -> bool:
    """True when a job could start on a device once all of ours on it have ended."""
    if room.is_closed:
        return False
    free = room.device.memory_mib - room.foreign_mib
    wanted = _wanted_mib(need, room)
    return wanted is None or room.free_mib is None or free >= wanted


def _wanted_mib(need: Need, room: Room) -> int | None:
    """Return the memory a job must find free on a device: what it needs, or its part of it."""
    if need.kind == "cpu":
        return None
    if need.device_mib is not None:
        return need.device_mib
    share = share_of(need, room.device)
    return None if share >= 1.0 else int(share * room.device.memory_mib)


def _promise(need: Need, room: Room, share: float) -> int:
    return need.device_mib or int(share * room.device.memory_mib)


def _never(need: Need, rooms: Sequence[Room]) -> str | None:
    """Return why this worker can never run such a job; None when it can."""
    mine = [room.device for room in rooms if room.device.kind == need.kind]
    if need.devices > len(mine):
        name = "CPU slots" if need.kind == "cpu" else "GPUs"
        return f"needs {need.devices} {name}, but this worker has {len(mine)}"
    if need.kind == "cpu":
        total = max(device.memory_mib for device in mine)
        if need.is_declared and need.host_mib is not None and need.host_mib > total:
            return f"needs {need.host_mib} MiB, but this machine has {total} MiB"
        return None
    if need.device_mib is None:
        return None
    enough = [device for device in mine if device.memory_mib >= need.device_mib]
    if len(enough) < need.devices:
        largest = max(device.memory_mib for device in mine)
        return f"needs {need.device_mib} MiB of a GPU, but the largest here has {largest} MiB"
    return None
