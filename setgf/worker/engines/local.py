"""Starts attempts on this machine: a shim each, detached from the worker."""

from __future__ import annotations

import errno
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from setgf.errors import WorkerError
from setgf.home import DATABASE_VARIABLE, Home
from setgf.runs.atomic import explain
from setgf.runs.folder import AttemptFolder
from setgf.worker import shim
from setgf.worker.gpus import usable_cores

GRACE_SECONDS = 60.0
"""Between SIGTERM and SIGKILL: time to write a checkpoint."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What to start."""

    attempt: AttemptFolder
    resume_from: str | None
    """Attempt folder name (`a1`) whose checkpoint to go on from."""
    devices: tuple[str, ...]
    slots: int
    """CPU slots of the worker: a child gets its share of the cores."""


class Engine(Protocol):
    """A way to start attempts; how they end is read from their folders."""

    def start(self, order: Order) -> int:
        """Start a shim and return its pid."""
        ...

    def reap(self) -> Mapping[int, int]:
        """Collect shims that ended since the last call: pid to exit code."""
        ...


@dataclass(slots=True)
class LocalEngine:
    """Shims as processes of this machine; they live on when the worker dies."""

    home: Home
    grace_seconds: float = GRACE_SECONDS
    command: Sequence[str] = (sys.executable, "-m", "setgf.worker.child")
    """What a child runs; its options are added."""
    _living: set[int] = field(default_factory=set[int])

    def start(self, order: Order) -> int:
        """Start a shim in a session of its own and return its pid.

        Raises:
            WorkerError: the system can't start a process.
            RunFolderError: the disk has no room for its log.
        """
        attempt = order.attempt
        command = [
            sys.executable, "-I", "-S", str(Path(shim.__file__).absolute()),
            str(attempt.run.path), str(attempt.number), str(self.grace_seconds), "--",
            *self._child_command(order),
        ]  # fmt: skip
        try:
            pid = os.posix_spawn(
                sys.executable,
                command,
                child_environment(self.home, order),
                file_actions=_streams(attempt.log),
                setsid=True,
                setsigmask=(),
                setsigdef=(signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGPIPE),
            )
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise explain(error, attempt.log) from error
            raise WorkerError(
                f"Run {attempt.run.id} can't be started: {error.strerror}. "
                "It is tried again; check the limits of processes and memory."
            ) from error
        self._living.add(pid)
        return pid

    def reap(self) -> Mapping[int, int]:
        """Collect shims that ended since the last call: pid to exit code."""
        ended: dict[int, int] = {}
        for pid in tuple(self._living):
            try:
                got, status = os.waitpid(pid, os.WNOHANG)
            except ChildProcessError:
                self._living.discard(pid)
                continue
            if got:
                self._living.discard(pid)
                ended[pid] = os.waitstatus_to_exitcode(status)
        return ended

    def _child_command(self, order: Order) -> list[str]:
        options = [
            "--run", str(order.attempt.run.path),
            "--attempt", str(order.attempt.number),
            "--home", str(self.home.root),
        ]  # fmt: skip
        if order.resume_from is not None:
            options += ["--resume", order.resume_from]
        return [*self.command, *options]


def child_environment(home: Home, order: Order) -> dict[str, str]:
    """Return the environment of a child: its devices, its share of the cores, no database."""
    variables = {name: value for name, value in os.environ.items() if name != DATABASE_VARIABLE}
    gpus = [name.removeprefix("cuda:") for name in order.devices if name.startswith("cuda:")]
    threads = max(1, usable_cores() // max(1, order.slots))
    variables.update(
        {
            "SETGF_HOME": str(home.root),
            "CUDA_VISIBLE_DEVICES": ",".join(gpus),
            "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
            "OMP_NUM_THREADS": str(threads),
            "OMP_WAIT_POLICY": "PASSIVE",
            "TOKENIZERS_PARALLELISM": "false",
            "PYTHONUNBUFFERED": "1",
            # cuBLAS repeats its results only with a fixed workspace.
            "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
        }
    )
    return variables


def _streams(log: Path) -> list[tuple[int, int, str, int, int] | tuple[int, int, int]]:
    """Return the file actions: stdin from nowhere, stdout and stderr of the shim to the log."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW
    return [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, str(log), flags, 0o666),
        (os.POSIX_SPAWN_DUP2, 1, 2),
    ]
