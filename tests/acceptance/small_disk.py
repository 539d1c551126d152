"""A disk of a few megabytes that can be filled up or made read-only.

It is a file system in memory inside a mount namespace of its own, which a holder process keeps:
when the test process ends in whatever way, the holder ends with it, and nothing is left behind.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

MIB = 1 << 20
_NAMESPACES = (("unshare", "--mount"), ("unshare", "--map-root-user", "--mount"))


class NoSmallDiskError(Exception):
    """This machine does not let us make file systems."""


@dataclass(frozen=True)
class SmallDisk:
    """The disk, reached from its own processes at `folder`, and from here at `outside`."""

    folder: Path
    holder: int
    has_users: bool
    """True in a user namespace: nobody has to be root."""

    @property
    def outside(self) -> Path:
        """The disk's root as this process can read and write it."""
        return Path(f"/proc/{self.holder}/root{self.folder}")

    @property
    def prefix(self) -> tuple[str, ...]:
        """Put before a command to run it where the disk is."""
        users = ("--user", "--preserve-credentials") if self.has_users else ()
        return ("nsenter", "--target", str(self.holder), "--mount", *users, "--")

    def remount(self, options: str) -> None:
        """Change the disk: `size=8m`, `ro`, `rw`."""
        command = ("mount", "-o", f"remount,{options}", str(self.folder))
        subprocess.run([*self.prefix, *command], check=True)

    def put_over(self, name: str, place: Path) -> None:
        """Let a file of the disk stand in the place of another one, for its own processes."""
        command = ("mount", "--bind", str(self.folder / name), str(place))
        subprocess.run([*self.prefix, *command], check=True)

    def fill(self, *, spare: int = 0) -> Path:
        """Fill the disk up but for `spare` bytes; returns the file to remove to make room."""
        path = self.outside / "filler"
        path.unlink(missing_ok=True)
        with path.open("wb", buffering=0) as file:
            try:
                while file.write(b"\0" * 4096):
                    pass
            except OSError:
                file.truncate(max(0, file.tell() - spare))
        return path


@contextmanager
def small_disk(folder: Path, size: int) -> Generator[SmallDisk]:
    """Keep a disk of `size` bytes at `folder` while the block runs.

    Raises:
        NoSmallDiskError: this machine does not let us.
    """
    script = f"mount -t tmpfs -o size={size} setgf-test '{folder}' && echo ready && exec cat"
    for namespace in _NAMESPACES:
        if shutil.which("unshare") is None or shutil.which("nsenter") is None:
            break
        with subprocess.Popen(
            [*namespace, "--propagation", "private", "sh", "-c", script],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        ) as holder:
            assert holder.stdin is not None
            assert holder.stdout is not None
            if holder.stdout.readline() == "ready\n":
                yield SmallDisk(folder, holder.pid, "--map-root-user" in namespace)
                holder.stdin.close()
                return
    raise NoSmallDiskError("no file system can be mounted here (unshare, nsenter, tmpfs)")
