"""Every screen as SVG, dark and light."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.pictures.home import PROGRAMS, environment, forget, setgf

SIZE = "140x40"
TABS = {"": 0, "-epochs": 1, "-confusion": 5, "-predictions": 6, "-labels": 7, "-system": 8}
"""Tabs of a finished run, and how many times Tab leads there."""
SCREENS: dict[str, tuple[str, ...]] = {
    "runs": ("down", "A"),
    "queue": (),
    "compare": (),
    "data": (),
    "events": (),
    "new-job": ("a",),
    "help": ("question_mark",),
}


def draw_all(home: Path, into: Path) -> Iterator[Path]:
    """Draw the screens into a folder: `runs.svg` is dark, `runs-light.svg` light."""
    wanted = {name: (_screen_of(name), keys) for name, keys in SCREENS.items()}
    finished = ("end", "enter")
    for tab, number in TABS.items():
        wanted[f"run{tab}"] = ("runs", (*finished, *("tab",) * number))
    for name, (screen, keys) in wanted.items():
        for theme, ending in (("dark", ""), ("light", "-light")):
            path = into / f"{name}{ending}.svg"
            _draw(home, path, screen, theme, keys)
            yield path
    path = into / "plot.txt"
    words = ("group:seeds", "-m", "valid.mae", "--mean", "--x", "epoch", "--height", "14")
    path.write_text(setgf(home, "plot", *words), encoding="utf-8")
    yield path


def _screen_of(name: str) -> str:
    return name if name not in ("new-job", "help") else "queue"


def _draw(home: Path, path: Path, screen: str, theme: str, keys: tuple[str, ...]) -> None:
    forget(home)
    command = [
        str(PROGRAMS / "setgf-tui"), "--screenshot", str(path), "--screen", screen,
        "--theme", theme, "--size", SIZE, "--press", ",".join(keys),
    ]  # fmt: skip
    subprocess.run(command, env=environment(home), check=True)
