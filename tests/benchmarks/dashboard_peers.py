"""The dashboard beside `wandb leet` and terminalboard, on equal data, by one script for all.

    SETGF_TRACKER_SCRIPTS=FOLDER SETGF_TRACKER_VENVS=FOLDER SETGF_PEER_DATA=FOLDER \\
        python -m tests.benchmarks dashboard_peers      (needs tmux; some five to ten minutes)

`bench_tui.py`, `gen_many.py` and `bench_log.py` of the first folder are not part of setgf. The
others run from the environments `v_wandb` (wandb) and `v_tb` (tensorboardX, terminalboard,
`plotext<6`) of the second. Their data (1,000 runs of 1,000 steps and 2 metrics; one series of a
million points) are made once in the third folder and found there again. What is absent is left
out, and said.

What a row measures, the same for every program unless its line says otherwise:

* opened: from the start of the program on 1,000 runs, nothing chosen, until its screen stands still
  and it rests: first characters, first curve (3 cells of braille), CPU, memory; then 10 seconds at
  rest; then a key that only opens or closes something on the screen.
* all drawn: the keys that choose all 1,000 runs, and all that follows until the program rests:
  every point read, every curve drawn (setgf-tui as one mean and band a group, wandb leet as lines).
  The first change of the screen is no measure of that, so no time is given; the CPU of all keys and
  the memory after them are.
* live: the same start on a log that others write: 500 values a second for 10 seconds.
* 1 M points: the same start, on one series; then a key that draws the curve anew, if there is one.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.benchmarks.peer_data import LONG, RUNS, STEPS, fill_long, fill_many
from tests.benchmarks.table import heading, median, show_markdown

REPETITIONS = 1
OPENED, ALL_DRAWN = f"{RUNS:,} runs: opened", f"{RUNS:,} runs: all drawn"
LIVE, LONG_SERIES = "live, 500 values/s", "1 M points"
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
    is_only_keys: bool = False
    """The start is that of another row: only what the keys cost is told."""
    remark: str = ""
    """What is not as in the rows of the others."""


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
    show_markdown(["", "measured", "first frame, s", "curve drawn, s", "CPU until settled, s",
                   "memory (peak), MB", "idle or live, % of a core", "bytes/s then",
                   "key to screen, ms", "CPU of the keys, ms", "differs by"], rows)  # fmt: skip
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
    yield Case(program="setgf-tui", data=OPENED, command=command(many), keys="?")
    yield Case(program="setgf-tui", data=ALL_DRAWN, command=command(many), keys="A",
               presses=1, longest=60, is_only_keys=True)  # fmt: skip
    yield Case(program="setgf-tui", data=LIVE, command=command(many), keys="", live=writer,
               remark=f"to 4 of {RUNS:,} runs, all listed")  # fmt: skip
    yield Case(program="setgf-tui", data=LONG_SERIES, keys="+,-",
               command=command(long, "--screen", "runs"))  # fmt: skip


def _leet(scripts: Path, folder: Path, programs: Path) -> Iterator[Case]:
    many, long = folder / "wandb_many", folder / "wandb_long"
    _make(scripts, programs, "wandb", "wandb", many, long)
    leet = (str(programs / "wandb"), "leet")
    (run,) = (long / "wandb").glob("offline-run-*")
    yield Case(program="wandb leet", data=OPENED, command=(*leet, str(many / "wandb")),
               keys="?")  # fmt: skip
    yield Case(program="wandb leet", data=ALL_DRAWN, command=(*leet, str(many / "wandb")),
               keys="C-a,y", presses=1, longest=200, is_only_keys=True)  # fmt: skip
    live = folder / "wandb_live"
    writer = _writer(scripts, programs, "wandb", live)
    yield Case(program="wandb leet", data=LIVE, live=writer, keys="", remark="to the only run",
               command=(*leet, str(live / "wandb")))  # fmt: skip
    yield Case(program="wandb leet", data=LONG_SERIES, command=(*leet, str(run)), keys="",
               remark="opens one run, no list; no key draws it anew")  # fmt: skip


def _terminalboard(scripts: Path, folder: Path, programs: Path) -> Iterator[Case]:
    many, long = folder / "tb_many", folder / "tb_long"
    _make(scripts, programs, "tb", "tensorboardx", many, long)
    board = (str(programs / "terminalboard"), "--reset-view")
    yield Case(program="terminalboard", data=OPENED, command=(*board, str(many)), keys="l",
               longest=60, presses=1, remark="all runs are drawn from the start; the key draws "
               "them with a logarithmic axis")  # fmt: skip
    live = folder / "tb_live"
    writer = _writer(scripts, programs, "tensorboardx", live)
    yield Case(program="terminalboard", data=LIVE, live=writer, keys="", remark="to the only run",
               command=(*board, str(live)))  # fmt: skip
    yield Case(program="terminalboard", data=LONG_SERIES, command=(*board, str(long)), keys="l,+")


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

    def keys(name: str, total: Callable[[list[float]], float]) -> str:
        """Return what the keys of a start took together; the median of the starts."""
        starts = [line.get("keys", {}).values() for line in found]
        values = [[key[name] for key in pressed if key.get(name) is not None] for pressed in starts]
        totals = [total(some) for some in values if some]
        return f"{median(totals):,.0f}" if totals else "-"

    program = re.sub(r"^setgf-tui$", "**setgf-tui**", case.program)
    if case.is_only_keys:
        after = of("rss_after_keys_mb", 1.0, 0)
        return [program, case.data, *"---", after, *"---", keys("cpu_ms", sum), case.remark]
    return [program, case.data, of("first_ms", 1e-3, 2), of("ready_ms", 1e-3, 2),
            of("cpu_s", 1.0, 2), f"{of('rss_mb', 1.0, 0)} ({of('peak_mb', 1.0, 0)})",
            of("idle_pct"), of("idle_bytes_s", 1.0, 0), keys("ms", max),
            keys("cpu_ms", max), case.remark]  # fmt: skip


if __name__ == "__main__":
    heading("dashboard_peers", __doc__ or "")
    main()
