"""Real processes for tests: shims with small child scripts, and waiting with a deadline."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from setgf.runs.folder import AttemptFolder, RunFolder
from setgf.worker import shim


def wait_until(condition: Callable[[], object], *, seconds: float = 20.0, what: str = "") -> None:
    """Wait for a condition; fail loudly when it does not come."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds} s in vain for {what or condition}"
        time.sleep(0.005)


def begin(tmp_path: Path, number: int = 1) -> AttemptFolder:
    """Make a run folder with a current attempt."""
    return RunFolder(tmp_path / "abcd1234").begin_attempt(number)


def start_shim(
    attempt: AttemptFolder, script: str, *, grace: float = 5.0
) -> subprocess.Popen[bytes]:
    """Start a shim whose child runs a Python script."""
    return subprocess.Popen(
        [
            sys.executable, "-I", "-S", shim.__file__,
            str(attempt.run.path), str(attempt.number), str(grace), "--",
            sys.executable, "-u", "-c", script,
        ],
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )  # fmt: skip
