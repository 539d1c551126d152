"""A program in a real terminal of its own: a private tmux server, spoken to in control mode.

Every byte the program writes arrives as an `%output` line, so what a key takes is measured without
starting a process a key.
"""

from __future__ import annotations

import itertools
import os
import re
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
_numbers = itertools.count()
_OCTAL = re.compile(rb"\\(\d{3})")


class Terminal:
    """A program on a terminal of some size."""

    def __init__(
        self, command: Sequence[str], *, size: tuple[int, int], environment: Mapping[str, str]
    ) -> None:
        # Another name each time: the server of the last one may be about to end.
        self._socket = f"setgf-bench-{os.getpid()}-{next(_numbers)}"
        words = [f"{key}={value}" for key, value in environment.items()]
        shell = " ".join(["exec", "env", *words, *command])
        self._tmux("new-session", "-d", "-s", "x", "-x", str(size[0]), "-y", str(size[1]), "cat")
        self._control = subprocess.Popen(
            ["tmux", "-L", self._socket, "-C", "attach", "-t", "x"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self._seen: list[tuple[float, bytes]] = []
        self._news = threading.Condition()
        threading.Thread(target=self._read, daemon=True).start()
        self._send(f"refresh-client -C {size[0]}x{size[1]}")
        time.sleep(0.3)
        self.begun = time.perf_counter()
        self._send(f"respawn-pane -k -t x '{shell}'")
        time.sleep(0.05)
        self.pid = int(self._tmux("list-panes", "-t", "x", "-F", "#{pane_pid}"))

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        self._tmux("kill-server")
        self._control.wait()

    def wait_for(self, text: str, *, seconds: float = 30.0, since: float | None = None) -> float:
        """Return when a text was written; None waits for it from the beginning."""
        wanted = text.encode()
        deadline = time.perf_counter() + seconds
        with self._news:
            while True:
                joined = b""
                for at, data in self._seen:
                    if since is None or at > since:
                        joined = joined[-len(wanted) :] + data
                        if wanted in joined:
                            return at
                if time.perf_counter() > deadline:
                    raise TimeoutError(f"`{text}` was not written within {seconds} s.")
                self._news.wait(0.1)

    def shows(self, text: str, *, seconds: float = 30.0) -> bool:
        """Wait until a text stands on the screen; return whether it came."""
        deadline = time.perf_counter() + seconds
        while time.perf_counter() < deadline:
            if text in self.screen():
                return True
            time.sleep(0.1)
        return False

    def key(self, key: str, *, seconds: float = 2.0) -> float:
        """Press a key; return the seconds until something is written."""
        with self._news:
            self._seen.clear()
        begun = time.perf_counter()
        self._send(f"send-keys -t x {key}")
        with self._news:
            self._news.wait_for(lambda: bool(self._seen), seconds)
            return self._seen[0][0] - begun if self._seen else seconds

    def key_until(self, key: str, text: str) -> float:
        """Press a key; return the seconds until a text is written."""
        with self._news:
            self._seen.clear()
        begun = time.perf_counter()
        self._send(f"send-keys -t x {key}")
        return self.wait_for(text) - begun

    def keys(self, key: str, times: int) -> None:
        """Press a key many times, without waiting."""
        self._send(f"send-keys -t x -N {times} {key}")

    def quiet(self, seconds: float = 1.0, *, longest: float = 60.0) -> None:
        """Wait until nothing was written for some time."""
        deadline = time.perf_counter() + longest
        while time.perf_counter() < deadline:
            with self._news:
                number = len(self._seen)
                self._news.wait_for(lambda n=number: len(self._seen) > n, seconds)
                if len(self._seen) == number:
                    return

    def bytes_in(self, seconds: float) -> int:
        """Return how many bytes are written in a time."""
        with self._news:
            self._seen.clear()
        time.sleep(seconds)
        with self._news:
            return sum(len(data) for _, data in self._seen)

    def screen(self) -> str:
        """Return what stands on the screen."""
        return self._tmux("capture-pane", "-p", "-t", "x")

    def cpu(self) -> float:
        """Return the seconds of CPU the program has used."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def memory(self) -> float:
        """Return the resident memory of the program in MB."""
        text = Path(f"/proc/{self.pid}/status").read_text()
        found = re.search(r"VmRSS:\s+(\d+) kB", text)
        return int(found.group(1)) / 1000 if found else 0.0

    def _read(self) -> None:
        assert self._control.stdout is not None
        for line in self._control.stdout:
            if line.startswith(b"%output "):
                data = line.split(b" ", 2)[2].rstrip(b"\n")
                data = _OCTAL.sub(lambda m: bytes([int(m.group(1), 8)]), data)
                with self._news:
                    self._seen.append((time.perf_counter(), data))
                    self._news.notify_all()

    def _send(self, line: str) -> None:
        assert self._control.stdin is not None
        self._control.stdin.write(line.encode() + b"\n")
        self._control.stdin.flush()

    def _tmux(self, *words: str) -> str:
        command = ["tmux", "-L", self._socket, "-f", "/dev/null", *words]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
