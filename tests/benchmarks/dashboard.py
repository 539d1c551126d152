"""The dashboard in a real terminal: its start, keys with 1,000 runs while 8 train, 10,000 rows.

    python -m tests.benchmarks dashboard      (needs tmux; about two minutes)

Targets: first useful frame < 0.6 s and < 150 MB; 1,000 runs listed < 0.8 s; a key to its effect
< 50 ms (p95) while 8 runs train; a row down <= 10 ms of CPU with 10,000 rows, no key lost; all of
1,000 runs selected and grouped < 3 s of CPU and < 250 MB.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path

from tests.benchmarks.dashboard_data import Training, make_database, name_of
from tests.benchmarks.table import heading, median, show
from tests.benchmarks.terminal import Terminal

SIZE = (200, 50)
STARTS = 5
KEYS = 60
ROWS = 10_000
FOLLOW_SECONDS = 10.0


def main() -> None:
    """Print medians; load is that of the machine."""
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    rows: list[list[str]] = []
    with tempfile.TemporaryDirectory(prefix="setgf-dashboard-") as folder:
        small, large = Path(folder) / "small", Path(folder) / "large"
        small.mkdir()
        large.mkdir()
        make_database(small, 1000)
        make_database(large, ROWS, num_series=1, steps=5)
        rows += _starts(small)
        rows += _keys(small)
        rows += _all_selected(small)
        rows += _following(small)
        rows += _scrolling(large)
    show(["", "median", "worst", "target"], rows)
    print(f"load {os.getloadavg()[0]:.1f}")


def _terminal(home: Path) -> Terminal:
    program = str(Path(sys.executable).parent / "setgf-tui")
    environment = {"SETGF_HOME": str(home), "COLORTERM": "truecolor"}
    return Terminal([program], size=SIZE, environment=environment)


def _forget(home: Path) -> None:
    """Begin with the settings of a first start."""
    (home / "tui.toml").unlink(missing_ok=True)


def _starts(home: Path) -> list[list[str]]:
    frames: list[float] = []
    lists: list[float] = []
    memory: list[float] = []
    cpu: list[float] = []
    for _ in range(STARTS):
        _forget(home)
        with _terminal(home) as terminal:
            frames.append(terminal.wait_for("1 Runs") - terminal.begun)
            lists.append(terminal.wait_for(name_of(20)) - terminal.begun)
            cpu.append(terminal.cpu())
            memory.append(terminal.memory())
    return [
        _row("start to the frame, s", frames, "", 2),
        _row("start to 1,000 runs listed, s", lists, "0.6 (0.8)", 2),
        _row("  CPU until then, s", cpu, "", 2),
        _row("  memory then, MB", memory, "150", 0),
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
            title = f"{what}, ms (p95 {late:.0f}; CPU with all it causes {used:.0f})"
            rows.append([title, *_figures(times, 0), "50 (p95)"])
    return rows


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
        terminal.wait_for("variant")
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


def _following(home: Path) -> list[list[str]]:
    _forget(home)
    with _terminal(home) as terminal:
        terminal.wait_for(name_of(20))
        terminal.quiet()
        rows = [_share(terminal, "idle, % of a core", "0.5")]
        with Training(home, points_a_second=500):
            time.sleep(1)
            rows.append(_share(terminal, "following 500 points/s, % of a core", "5"))
        return rows


def _share(terminal: Terminal, what: str, target: str) -> list[str]:
    before, begun = terminal.cpu(), time.perf_counter()
    written = terminal.bytes_in(FOLLOW_SECONDS)
    share = 100 * (terminal.cpu() - before) / (time.perf_counter() - begun)
    return [f"{what} ({written:,} bytes in {FOLLOW_SECONDS:.0f} s)", f"{share:.1f}", "", target]


def _scrolling(home: Path) -> list[list[str]]:
    _forget(home)
    with _terminal(home) as terminal:
        terminal.wait_for(name_of(20))
        terminal.quiet(1.5)
        before = terminal.cpu()
        pressed = 400
        terminal.keys("j", pressed)
        terminal.wait_for(name_of(pressed), seconds=60)
        is_there = terminal.shows(f"succeeded  {name_of(pressed)}")
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
