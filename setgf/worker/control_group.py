"""A control group of an attempt's own, where the kernel lets us: it ends all of it at one stroke.

Nothing that was started in it gets out, not even a daemon. Standard library only, for the shim.
Without version 2 of control groups, or without the right to make one, attempts are ended by their
process group, their parents and their mark instead.
"""

from __future__ import annotations

import os
import time

ROOT = "/sys/fs/cgroup"
REMOVE_SECONDS = 0.5


def make_group(name: str, root: str = ROOT, membership: str = "/proc/self/cgroup") -> str | None:
    """Make a group below our own; returns its folder, or None where that can't be."""
    if not os.path.exists(os.path.join(root, "cgroup.controllers")):
        return None
    try:
        with open(membership, encoding="utf-8") as file:
            ours = [line[3:].strip() for line in file if line.startswith("0::")]
        path = os.path.join(root, ours[0].lstrip("/"), name)
        os.mkdir(path)
    except (OSError, IndexError):
        return None
    return path


def enter_group(path: str) -> None:
    """Move this process into a group; what it starts is born there. A refusal is fine."""
    _write(path, "cgroup.procs", "0")


def kill_group(path: str) -> bool:
    """End every process of a group; False where the kernel can't."""
    return _write(path, "cgroup.kill", "1")


def remove_group(path: str) -> None:
    """Take away a group whose processes have ended; one that is not empty yet is waited for."""
    deadline = time.monotonic() + REMOVE_SECONDS
    while True:
        try:
            os.rmdir(path)
        except OSError:
            if not os.path.exists(path) or time.monotonic() > deadline:
                return
            time.sleep(0.01)
        else:
            return


def _write(path: str, name: str, text: str) -> bool:
    try:
        handle = os.open(os.path.join(path, name), os.O_WRONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        os.write(handle, text.encode("ascii"))
    except OSError:
        return False
    finally:
        os.close(handle)
    return True
