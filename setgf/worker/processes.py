"""All processes of an attempt by the process table: what they use, stopping them, going on.

An attempt's processes are those its shim started, those of the child's session, and those that
carry the attempt's mark: loaders and daemonised helpers.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from setgf.runs.folder import AttemptFolder
from setgf.worker.supervision import (
    ProcessRecord,
    boot_id,
    marked_processes,
    read_process,
    signal_process,
)

_PARENT, _SESSION, _USER, _SYSTEM, _START = 1, 3, 11, 12, 19
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_MIB = 1 << 20
_FREEZE_ROUNDS = 10
"""A process may fork while it is looked for; the copies are stopped in the next round."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """A line of the process table."""

    pid: int
    parent: int
    session: int
    start: int
    """Clock ticks since boot."""
    state: str
    cpu_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What the processes of an attempt use at a moment."""

    pids: frozenset[int]
    memory_mib: int
    """Of the machine; what they share is counted once."""
    cpu_seconds: float
    """Of those that live now."""


def process_table() -> Mapping[int, Process]:
    """Return all processes of this machine by pid."""
    found: dict[int, Process] = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal():
            continue
        with suppress(OSError):
            text = (entry / "stat").read_text(encoding="utf-8", errors="replace")
            fields = text.rpartition(")")[2].split()
            found[int(entry.name)] = Process(
                pid=int(entry.name),
                parent=int(fields[_PARENT]),
                session=int(fields[_SESSION]),
                start=int(fields[_START]),
                state=fields[0],
                cpu_seconds=(int(fields[_USER]) + int(fields[_SYSTEM])) / _TICKS,
            )
    return found


def members(table: Mapping[int, Process], record: ProcessRecord) -> tuple[Process, ...]:
    """Return the processes of an attempt in a process table, without its shim."""
    if record.boot_id != boot_id():
        return ()
    found = descendants(table, [(record.shim_pid, record.shim_start)])
    child = table.get(record.child_pid)
    if child is not None and child.start == record.child_start:
        found |= {process.pid for process in table.values() if process.session == child.pid}
    return tuple(table[pid] for pid in sorted(found))


def descendants(table: Mapping[int, Process], ancestors: Collection[tuple[int, int]]) -> set[int]:
    """Return the pids of all that some processes (pid, start) have started, and those in turn."""
    children: dict[int, list[int]] = {}
    for process in table.values():
        children.setdefault(process.parent, []).append(process.pid)
    found: set[int] = set()
    waiting = [pid for pid, start in ancestors if pid in table and table[pid].start == start]
    while waiting:
        fresh = [pid for pid in children.get(waiting.pop(), []) if pid not in found]
        found.update(fresh)
        waiting.extend(fresh)
    return found


def usage(processes: Collection[Process]) -> Usage:
    """Return what processes use now; those that have ended meanwhile use nothing."""
    own, shared, cpu = 0, 0, 0.0
    for process in processes:
        with suppress(OSError):
            text = Path(f"/proc/{process.pid}/statm").read_text(encoding="ascii")
            resident, common = (int(word) * _PAGE for word in text.split()[1:3])
            own, shared = own + resident - common, max(shared, common)
            cpu += process.cpu_seconds
    return Usage(
        pids=frozenset(process.pid for process in processes),
        memory_mib=(own + shared) // _MIB,
        cpu_seconds=cpu,
    )


def freeze(attempt: AttemptFolder) -> int:
    """Stop every process of an attempt where it is; its shim goes on. Returns how many."""
    stopped: set[int] = set()
    for _ in range(_FREEZE_ROUNDS):
        fresh = [process for process in _all(attempt) if process.pid not in stopped]
        for process in fresh:
            signal_process(process.pid, process.start, boot_id(), signal.SIGSTOP)
            stopped.add(process.pid)
        if not fresh:
            break
    return len(stopped)


def thaw(attempt: AttemptFolder) -> int:
    """Let every process of an attempt go on. Returns how many there are."""
    count = 0
    for process in _all(attempt):
        count += signal_process(process.pid, process.start, boot_id(), signal.SIGCONT)
    return count


def _all(attempt: AttemptFolder) -> tuple[Process, ...]:
    record = read_process(attempt)
    if record is None:
        return ()
    table = process_table()
    found = {process.pid: process for process in members(table, record)}
    for pid, start in marked_processes(attempt):
        process = table.get(pid)
        if process is not None and process.start == start and pid != record.shim_pid:
            found[pid] = process
    return tuple(found.values())
