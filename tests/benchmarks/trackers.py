"""Logging beside other experiment trackers, by scripts that measure all of them the same way.

    SETGF_TRACKER_SCRIPTS=FOLDER SETGF_TRACKER_VENVS=FOLDER python -m tests.benchmarks trackers

The scripts (`bench_log.py`, `bench_crash.py`, `bench_concurrent.py`) are not part of setgf; without
their folder this is left out. The other trackers are run from the environments `v_tb`, `v_wandb`,
`v_trackio` and `v_mlflow` of the second folder, each with its tracker installed; one that is not
there is left out. All take turns, round by round, and medians are shown.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from setgf.home import Home
from setgf.runs.folder import list_runs
from tests.benchmarks import trackers_adapter
from tests.benchmarks.storing import store_in_new_file
from tests.benchmarks.table import heading, median, show_markdown

ROUNDS = 3
SCALARS = 100_000
CRASH_ROUNDS = 3
_ADAPTER = Path(trackers_adapter.__file__)
_SHARED_STORE = ("setgf", "trackio", "mlflow")
"""Those whose runs go to one store, of which `bench_concurrent.py` counts all."""


@dataclass(frozen=True, slots=True)
class Tracker:
    """One of those that are compared."""

    name: str
    python: Path
    options: tuple[str, ...]
    scalars: int = SCALARS
    rate: int = 200
    """Calls a second at which it is killed and shared."""


@dataclass(slots=True)
class Found:
    """What the scripts printed about one tracker."""

    logged: dict[int, list[Mapping[str, Any]]] = field(
        default_factory=lambda: dict[int, list[Mapping[str, Any]]]()
    )
    """Lines of `bench_log.py` by keys a call."""
    lost: list[int] = field(default_factory=list[int])
    shared: Mapping[str, Any] | None = None
    stored_bytes: dict[int, float] = field(default_factory=dict[int, float])
    """Bytes a scalar of the run database, by keys a call."""
    stored_cpu: dict[int, float] = field(default_factory=dict[int, float])
    """Microseconds of CPU with which the worker stores a scalar."""


def main() -> None:
    """Print one table, as Markdown."""
    named = os.environ.get("SETGF_TRACKER_SCRIPTS")
    if not named:
        print("Left out: $SETGF_TRACKER_SCRIPTS must name the folder of bench_log.py.")
        return
    scripts = Path(named)
    trackers = tuple(_installed())
    found = {tracker.name: Found() for tracker in trackers}
    with tempfile.TemporaryDirectory(prefix="setgf-trackers-") as folder:
        for _ in range(ROUNDS):
            for keys in (1, 10):
                for tracker in trackers:
                    _log(scripts, tracker, keys, Path(folder), found[tracker.name])
        for tracker in trackers:
            _crash(scripts, tracker, found[tracker.name])
            if tracker.name in _SHARED_STORE:
                _share(scripts, tracker, found[tracker.name])
    _print(found)


def _installed() -> Iterable[Tracker]:
    yield Tracker("setgf", Path(sys.executable), ("--adapter", str(_ADAPTER)))
    venvs = os.environ.get("SETGF_TRACKER_VENVS")
    others = (
        ("trackio", "v_trackio", SCALARS, 200),
        ("wandb", "v_wandb", SCALARS // 5, 200),
        ("mlflow", "v_mlflow", SCALARS // 100, 20),
        ("tensorboardx", "v_tb", SCALARS, 200),
        ("tensorboard", "v_tb", SCALARS, 200),
    )
    for name, venv, scalars, rate in others:
        python = Path(venvs or "") / venv / "bin" / "python"
        if venvs and python.exists():
            yield Tracker(name, python, ("--backend", name), scalars, rate)
        else:
            print(f"{name} is left out: $SETGF_TRACKER_VENVS has no `{venv}`.")


def _run(scripts: Path, name: str, tracker: Tracker, *options: object) -> list[Mapping[str, Any]]:
    command = [str(tracker.python), str(scripts / name), *tracker.options, *map(str, options)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if not lines:
        print(f"{tracker.name}: {name} failed: {done.stdout[-300:]}{done.stderr[-300:]}")
    return [json.loads(line) for line in lines]


def _log(scripts: Path, tracker: Tracker, keys: int, folder: Path, found: Found) -> None:
    options: tuple[object, ...] = ("--n", tracker.scalars, "--keys", keys, "--reps", 1)
    is_ours = tracker.name == "setgf"
    for line in _run(
        scripts, "bench_log.py", tracker, *options, "--dir", folder, *["--keep"] * is_ours
    ):
        if "error" in line:
            print(f"{tracker.name}: {line['error'][-300:]}")
            continue
        found.logged.setdefault(keys, []).append(line)
        if is_ours:
            home = Path(line["dir"])
            (run,) = list_runs(Home(home))
            _, cpu, grown = store_in_new_file(home / "setgf.db", run)
            found.stored_bytes[keys] = grown / line["n_scalars"]
            found.stored_cpu[keys] = cpu / line["n_scalars"] * 1e6
            shutil.rmtree(home)


def _crash(scripts: Path, tracker: Tracker, found: Found) -> None:
    options = ("--rate", tracker.rate, "--reps", CRASH_ROUNDS, "--seconds", 3, "--grace", 2)
    for line in _run(scripts, "bench_crash.py", tracker, *options):
        if line.get("lost") is not None:
            found.lost.append(int(line["lost"]))


def _share(scripts: Path, tracker: Tracker, found: Found) -> None:
    options = ("--procs", 8, "--n", 5 * tracker.rate, "--rate", tracker.rate, "--start", 15)
    lines = _run(scripts, "bench_concurrent.py", tracker, *options)
    found.shared = lines[0] if lines else None


def _print(found: Mapping[str, Found]) -> None:
    columns = [
        "tracker",
        "us CPU a scalar, 1 / 10 keys a call",
        "p50 / p99 of a call, us",
        "worst call, ms",
        "with its service, us",
        "close, s",
        "bytes a scalar, 1 / 10 keys",
        "lost at SIGKILL",
        "8 trainers: stored, failed",
    ]
    show_markdown(columns, [_row(name, one) for name, one in found.items() if one.logged])


def _row(name: str, found: Found) -> list[str]:
    def of(column: str, keys: int = 1) -> float:
        return median([float(line[column]) for line in found.logged.get(keys, [])] or [0.0])

    stored = [found.stored_bytes.get(keys, of("disk_bytes_per_scalar", keys)) for keys in (1, 10)]
    journal = f" (+ {of('disk_bytes_per_scalar'):.0f} journal)" if found.stored_bytes else ""
    lost = [min(found.lost), max(found.lost)] if found.lost else []
    shared = found.shared
    return [
        name,
        f"{of('call_cpu_us'):.1f} / {of('call_cpu_us', 10):.2f}",
        f"{of('p50_us'):.1f} / {of('p99_us'):.1f}",
        f"{of('max_ms'):.1f}",
        f"{of('total_cpu_us') + found.stored_cpu.get(1, 0.0):.1f} / "
        f"{of('total_cpu_us', 10) + found.stored_cpu.get(10, 0.0):.1f}",
        f"{of('close_s'):.2f}",
        f"{stored[0]:.1f} / {stored[1]:.1f}{journal}",
        "-".join(dict.fromkeys(map(str, lost))) or "?",
        f"{shared['stored']:,} of {shared['logged']:,}, {shared['failed_procs']}" if shared else "",
    ]


if __name__ == "__main__":
    heading("trackers", __doc__ or "")
    main()
