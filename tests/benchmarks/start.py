"""Start of commands: whole processes, from exec to exit, against a bare interpreter."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.benchmarks.table import interleaved, median, show

ROUNDS = 7
COMMANDS = (
    ("setgf --help", ["--help"]),
    ("setgf queue list", ["queue", "list"]),
    ("setgf runs list", ["runs", "list"]),
    ("setgf compare", ["compare"]),
)


def main() -> None:
    """Print CPU milliseconds of each command, and times a bare interpreter's."""
    with tempfile.TemporaryDirectory() as home:
        setgf = Path(sys.executable).parent / "setgf"
        environment = os.environ | {"SETGF_HOME": home}
        work = {"python -c pass": _call([sys.executable, "-c", "pass"], environment)}
        for name, arguments in COMMANDS:
            work[name] = _call([str(setgf), *arguments], environment)
        for call in work.values():
            call()
        seconds = interleaved(work, rounds=ROUNDS, clock=_child_cpu)
    bare = median(seconds["python -c pass"])
    rows = [[n, f"{median(s) * 1e3:.0f}", f"{median(s) / bare:.1f} x"] for n, s in seconds.items()]
    show(["command", "CPU ms", "ratio"], rows)


def _call(command: list[str], environment: dict[str, str]) -> Callable[[], object]:
    return lambda: subprocess.run(command, env=environment, capture_output=True, check=False)


def _child_cpu() -> float:
    times = os.times()
    return times.children_user + times.children_system


if __name__ == "__main__":
    main()
