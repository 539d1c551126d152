"""Is an attempt alive, how did it end, and how is it ended for certain.

The shim's lock is the proof of life; pid, start time and boot id are the second witness and the
condition for every signal. A bare pid is never signalled.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from setgf.errors import RunFolderError
from setgf.runs.atomic import read_json
from setgf.runs.folder import AttemptFolder
from setgf.worker.control_group import kill_group, remove_group
from setgf.worker.shim import MARK_VARIABLE

_STAT_STATE, _STAT_START = 0, 19
_NOT_RUNNING = "TtZX"
"""Process states: stopped, traced, zombie, dead."""


class Liveness(StrEnum):
    """What is known of an attempt on this machine."""

    ALIVE = "alive"
    """The shim holds the run's lock."""
    ENDED = "ended"
    """`exit.json` says how."""
    GONE = "gone"
    """Nobody holds the lock and nobody wrote `exit.json`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessRecord:
    """The processes of an attempt (`proc.json`)."""

    host: str
    boot_id: str
    shim_pid: int
    shim_start: int
    """Clock ticks since boot."""
    child_pid: int
    child_start: int
    started_at: float
    group: str = ""
    """Folder of its control group; empty without one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExitRecord:
    """How a child ended (`exit.json`)."""

    code: int
    """Exit code; negative: ended by that signal."""
    asked_to_stop: bool
    killed_after_grace: bool = False
    killed_leftovers: int = 0
    oom_kills: int = 0
    """Processes the kernel ended for want of memory meanwhile, on the whole machine."""
    peak_memory_kib: int = 0
    cpu_seconds: float = 0.0
    ended_at: float = 0.0


def boot_id() -> str:
    """Return the id of this boot of the machine."""
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def start_ticks(pid: int) -> int | None:
    """Return a process's start time in clock ticks since boot; None when it is gone."""
    fields = _stat(pid)
    return None if fields is None else int(fields[_STAT_START])


def is_process(pid: int, start: int, boot: str) -> bool:
    """True while exactly this process exists (a zombie does not count)."""
    fields = _stat(pid)
    return (
        fields is not None
        and int(fields[_STAT_START]) == start
        and fields[_STAT_STATE] not in "ZX"
        and boot == boot_id()
    )


def is_running(pid: int, start: int, boot: str) -> bool:
    """True while exactly this process exists and is not stopped by a signal."""
    fields = _stat(pid)
    return (
        is_process(pid, start, boot)
        and fields is not None
        and fields[_STAT_STATE] not in _NOT_RUNNING
    )


def read_process(attempt: AttemptFolder) -> ProcessRecord | None:
    """Return who runs an attempt; None before the shim has said so."""
    plain = _read(attempt.proc)
    return None if plain is None else ProcessRecord(**_known(ProcessRecord, plain))


def read_exit(attempt: AttemptFolder) -> ExitRecord | None:
    """Return how an attempt ended; None while it has not, or when its shim was killed."""
    plain = _read(attempt.exit)
    return None if plain is None else ExitRecord(**_known(ExitRecord, plain))


def liveness(attempt: AttemptFolder) -> Liveness:
    """Tell whether an attempt of this machine is alive, has ended, or is gone without a word."""
    if attempt.exit.exists():
        return Liveness.ENDED
    if attempt.run.is_live():
        return Liveness.ALIVE
    return Liveness.ENDED if attempt.exit.exists() else Liveness.GONE


def kill_process(pid: int, start: int, boot: str) -> bool:
    """SIGKILL exactly this process; False when it is gone."""
    return signal_process(pid, start, boot, signal.SIGKILL)


def signal_process(pid: int, start: int, boot: str, number: int) -> bool:
    """Send a signal to exactly this process, by a handle that can't be reused.

    Returns:
        False when it is gone, or another user's: in a shared home its own worker ends it.
    """
    try:
        handle = os.pidfd_open(pid)
    except OSError:
        return False
    try:
        if not is_process(pid, start, boot):
            return False
        signal.pidfd_send_signal(handle, number)
    except (ProcessLookupError, PermissionError):
        return False
    finally:
        os.close(handle)
    return True


def end_attempt(attempt: AttemptFolder, *, wait_seconds: float = 5.0) -> int:
    """Make sure that nothing of an attempt runs on this machine; returns how many were killed.

    The shim first (its child dies with it), then everything that carries the attempt's mark in
    its environment: loaders and daemonised helpers.
    """
    killed = 0
    record = read_process(attempt)
    if record is not None:
        for pid, start in (
            (record.shim_pid, record.shim_start),
            (record.child_pid, record.child_start),
        ):
            killed += kill_process(pid, start, record.boot_id)
        if record.group and record.boot_id == boot_id():
            kill_group(record.group)
            remove_group(record.group)
    deadline = time.monotonic() + wait_seconds
    while time.monotonic() < deadline:
        marked = list(marked_processes(attempt))
        if not marked and not attempt.run.is_live():
            break
        for pid, start in marked:
            killed += kill_process(pid, start, boot_id())
        time.sleep(0.02)
    return killed


def has_shim(attempt: AttemptFolder) -> bool:
    """True while a shim of this attempt exists, even one that has not got to its lock yet."""
    wanted = [str(attempt.run.path).encode(), str(attempt.number).encode()]
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with suppress(OSError):
                words = (entry / "cmdline").read_bytes().split(b"\0")
                if words[4:6] == wanted and words[3].endswith(b"shim.py"):
                    return True
    return False


def marked_processes(attempt: AttemptFolder) -> Iterator[tuple[int, int]]:
    """Yield pid and start time of every process that the attempt's child started."""
    mark = f"{MARK_VARIABLE}={attempt.path.resolve()}".encode()
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal():
            continue
        with suppress(OSError):
            start = start_ticks(int(entry.name))
            variables = (entry / "environ").read_bytes().split(b"\0")
            if start is not None and mark in variables:
                yield int(entry.name), start


def _stat(pid: int) -> list[str] | None:
    """Return the fields of `/proc/<pid>/stat` after the name."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    return text.rpartition(")")[2].split()


def _read(path: Path) -> dict[str, Any] | None:
    """Return a JSON file's object; None when it is not there or says nothing."""
    if not path.exists():
        return None
    try:
        return read_json(path)
    except RunFolderError:
        return None


def _known(owner: type, plain: dict[str, Any]) -> dict[str, Any]:
    names: tuple[str, ...] = tuple(getattr(owner, "__dataclass_fields__", ()))
    return {name: plain[name] for name in names if name in plain}
