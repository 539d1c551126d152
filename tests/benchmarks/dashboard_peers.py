"""The dashboard beside `wandb leet` and terminalboard, on equal data, by one script for all.

    SETGF_TRACKER_SCRIPTS=FOLDER SETGF_TRACKER_VENVS=FOLDER SETGF_PEER_DATA=FOLDER \\
        python -m tests.benchmarks dashboard_peers      (needs tmux; some five to ten minutes)

`bench_tui.py`, `gen_many.py` and `bench_log.py` of the first folder are not part of setgf. The
others run from the environments `v_wandb` (wandb) and `v_tb` (tensorboardX, terminalboard,
`plotext<6`) of the second. Their data (1,000 runs of 1,000 steps and 2 metrics; one series of a
million points) are made once in the third folder and found there again. What is absent is left
out, and said.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.benchmarks.peer_data import LONG, RUNS, STEPS, fill_long, fill_many
from tests.benchmarks.table import heading, median, show_markdown

REPETITIONS = 1
BRAILLE = "[\u2801-\u28ff]{3}"
_LONG_LOGGER = """
import math, os, random, sys
sys.path.insert(0, sys.argv[1])
import bench_log
os.makedirs(sys.argv[3], exist_ok=True)
backend = bench_log.BACKENDS[sys.argv[2]]()
backend.open(sys.argv[3])
chance = random.Random(1)
for step in range(int(sys.argv[4])):
    backend.log(step, {"train/loss": math.exp(-step / 2e5) + chance.random() * .05})
backend.close()
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One program on one set of data."""

    program: str
    data: str
    command: tuple[str, ...]
    keys: str
    """Moves that every program has, by bench_tui's names."""
    ready: str = BRAILLE
    presses: int = 3
    longest: int = 10
    """Seconds to wait for what a key does."""
    live: str = ""
    """A command that goes on writing while the program is measured."""


def main() -> None:
    """Print one table, as Markdown."""
    named, data = os.environ.get("SETGF_TRACKER_SCRIPTS"), os.environ.get("SETGF_PEER_DATA")
    if not named or not data:
        print("Left out: $SETGF_TRACKER_SCRIPTS must name the folder of bench_tui.py, and "
              "$SETGF_PEER_DATA one for about 1 GB of data.")  # fmt: skip
        return
    if shutil.which("tmux") is None:
        print("Left out: there is no tmux.")
        return
    scripts, folder = Path(named), Path(data)
    folder.mkdir(parents=True, exist_ok=True)
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    rows = [_row(case, _measure(scripts, case)) for case in _cases(scripts, folder)]
    show_markdown(["", "on", "first frame, s", "curve drawn, s", "CPU until settled, s",
                   "memory (peak), MB", "idle or live, % of a core", "bytes/s then",
                   "key to screen, ms", "CPU of a key, ms"], rows)  # fmt: skip
    print(f"load {os.getloadavg()[0]:.1f}")


def _cases(scripts: Path, folder: Path) -> Iterator[Case]:
    yield from _ours(folder)
    venvs = Path(os.environ.get("SETGF_TRACKER_VENVS", ""))
    wandb, board = venvs / "v_wandb" / "bin", venvs / "v_tb" / "bin"
    if (wandb / "wandb").exists():
        yield from _leet(scripts, folder, wandb)
    else:
        print("wandb leet is left out: $SETGF_TRACKER_VENVS has no `v_wandb`.")
    if (board / "terminalboard").exists():
        yield from _terminalboard(scripts, folder, board)
    else:
        print("terminalboard is left out: $SETGF_TRACKER_VENVS has no `v_tb`.")


def _ours(folder: Path) -> Iterator[Case]:
    many, long = folder / "setgf_many", folder / "setgf_long"
    if not (many / "setgf.db").exists():
        fill_many(many)
    if not (long / "setgf.db").exists():
        fill_long(long)
    tui = str(Path(sys.executable).parent / "setgf-tui")

    def command(home: Path, *words: str) -> tuple[str, ...]:
        # Settings of an earlier repetition would be a head start, or a handicap.
        start = f"rm -f {home}/tui.toml; exec env SETGF_HOME={home} {tui} {' '.join(words)}"
        return "sh", "-c", start

    writer = f"{sys.executable} -m tests.benchmarks.peer_data {many}"
    yield Case(program="setgf-tui", data=f"{RUNS:,} runs", command=command(many), keys="j,k")
    yield Case(program="setgf-tui", data="  all selected", command=command(many), keys="A",
               presses=1, longest=60)  # fmt: skip
    yield Case(program="setgf-tui", data="  500 points/s, 4 runs", command=command(many),
               keys="", live=writer)  # fmt: skip
    yield Case(program="setgf-tui", data="1 M points", keys="+,-",
               command=command(long, "--screen", "runs"))  # fmt: skip


