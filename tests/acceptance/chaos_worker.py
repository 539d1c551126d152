"""A worker for rough tests: `python -m tests.acceptance.chaos_worker --lease 3 --clock FILE`.

It is the worker of `setgf worker start` with a short lease, short pauses before another attempt,
and a wall clock that somebody else moves: the seconds in a file are added to it. Only this process
sees that clock.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from db.engine import open_database
from db.records import FailureClass
from setgf.cli.output import run_command
from setgf.home import Home, find_home
from setgf.worker import keeper, outcomes
from setgf.worker.daemon import Worker, WorkerOptions
from setgf.worker.engines.local import LocalEngine
from setgf.worker.logs import set_up_log
from tests.acceptance import chaos_child

STUB = (sys.executable, chaos_child.__file__)
QUICK = ("/bin/sh", str(Path(__file__).with_name("quick_child.sh")))
CHILDREN: dict[str, Sequence[str]] = {"stub": STUB, "quick": QUICK}


class MovableClock:
    """The wall clock plus the seconds that a file names; no file, no change."""

    def __init__(self, path: Path | None) -> None:
        self.path = path

    def __call__(self) -> float:
        """Return seconds since the epoch, as this worker shall believe them."""
        if self.path is None:
            return time.time()
        try:
            moved = float(self.path.read_text() or 0)
        except OSError:
            moved = 0.0
        return time.time() + moved


def work() -> None:
    """Work as the command line says."""
    options = _parser().parse_args()
    home = find_home()
    set_up_log(home.workers / f"worker-{os.getpid()}.log", to_terminal=False)
    keeper.NO_ROOM_SECONDS = 10 * options.back_off
    rules = dict(outcomes.RULES)
    full = replace(rules[FailureClass.DISK_FULL], back_off=10 * options.back_off)
    outcomes.RULES = rules | {FailureClass.DISK_FULL: full}
    wanted = WorkerOptions(
        slots=options.slots,
        gpus=(),
        drain=options.drain,
        lease_seconds=options.lease,
        back_off_seconds=options.back_off,
    )
    with closing(open_database(home.database_url)) as database:
        engine = _engine(home, options.child)
        Worker(home, database, wanted, engine=engine, clock=MovableClock(options.clock)).run()


def _engine(home: Home, child: str) -> LocalEngine:
    if child == "real":
        return LocalEngine(home)
    return LocalEngine(home, command=CHILDREN[child])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--child", choices=("real", *CHILDREN), default="real")
    parser.add_argument("--slots", type=int, default=1)
    parser.add_argument("--lease", type=float, default=30.0, help="Seconds.")
    parser.add_argument("--back-off", type=float, default=0.1, help="Seconds before a retry.")
    parser.add_argument("--clock", type=Path, help="File with the seconds to add to the clock.")
    parser.add_argument("--drain", action="store_true")
    return parser


if __name__ == "__main__":
    sys.exit(run_command(work))
