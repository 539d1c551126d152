"""A real worker process with stub children: `python -m tests.worker.stub_worker [--drain]`."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from db.engine import open_database
from setgf.home import find_home
from setgf.worker.daemon import Worker, WorkerOptions
from setgf.worker.engines.local import LocalEngine
from setgf.worker.logs import set_up_log
from tests.worker import stub_child

COMMAND = (sys.executable, str(Path(stub_child.__file__)))


def main() -> None:
    home = find_home()
    set_up_log(home.workers / f"worker-{os.getpid()}.log", to_terminal=False)
    options = WorkerOptions(
        slots=2, gpus=(), drain="--drain" in sys.argv, back_off_seconds=0, lease_seconds=3
    )
    database = open_database(home.database_url)
    Worker(home, database, options, engine=LocalEngine(home, command=COMMAND)).run()


if __name__ == "__main__":
    main()
