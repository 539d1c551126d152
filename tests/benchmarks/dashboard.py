"""The dashboard in a real terminal: start, keys, idle and live cost, bytes, long series, many rows.

    python -m tests.benchmarks dashboard      (needs tmux; about four minutes)

Wall times hold on a quiet machine only; where other programs run beside it, `chrt -f 5` before the
command keeps them from counting. Of bytes and shares of a core the last figure is the whole of it.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

from db.engine import open_database
from db.metrics import ingest
from db.records import Point
from tests.benchmarks.dashboard_data import Training, make_database, name_of
from tests.benchmarks.peer_data import LONG, LONG_RUN, POINT_BYTES, fill_long
from tests.benchmarks.table import heading, median, show
from tests.benchmarks.terminal import Terminal
from tui.settings import to_toml

SIZE = (200, 50)
STARTS = 5
KEYS = 60
OPENED = 10
ROWS = 10_000
QUIET_SECONDS, FOLLOW_SECONDS = 6.0, 10.0
LEET_BYTES = 80_000
"""`wandb leet` wrote 8 kB a second while it followed 500 points a second."""


def main() -> None:
    """Print medians; load is that of the machine."""
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    rows: list[list[str]] = []
    with tempfile.TemporaryDirectory(prefix="setgf-dashboard-") as folder:
        # As after the first start: sources are compiled once, wherever that is kept.
        os.environ |= {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": f"{folder}/bytecode"}
        small, large, long = (Path(folder) / name for name in ("small", "large", "long"))
        small.mkdir()
        large.mkdir()
        make_database(small, 1000)
        make_database(large, ROWS, num_series=1, steps=5)
        _make_long(long)
        rows += _starts(small)
        rows += _keys(_copy(small))
        rows += _opening(small)
        rows += _all_selected(small)
        rows += _idle(small)
        rows += _following(_copy(small), 8)
        rows += _following(_copy(small), 4)
        rows += _long(long)
        rows += _scrolling(large)
    show(["", "median", "worst", "target"], rows)
    print(f"load {os.getloadavg()[0]:.1f}")


def _terminal(home: Path) -> Terminal:
    program = str(Path(sys.executable).parent / "setgf-tui")
    names = ("PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX")
    environment = {name: os.environ[name] for name in names}
    environment |= {"SETGF_HOME": str(home), "COLORTERM": "truecolor"}
    return Terminal([program], size=SIZE, environment=environment)


def _copy(home: Path) -> Path:
    """Return a copy: runs that train on start where they stood, and leave the others alone."""
    copy = Path(tempfile.mkdtemp(dir=home.parent))
    shutil.copy(home / "setgf.db", copy)
    return copy


def _forget(home: Path) -> None:
    """Begin with the settings of a first start."""
    (home / "tui.toml").unlink(missing_ok=True)


def _starts(home: Path) -> list[list[str]]:
    frames: list[float] = []
    lists: list[float] = []
    memory: list[float] = []
    cpu: list[float] = []
    for _ in range(STARTS + 1):
        _forget(home)
        with _terminal(home) as terminal:
            frames.append(terminal.wait_for("1 Runs") - terminal.begun)
            lists.append(terminal.wait_for(name_of(20)) - terminal.begun)
            cpu.append(terminal.cpu())
            terminal.quiet()
            memory.append(terminal.memory())
    return [
        _row("start to the frame, s", frames[1:], "", 2),
        _row("start to 1,000 runs listed, s", lists[1:], "0.6 (0.8)", 2),
        _row("  CPU until then, s", cpu[1:], "", 2),
        _row("  memory once curves are drawn, MB", memory[1:], "150", 0),
    ]


def _keys(home: Path) -> list[list[str]]:
    rows: list[list[str]] = []
    with _terminal(home) as terminal, Training(home, points_a_second=500):
        terminal.wait_for(name_of(20))
        terminal.quiet(0.4, longest=5)
        for keys, what in (
            (("j",), "a row down"),
            (("PageDown",) * 15 + ("PageUp",) * 15, "a page down or up"),
            (("Space",), "select"),
        ):
            times: list[float] = []
            before = terminal.cpu()
            for number in range(KEYS):
                times.append(1e3 * terminal.key(keys[number % len(keys)]))
                time.sleep(0.05)
            used = 1e3 * (terminal.cpu() - before) / KEYS
            late = sorted(times)[int(0.95 * len(times))]
            title = f"{what} while 8 run, ms (CPU with all it causes {used:.0f}; p95 {late:.0f})"
            rows.append([title, *_figures(times, 0), "50 (p95)"])
    return rows


def _opening(home: Path) -> list[list[str]]:
    _forget(home)
    frames: list[float] = []
    backs: list[float] = []
    with _terminal(home) as terminal:
        terminal.wait_for(name_of(20))
        terminal.quiet()
        for _ in range(OPENED + 1):
            frames.append(1e3 * terminal.key_until("Enter", "Confusion"))
            terminal.quiet(0.5)
            backs.append(1e3 * terminal.key_until("Escape", name_of(20)))
            terminal.quiet(0.5)
            terminal.key("j")
            terminal.quiet(0.5)
    return [
        [f"open a run, ms (the first time {frames[0]:.0f})", *_figures(frames[1:], 0), ""],
        _row("  back to the list, ms", backs[1:], "", 0),
    ]


def _all_selected(home: Path) -> list[list[str]]:
    _forget(home)
    with _terminal(home) as terminal:
        terminal.wait_for(name_of(20))
        terminal.quiet()
        before = terminal.cpu()
        terminal.key("A")
        terminal.quiet(1.5)
        selected = terminal.cpu() - before
        terminal.key("u")
        terminal.shows("variant")
        terminal.keys("v", 1)
        for letter in "ariant":
            terminal.keys(letter, 1)
        terminal.quiet(0.5)
        terminal.key("Enter")
        terminal.quiet(1.5)
        grouped = terminal.cpu() - before
        assert terminal.shows("200 groups by variant"), terminal.screen()
        return [
            ["all 1,000 selected, s CPU", f"{selected:.2f}", "", ""],
            ["  and grouped, s CPU", f"{grouped:.2f}", "", "3"],
            ["  memory, MB", f"{terminal.memory():.0f}", "", "250"],
        ]


def _idle(home: Path) -> list[list[str]]:
    _forget(home)
    with _terminal(home) as terminal:
        terminal.wait_for(name_of(20))
        time.sleep(QUIET_SECONDS)  # what is loaded once is loaded by then
        written, share = _cost(terminal)
    return [
        ["idle, 8 runs live, % of a core", f"{share:.2f}", "", "0.5"],
        [f"  bytes in {FOLLOW_SECONDS:.0f} s", f"{written:,}", "", "2,000"],
    ]


def _following(home: Path, num_live: int) -> list[list[str]]:
    with _terminal(home) as terminal:
        terminal.wait_for(name_of(20))
        time.sleep(QUIET_SECONDS)
        with Training(home, points_a_second=500, num_live=num_live):
            time.sleep(2)
            written, share = _cost(terminal)
    return [
        [f"following 500 points/s of {num_live} runs, % of a core", f"{share:.1f}", "", "5"],
        [f"  bytes in {FOLLOW_SECONDS:.0f} s", f"{written:,}", "", f"{LEET_BYTES:,} (LEET)"],
    ]


def _cost(terminal: Terminal) -> tuple[int, float]:
    """Return the bytes written in a while, and the share of a core in percent."""
    before, begun = terminal.cpu(), time.perf_counter()
    written = terminal.bytes_in(FOLLOW_SECONDS)
    return written, 100 * (terminal.cpu() - before) / (time.perf_counter() - begun)


def _make_long(home: Path) -> None:
    """Make a run with a series of a million points and a short one, which is shown at first."""
    fill_long(home)
    database = open_database(f"sqlite:///{home / 'setgf.db'}")
    points = [
        Point(series="valid.mae", step=1000 * n, epoch=n, value=1 / n, time=1e9 + n)
        for n in range(1, 20)
    ]
    with database.write() as connection:
        offset = POINT_BYTES * (LONG + len(points))
        ingest(connection, LONG_RUN, 1, points, points_offset=offset)
    database.close()


def _long(home: Path) -> list[list[str]]:
    place = str(home / "setgf.db")
    (home / "tui.toml").write_text(to_toml({place: {"series": "valid.mae"}}))
    with _terminal(home) as terminal:
        assert terminal.shows("19 points, all drawn"), terminal.screen()
        terminal.quiet()
        before = terminal.cpu()
        terminal.keys(",", 1)
        is_there = terminal.shows(f"{LONG:,} points, envelope exact")
        terminal.quiet(0.5)
        used = terminal.cpu() - before
    return [
        [f"{LONG:,} points drawn, s CPU", f"{used:.2f}", "", "0.5"],
        ["  complete, with an exact envelope", "yes" if is_there else "NO", "", "yes"],
    ]


def _scrolling(home: Path) -> list[list[str]]:
    _forget(home)
    with _terminal(home) as terminal:
        terminal.wait_for(name_of(20))
        terminal.quiet(1.5)
        before = terminal.cpu()
        pressed = 400
        terminal.keys("j", pressed)
        is_there = terminal.shows(f"succeeded  {name_of(pressed)}", seconds=60)
        used = 1e3 * (terminal.cpu() - before) / pressed
    return [
        [f"{ROWS:,} rows: a row down, ms CPU", f"{used:.1f}", "", "10"],
        [f"  {pressed} keys at once: all arrive", "yes" if is_there else "NO", "", "yes"],
    ]


def _row(what: str, values: list[float], target: str, digits: int) -> list[str]:
    return [what, *_figures(values, digits), target]


def _figures(values: list[float], digits: int) -> tuple[str, str]:
    return f"{median(values):.{digits}f}", f"{max(values):.{digits}f}"


if __name__ == "__main__":
    heading("dashboard", __doc__ or "")
    main()
