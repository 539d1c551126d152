"""What this machine has to compute with: GPUs by NVML, CPU slots, and how much both are used."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

import psutil

from db.records import Device

MIB = 1 << 20


class Nvml:
    """The NVIDIA management library; empty on a machine without it."""

    def __init__(self) -> None:
        self._library: Any = _load_nvml()

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

    def foreign_processes(self, name: str, ours: Collection[int]) -> tuple[int, ...]:
        """Return pids of compute processes on a GPU that are not ours."""
        if self._library is None:
            return ()
        try:
            handle = self._library.nvmlDeviceGetHandleByIndex(int(name.removeprefix("cuda:")))
            running = self._library.nvmlDeviceGetComputeRunningProcesses(handle)
        except self._library.NVMLError:
            return ()
        return tuple(int(process.pid) for process in running if process.pid not in ours)

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
            model=f"{usable_cores() // number or 1} cores",
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


class UsageMeter:
    """Measures how much each device of this worker is used."""

    def __init__(self, nvml: Nvml) -> None:
        self._nvml = nvml
        self._processes: dict[int, psutil.Process] = {}

    def measure(self, devices: Sequence[Device], holders: Mapping[str, int]) -> tuple[Device, ...]:
        """Return the devices with their use now.

        Args:
            devices: of this worker.
            holders: device name to pid of the child that holds it.
        """
        gpus = {gpu.name: gpu for gpu in self._nvml.gpus()}
        self._forget(set(holders.values()))
        measured: list[Device] = []
        for device in devices:
            gpu = gpus.get(device.name)
            if gpu is not None:
                percent, memory = gpu.utilisation, gpu.memory_used_mib
            else:
                percent, memory = self._measure_process(holders.get(device.name))
            measured.append(replace(device, utilisation=percent, memory_used_mib=memory))
        return tuple(measured)

    def _measure_process(self, pid: int | None) -> tuple[float, int]:
        """Return CPU percent since the last call and resident MiB of a child with its children."""
        if pid is None:
            return 0.0, 0
        try:
            process = self._processes.setdefault(pid, psutil.Process(pid))
            with process.oneshot():
                return process.cpu_percent(), process.memory_info().rss // MIB
        except psutil.Error:
            return 0.0, 0

    def _forget(self, living: set[int]) -> None:
        for pid in set(self._processes) - living:
            del self._processes[pid]


def _load_nvml() -> Any:
    """Return the initialised library, or None without a driver."""
    import pynvml

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return None
    return pynvml
