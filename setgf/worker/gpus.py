"""What this machine has to compute with: GPUs by NVML, CPU slots, and how much both are used."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil

from db.records import Device

MIB = 1 << 20


class Nvml:
    """The NVIDIA management library; empty on a machine without it."""

    def __init__(self, library: Any = None) -> None:
        self._library: Any = _load_nvml() if library is None else library

    def gpus(self) -> tuple[Device, ...]:
        """Return the GPUs by `cuda:<index>`, without a worker, with their use now."""
        if self._library is None:
            return ()
        found: list[Device] = []
        for index in range(self._library.nvmlDeviceGetCount()):
            try:
                found.append(self._read(index))
            except self._library.NVMLError:
                continue
        return tuple(found)

    def processes(self, name: str) -> Mapping[int, int]:
        """Return the MiB of every compute process on a GPU, by pid.

        A container may see numbers of the machine outside of it, or none at all.
        """
        if self._library is None:
            return {}
        try:
            handle = self._library.nvmlDeviceGetHandleByIndex(int(name.removeprefix("cuda:")))
            running = self._library.nvmlDeviceGetComputeRunningProcesses(handle)
        except self._library.NVMLError:
            return {}
        return {int(entry.pid): int(entry.usedGpuMemory or 0) // MIB for entry in running}

    def _read(self, index: int) -> Device:
        library = self._library
        handle = library.nvmlDeviceGetHandleByIndex(index)
        memory = library.nvmlDeviceGetMemoryInfo(handle)
        try:
            utilisation = float(library.nvmlDeviceGetUtilizationRates(handle).gpu)
        except library.NVMLError:  # a card cut into instances has no such number
            utilisation = 0.0
        model = library.nvmlDeviceGetName(handle)
        return Device(
            worker_id="",
            name=f"cuda:{index}",
            kind="gpu",
            model=model.decode() if isinstance(model, bytes) else str(model),
            memory_mib=int(memory.total) // MIB,
            memory_used_mib=int(memory.used) // MIB,
            utilisation=utilisation,
            job_id=None,
        )


def default_slots() -> int:
    """Return how many CPU jobs run at once by default: half the cores this process may use."""
    return max(1, usable_cores() // 2)


def usable_cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0))


def cpu_slots(number: int) -> tuple[Device, ...]:
    """Return CPU slots `cpu0`, `cpu1`, ... without a worker."""
    memory = psutil.virtual_memory()
    return tuple(
        Device(
            worker_id="",
            name=f"cpu{index}",
            kind="cpu",
            model="1 core" if (cores := usable_cores() // number) <= 1 else f"{cores} cores",
            memory_mib=memory.total // MIB,
            memory_used_mib=0,
            utilisation=0.0,
            job_id=None,
        )
        for index in range(number)
    )


def choose_gpus(gpus: Sequence[Device], wanted: Collection[int] | None) -> tuple[Device, ...]:
    """Keep the GPUs by index; None keeps those that `CUDA_VISIBLE_DEVICES` leaves."""
    if wanted is None:
        visible = os.environ.get("CUDA_VISIBLE_DEVICES")
        if visible is None:
            return tuple(gpus)
        wanted = [int(part) for part in visible.split(",") if part.strip().isdecimal()]
    names = {f"cuda:{index}" for index in wanted}
    return tuple(gpu for gpu in gpus if gpu.name in names)


def free_memory_mib() -> int:
    """Return the memory that a new process of this machine can have: in a container, its rest."""
    free = psutil.virtual_memory().available // MIB
    group = Path("/sys/fs/cgroup")
    try:
        limit = (group / "memory.max").read_text(encoding="ascii").strip()
        used = int((group / "memory.current").read_text(encoding="ascii"))
        cached = dict(
            line.split()
            for line in (group / "memory.stat").read_text(encoding="ascii").splitlines()
        )
    except (OSError, ValueError):
        return free
    if not limit.isdecimal():
        return free
    given_back = int(cached.get("inactive_file", 0))
    return max(0, min(free, (int(limit) - used + given_back) // MIB))


def _load_nvml() -> Any:
    """Return the initialised library, or None without a driver."""
    import pynvml

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return None
    return pynvml
