"""A home with finished runs, runs that train and jobs that wait, and a worker at work."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

PROGRAMS = Path(sys.executable).parent
STORE = ("data", "synth", "--name", "demo", "--dataset", "mosi", "--samples", "120")
ADD = ("queue", "add", "--data", "demo", "--set", "text.encoder=tiny")
FINISHED = ("--model", "setgf,self_mm,text_only", "--seeds", "1111-1112", "--group", "seeds",
            "--set", "max_epochs=8")  # fmt: skip
LIVE = ("--model", "setgf,self_mm", "--seeds", "1113-1115", "--group", "more seeds",
        "--set", "max_epochs=99", "--set", "train.patience=99")  # fmt: skip
LIVE_EPOCHS = 3
"""Epochs the first live run has finished when the home is ready."""


def environment(home: Path) -> dict[str, str]:
    """Return what programs run with in a home."""
    kept = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    return kept | {
        "SETGF_HOME": str(home), "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE",
        "TERM": "xterm-256color", "COLORTERM": "truecolor", "HF_HUB_OFFLINE": "1",
        "PATH": f"{PROGRAMS}{os.pathsep}{os.environ.get('PATH', '')}",
    }  # fmt: skip


def setgf(home: Path, *words: str) -> str:
    """Run `setgf` and return what it printed.

    Raises:
        CalledProcessError: it failed.
    """
    command = [str(PROGRAMS / "setgf"), *words]
    done = subprocess.run(
        command, env=environment(home), stdout=subprocess.PIPE, text=True, check=True
    )
    return done.stdout


def forget(home: Path) -> None:
    """Begin with the settings of a first start, not with what was chosen before."""
    (home / "tui.toml").unlink(missing_ok=True)


@contextmanager
def busy_home(home: Path) -> Generator[None]:
    """Train runs to their end, then leave others training until the block is over."""
    setgf(home, *STORE)
    setgf(home, *ADD, *FINISHED)
    setgf(home, "worker", "start", "--detach", "--slots", "2")
    try:
        setgf(home, "queue", "wait", "group:seeds")
        setgf(home, *ADD, *LIVE)
        _wait_for_epochs(home)
        yield
    finally:
        setgf(home, "worker", "stop", "--now")


def _wait_for_epochs(home: Path) -> None:
    """Follow the queue until the first of the live runs has a curve."""
    watching = subprocess.Popen(
        [str(PROGRAMS / "setgf"), "watch", "7"],
        env=environment(home), stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert watching.stdout is not None
    for line in watching.stdout:
        if f"epoch  {LIVE_EPOCHS}/" in line:
            break
    watching.terminate()
    watching.stdout.close()
    watching.wait()
