"""Two machines on one: hosts with names, boots, processes and networks of their own.

A host is a set of namespaces that a holder process keeps. Its processes see neither those of
another host nor the machine's; what hosts share is the disk and, if they have a network, the server
at the other end of it. When the holder ends, the kernel ends every process of the host: a power
cut.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.acceptance.chaos_world import BOOT_ID, new_boot_id
from tests.acceptance.workers import ROOT
from tests.worker.processes import wait_until

_NAMESPACES = ("--uts", "--mount", "--pid")
_SCRIPT = """
hostname "$1" && mount --bind "$2" "$3" && ip link set lo up 2> "$4"
echo ready && exec cat
"""


class NoHostsError(Exception):
    """This machine does not let us make namespaces."""


@dataclass(frozen=True, slots=True)
class Host:
    """A machine, as far as its processes can tell."""

    name: str
    holder: subprocess.Popen[str]
    namespaces: tuple[str, ...]
    started: list[subprocess.Popen[bytes]] = field(default_factory=list[subprocess.Popen[bytes]])

    @property
    def init(self) -> int:
        """Pid, as seen from outside, of the host's first process; 0 when the host is down."""
        path = Path(f"/proc/{self.holder.pid}/task/{self.holder.pid}/children")
        try:
            found = path.read_text().split()
        except OSError:
            return 0
        return int(found[0]) if found else 0

    def start(self, home: Path, url: str, *command: str) -> subprocess.Popen[bytes]:
        """Start Python on the host; its output goes to `workers/errors.txt` of the home."""
        enter = ("nsenter", "--target", str(self.init), *self.namespaces, "--")
        folder = home / "workers"
        folder.mkdir(exist_ok=True)
        with (folder / "errors.txt").open("ab") as errors:
            process = subprocess.Popen(
                [*enter, sys.executable, *command],
                cwd=ROOT,
                env={**os.environ, "SETGF_HOME": str(home), "SETGF_DATABASE_URL": url},
                stdin=subprocess.DEVNULL,
                stdout=errors,
                stderr=errors,
            )
        self.started.append(process)
        return process

    def pids(self) -> list[int]:
        """Return the pids, as seen from outside, of all its processes but the first."""
        own = Path(f"/proc/{self.init}/ns/pid").readlink()
        found: list[int] = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdecimal() and int(entry.name) != self.init:
                with suppress(OSError):
                    if (entry / "ns/pid").readlink() == own:
                        found.append(int(entry.name))
        return found

    def send(self, number: int, pids: Sequence[int] | None = None) -> None:
        """Send a signal to every process of the host, or to some."""
        for pid in self.pids() if pids is None else pids:
            with suppress(ProcessLookupError):
                os.kill(pid, number)
        if number == signal.SIGCONT:
            for process in self.started:  # `nsenter` stops with what it has started
                process.send_signal(number)

    def pids_of(self, *words: str) -> list[int]:
        """Return those of its processes whose command line holds all the words."""
        found: list[int] = []
        for pid in self.pids():
            with suppress(OSError):
                command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
                if all(word in command for word in words):
                    found.append(pid)
        return found

    def cut_power(self) -> None:
        """End every process of the host at once."""
        init = self.init
        if init:
            os.kill(init, signal.SIGKILL)
        for process in self.started:  # they stand for the host's processes, and reap them
            process.kill()
            process.wait()
        self.holder.wait()


@contextmanager
def a_host(name: str, folder: Path, *, has_network: bool = False) -> Generator[Host]:
    """Keep a host while the block runs; `folder` gets its boot id.

    Raises:
        NoHostsError: this machine does not let us.
    """
    if os.geteuid() != 0 or any(shutil.which(tool) is None for tool in ("unshare", "nsenter")):
        raise NoHostsError("no namespaces can be made here (root, unshare, nsenter)")
    namespaces = (*_NAMESPACES, *(("--net",) if has_network else ()))
    boot = folder / f"boot-{name}"
    boot.write_text(new_boot_id())
    words = (name, str(boot), str(BOOT_ID), os.devnull)
    holder = subprocess.Popen(
        [
            *("unshare", *namespaces, "--fork", "--kill-child", "--mount-proc"),
            *("sh", "-c", _SCRIPT, "host", *words),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert holder.stdin is not None
    assert holder.stdout is not None
    host = Host(name, holder, namespaces)
    try:
        if holder.stdout.readline() != "ready\n":
            raise NoHostsError("no namespaces can be made here")
        yield host
    finally:
        if holder.poll() is None:
            host.cut_power()
        holder.stdin.close()
        holder.stdout.close()


def connect(host: Host, number: int) -> tuple[str, str]:
    """Lay a cable between a host and this machine; returns this machine's address and the host's.

    Raises:
        NoHostsError: this machine does not let us.
    """
    here, there = f"10.213.{number}.1", f"10.213.{number}.2"
    name = _cable(number)
    inside = ("nsenter", "--target", str(host.init), "--net", "--")
    commands = (
        (
            "ip",
            "link",
            "add",
            name,
            "type",
            "veth",
            "peer",
            "name",
            "eth0",
            "netns",
            str(host.init),
        ),
        ("ip", "address", "add", f"{here}/30", "dev", name),
        ("ip", "link", "set", name, "up"),
        (*inside, "ip", "address", "add", f"{there}/30", "dev", "eth0"),
        (*inside, "ip", "link", "set", "eth0", "up"),
    )
    for command in commands:
        try:
            subprocess.run(command, check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError) as error:
            raise NoHostsError(f"no network can be made here: {error}") from error
    wait_until(lambda: Path(f"/sys/class/net/{name}/operstate").read_text() == "up\n", what=name)
    return here, there


def pull_out(number: int) -> None:
    """Cut the cable of that number: what is sent gets no answer, not even a refusal."""
    subprocess.run(["ip", "link", "set", _cable(number), "down"], check=True)


def plug_in(number: int) -> None:
    """Mend the cable of that number."""
    subprocess.run(["ip", "link", "set", _cable(number), "up"], check=True)


def _cable(number: int) -> str:
    return f"sg{os.getpid() % 100000}-{number}"