def _leet(scripts: Path, folder: Path, programs: Path) -> Iterator[Case]:
    many, long = folder / "wandb_many", folder / "wandb_long"
    _make(scripts, programs, "wandb", "wandb", many, long)
    leet = (str(programs / "wandb"), "leet")
    (run,) = (long / "wandb").glob("offline-run-*")
    named = f"{RUNS:,} runs"
    yield Case(program="wandb leet", data=named, command=(*leet, str(many / "wandb")),
               keys="?")  # fmt: skip
    yield Case(program="wandb leet", data="  all selected", command=(*leet, str(many / "wandb")),
               keys="C-a,y", presses=1, longest=200)  # fmt: skip
    live = folder / "wandb_live"
    writer = _writer(scripts, programs, "wandb", live)
    yield Case(program="wandb leet", data="  500 points/s, 1 run", live=writer, keys="",
               command=(*leet, str(live / "wandb")))  # fmt: skip
    yield Case(program="wandb leet", data="1 M points", command=(*leet, str(run)), keys="g")


def _terminalboard(scripts: Path, folder: Path, programs: Path) -> Iterator[Case]:
    many, long = folder / "tb_many", folder / "tb_long"
    _make(scripts, programs, "tb", "tensorboardx", many, long)
    board = (str(programs / "terminalboard"), "--reset-view")
    yield Case(program="terminalboard", data=f"{RUNS:,} runs", command=(*board, str(many)),
               keys="l", longest=60, presses=1)  # fmt: skip
    live = folder / "tb_live"
    writer = _writer(scripts, programs, "tensorboardx", live)
    yield Case(program="terminalboard", data="  500 points/s, 1 run", live=writer, keys="",
               command=(*board, str(live)))  # fmt: skip
    yield Case(program="terminalboard", data="1 M points", command=(*board, str(long)),
               keys="l,+")  # fmt: skip


def _writer(scripts: Path, programs: Path, backend: str, folder: Path) -> str:
    """Return the command that writes 50 times a second 10 values; some are there before it."""
    shutil.rmtree(folder, ignore_errors=True)
    words = [str(programs / "python"), str(scripts / "live_writer.py"), backend, str(folder)]
    subprocess.run([*words, "--seconds", "3"], capture_output=True, check=False)
    return " ".join([*words, "--seconds", "60", "--first", "150"])


def _make(
    scripts: Path, programs: Path, many_name: str, log_name: str, many: Path, long: Path
) -> None:
    """Make the data of a tracker where they are not there yet."""
    python = str(programs / "python")
    if not many.exists():
        print(f"making {many} ...", flush=True)
        words = [python, str(scripts / "gen_many.py"), many_name, str(many)]
        words += ["--runs", str(RUNS), "--points", str(STEPS)]
        subprocess.run(words, check=True, capture_output=True)
    if not long.exists():
        print(f"making {long} ...", flush=True)
        words = [python, "-c", _LONG_LOGGER, str(scripts), log_name, str(long), str(LONG)]
        subprocess.run(words, check=True, capture_output=True)


def _measure(scripts: Path, case: Case) -> list[Mapping[str, Any]]:
    words = [sys.executable, str(scripts / "bench_tui.py"), "--ready", case.ready, "--keys",
             case.keys, "--presses", str(case.presses), "--reps", str(REPETITIONS),
             "--keywait", str(case.longest), "--idle", "10"]  # fmt: skip
    words += ["--live", case.live] if case.live else []
    # The programs keep settings: each gets an empty place for them.
    with tempfile.TemporaryDirectory(prefix="setgf-peers-") as place:
        environment = os.environ | {"WANDB_CONFIG_DIR": place, "XDG_CONFIG_HOME": place,
                                    "XDG_STATE_HOME": place}  # fmt: skip
        done = subprocess.run([*words, "--", *case.command], env=environment, text=True,
                              capture_output=True, check=False)  # fmt: skip
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    if not lines:
        print(f"{case.program} on {case.data.strip()} failed: {done.stderr[-300:]}")
    return lines


def _row(case: Case, found: list[Mapping[str, Any]]) -> list[str]:
    def of(name: str, scale: float = 1.0, digits: int = 1) -> str:
        values = [line[name] * scale for line in found if line.get(name) is not None]
        return f"{median(values):.{digits}f}" if values else "-"

    def keys(name: str) -> str:
        pressed = [key for line in found for key in line.get("keys", {}).values()]
        values = [key[name] for key in pressed if key.get(name) is not None]
        # The longest: of two keys one may only ask back.
        return f"{max(values):,.0f}" if values else "-"

    program = re.sub(r"^setgf-tui$", "**setgf-tui**", case.program)
    return [program, case.data.strip(), of("first_ms", 1e-3, 2), of("ready_ms", 1e-3, 2),
            of("cpu_s", 1.0, 2), f"{of('rss_mb', 1.0, 0)} ({of('peak_mb', 1.0, 0)})",
            of("idle_pct"), of("idle_bytes_s", 1.0, 0), keys("ms"), keys("cpu_ms")]  # fmt: skip


if __name__ == "__main__":
    heading("dashboard_peers", __doc__ or "")
    main()
