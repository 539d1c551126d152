"""A worker says that it is there: its row, its heartbeat, its devices and their use."""

from __future__ import annotations

import os
import socket
from collections.abc import Collection, Mapping
from dataclasses import replace

from sqlalchemy import Connection

from db.engine import Database
from db.errors import NotFoundError
from db.records import Device, NewWorker, Sample
from db.workers import add_samples, forget_samples, heartbeat, register_worker, stop_worker
from setgf import __version__
from setgf.errors import WorkerError
from setgf.worker.gpus import Nvml, choose_gpus, cpu_slots
from setgf.worker.rooms import GpuUse
from setgf.worker.supervision import boot_id, start_ticks

SAMPLES_KEPT_SECONDS = 24 * 3600.0
FORGET_SECONDS = 300.0
"""Between two times that samples are forgotten."""


class Presence:
    """The rows of one worker in `workers`, `devices` and `samples`."""

    def __init__(
        self,
        database: Database,
        worker_id: str,
        *,
        slots: int,
        gpus: Collection[int] | None,
        nvml: Nvml | None = None,
    ) -> None:
        self.database = database
        self.worker_id = worker_id
        nvml = Nvml() if nvml is None else nvml
        self.devices = tuple(
            replace(device, worker_id=worker_id) for device in find_devices(nvml, slots, gpus)
        )
        self._nvml = nvml
        self._forgot_at = 0.0

    def register(self, now: float) -> None:
        """Store that the worker is there, with its devices."""
        with self.database.write() as connection:
            register_worker(connection, self._describe(), now=now)

    def beat(self, connection: Connection, now: float) -> None:
        """Store that the worker lives; a database that was made anew learns of it again."""
        try:
            heartbeat(connection, self.worker_id, now=now)
        except NotFoundError:
            register_worker(connection, self._describe(), now=now)

    @property
    def has_gpus(self) -> bool:
        """True when it has GPUs to give out."""
        return any(device.kind == "gpu" for device in self.devices)

    def gpu_use(self) -> Mapping[str, GpuUse]:
        """Return how much of each GPU is in use, and by whom."""
        if not self.has_gpus:
            return {}
        return {
            gpu.name: GpuUse(used_mib=gpu.memory_used_mib, processes=self._nvml.processes(gpu.name))
            for gpu in self._nvml.gpus()
        }

    def sample(self, slots: Mapping[str, tuple[float, int]], now: float) -> None:
        """Store how much every device is used.

        Args:
            slots: of each CPU slot in use: percent of a core, MiB of the machine.
            now: seconds since the epoch.
        """
        gpus = {gpu.name: gpu for gpu in self._nvml.gpus()} if self.has_gpus else {}
        new: list[Sample] = []
        for device in self.devices:
            gpu = gpus.get(device.name)
            percent, mib = slots.get(device.name, (0.0, 0))
            if gpu is not None:
                percent, mib = gpu.utilisation, gpu.memory_used_mib
            new.append(
                Sample(
                    worker_id=self.worker_id,
                    device=device.name,
                    at=now,
                    utilisation=percent,
                    memory_used_mib=float(mib),
                )
            )
        with self.database.write(durable=False) as connection:
            add_samples(connection, new)
            if not 0 <= now - self._forgot_at < FORGET_SECONDS:
                forget_samples(connection, before=now - SAMPLES_KEPT_SECONDS)
                self._forgot_at = now

    def sign_off(self, now: float) -> None:
        """Store that the worker has ended."""
        with self.database.write() as connection:
            stop_worker(connection, self.worker_id, now=now)

    def _describe(self) -> NewWorker:
        pid = os.getpid()
        return NewWorker(
            id=self.worker_id,
            host=socket.gethostname(),
            boot_id=boot_id(),
            pid=pid,
            pid_start=start_ticks(pid) or 0,
            version=__version__,
            devices=self.devices,
        )


def find_devices(nvml: Nvml, slots: int, gpus: Collection[int] | None) -> tuple[Device, ...]:
    """Return the CPU slots and the chosen GPUs; `gpus` None takes all that can be seen.

    Raises:
        WorkerError: a GPU is not there, or nothing is left to work on.
    """
    if slots < 0:
        raise WorkerError(f"`--slots` must be 0 or more, but is {slots}.")
    chosen = choose_gpus(nvml.gpus(), gpus)
    missing = {f"cuda:{index}" for index in gpus or ()} - {gpu.name for gpu in chosen}
    if missing:
        raise WorkerError(
            f"This machine has no GPU {', '.join(sorted(missing))}; see `nvidia-smi`."
        )
    found = (*cpu_slots(slots), *chosen)
    if not found:
        raise WorkerError("The worker has no GPU and no CPU slot; give it one by `--slots 1`.")
    return found
