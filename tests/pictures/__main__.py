"""Train a few small runs, then draw every screen and record a session while others train.

    python -m tests.pictures [--home FOLDER] [--into FOLDER] [--only pictures|session]

Takes some minutes. With `--home` the runs of that home are drawn as they are, and nothing is
queued. Nothing but `--into` (default: `tui/pictures`) is left behind.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from pathlib import Path

from tests.pictures.home import busy_home
from tests.pictures.screens import draw_all
from tests.pictures.session import record

PICTURES = Path(__file__).parents[2] / "tui" / "pictures"
HOME = Path(tempfile.gettempdir()) / "setgf-pictures"


def main() -> None:
    options = argparse.ArgumentParser(prog="python -m tests.pictures")
    options.add_argument("--home", type=Path, help="draw this home as it is")
    options.add_argument("--into", type=Path, default=PICTURES)
    options.add_argument("--only", choices=("pictures", "session"))
    chosen = options.parse_args()
    chosen.into.mkdir(parents=True, exist_ok=True)
    if chosen.home is not None:
        _make(chosen.home, chosen)
        return
    shutil.rmtree(HOME, ignore_errors=True)
    with busy_home(HOME):
        _make(HOME, chosen)
    shutil.rmtree(HOME, ignore_errors=True)


def _make(home: Path, chosen: argparse.Namespace) -> None:
    if chosen.only != "pictures":
        path = chosen.into / "session.cast"
        record(home, path)
        print(f"{path}: {path.stat().st_size / 1000:.0f} kB")
    if chosen.only != "session":
        for path in draw_all(home, chosen.into):
            print(f"{path}: {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
