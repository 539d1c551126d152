"""How much memory an attempt held, and what to say when there was not enough."""

from __future__ import annotations

import resource
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MIB = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryUse:
    """Memory of this process, and what is left where it ran out, in MiB."""

    peak_memory_mib: int
    """Most memory of the machine it held."""
    free_memory_mib: int
    total_memory_mib: int
    peak_gpu_mib: int | None = None
    """Most memory of its GPU that torch reserved; None without one."""
    free_gpu_mib: int | None = None
    total_gpu_mib: int | None = None


def memory_use() -> MemoryUse:
    """Measure; torch is asked only when it is loaded and has used a GPU."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    known = _read_machine()
    gpu = _gpu_use()
    return MemoryUse(
        peak_memory_mib=peak,
        free_memory_mib=known.get("MemAvailable", 0),
        total_memory_mib=known.get("MemTotal", 0),
        **gpu,
    )


def explain_out_of_memory(*, is_gpu: bool, use: MemoryUse, asked: str = "") -> str:
    """Return a sentence with the figures, and what to do.

    Args:
        is_gpu: the GPU's memory was lacking, else the machine's.
        use: measured when it happened.
        asked: what was asked for in vain, as torch says it: `2.00 GiB`.
    """
    more = f" when {asked} more were asked for" if asked else ""
    advice = "Lower `optim.batch_size`, or raise `optim.accumulation_steps` with it."
    if is_gpu:
        return (
            f"The GPU ran out of memory{more}: the run had reserved {use.peak_gpu_mib or 0} MiB at "
            f"most, and {use.free_gpu_mib or 0} of {use.total_gpu_mib or 0} MiB were free. {advice}"
        )
    return (
        f"The machine ran out of memory{more}: the run held {use.peak_memory_mib} MiB at most, and "
        f"{use.free_memory_mib} of {use.total_memory_mib} MiB were free. {advice}"
    )


def _gpu_use() -> dict[str, int]:
    """Return peak, free and total MiB of the GPU; empty without one."""
    torch: Any = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available() or not torch.cuda.is_initialized():
        return {}
    try:
        free, total = torch.cuda.mem_get_info()
        peak = torch.cuda.max_memory_reserved()
    except RuntimeError:  # a GPU that failed answers nothing any more
        return {}
    return {
        "peak_gpu_mib": int(peak) // MIB,
        "free_gpu_mib": int(free) // MIB,
        "total_gpu_mib": int(total) // MIB,
    }


def _read_machine() -> dict[str, int]:
    """Return the MiB of `/proc/meminfo` by name; a container's own limit where that is lower."""
    found: dict[str, int] = {}
    try:
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            name, _, rest = line.partition(":")
            found[name] = int(rest.split()[0]) // 1024
    except (OSError, ValueError, IndexError):
        return found
    limit, used = (_cgroup(name) for name in ("memory.max", "memory.current"))
    if limit is not None and limit < found.get("MemTotal", 0):
        free = max(0, limit - (used or 0))
        found["MemTotal"] = limit
        found["MemAvailable"] = min(found.get("MemAvailable", free), free)
    return found


def _cgroup(name: str) -> int | None:
    """Return a figure of this process's control group in MiB; None without a limit."""
    try:
        own = Path("/proc/self/cgroup").read_text(encoding="utf-8").strip().rpartition("::")[2]
        text = Path(f"/sys/fs/cgroup{own}/{name}").read_text(encoding="ascii")
        return int(text) // MIB
    except (OSError, ValueError):
        return None
