"""SIGKILL at random moments of writing: `python -m tests.acceptance.kill_at_random --kills 200`.

A process logs points as training does, another carries them into the database as a worker does. One
of them, or both, are killed again and again. A step counts as acknowledged once `log` has returned:
the writer says so in a few bytes of shared memory, which outlive it.
"""

from __future__ import annotations

import argparse
import mmap
import random
import signal
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

from db.engine import open_database
from db.errors import NotFoundError
from db.query import Query
from setgf.runs.folder import AttemptFolder, RunFolder
from setgf.runs.recorder import FolderRecorder
from setgf.worker.ingest import Carrier
from setgf.worker.rebuild import begin_foreground
from setgf.worker.submit import run_identity
from tests.db.postgres_server import PostgresServer
from tests.worker.builders import a_job, a_new_job
from tests.worker.processes import wait_until

ROOT = Path(__file__).parents[2]
RUN_ID = "abcd1234"
SERIES = ("train.loss", "train.lr", "valid.mae")
STEPS_A_KILL = 300
BURST = 10
PAUSE_SECONDS = 0.001
VICTIMS = ("writer", "writer", "carrier", "carrier", "both")
_STEP = struct.Struct("<Q")


@dataclass(frozen=True)
class Figures:
    """What happened, for a report."""

    kills: int
    acknowledged: int
    """Steps of which every point was there, once and with its value."""
    attempts: int
    points: int
    problems: tuple[str, ...]


class Acknowledged:
    """The last step whose `log` has returned, in memory shared by file."""

    def __init__(self, path: Path) -> None:
        if not path.exists():
            path.write_bytes(_STEP.pack(0))
        with path.open("r+b") as file:
            self._memory = mmap.mmap(file.fileno(), _STEP.size)

    def __call__(self) -> int:
        return _STEP.unpack_from(self._memory)[0]

    def say(self, step: int) -> None:
        """Acknowledge a step."""
        _STEP.pack_into(self._memory, 0, step)


def value_of(series: str, step: int, attempt: int) -> float:
    """Return what an attempt logs at a step."""
    return SERIES.index(series) + step + attempt / 1024


def write(attempt: AttemptFolder, first: int) -> None:
    """Log steps from `first` on until killed."""
    acknowledged = Acknowledged(attempt.run.path / "acknowledged")
    recorder = FolderRecorder(attempt)
    recorder.event("started", resume_step=first - 1)
    recorder.begin_epoch(1)
    step = first
    while True:
        recorder.log(step, {name: value_of(name, step, attempt.number) for name in SERIES})
        acknowledged.say(step)
        if step % BURST == 0:
            recorder.event("epoch", epoch=1, step=step)
            time.sleep(PAUSE_SECONDS)
        step += 1


def carry(url: str, attempt: AttemptFolder) -> None:
    """Carry what attempts leave into the database until killed."""
    database = open_database(url)
    carriers: dict[int, Carrier] = {}
    while True:
        for one in attempt.run.attempts():
            carrier = carriers.setdefault(one.number, Carrier(database, one))
            with suppress(NotFoundError):  # its folder is a moment older than its row
                carrier.carry(time.time())
        time.sleep(PAUSE_SECONDS)


class Site:
    """One run, the process that writes it and the one that carries it."""

    def __init__(self, folder: Path, url: str, chance: random.Random) -> None:
        self.url, self.chance = url, chance
        self.run = RunFolder(folder / "runs" / RUN_ID)
        new = a_new_job(RUN_ID)
        identity = run_identity(a_job(run_id=RUN_ID, config=new.config), created_at=1.0)
        self.run.create(identity, new.config)
        self.acknowledged = Acknowledged(self.run.path / "acknowledged")
        self.database = open_database(url)
        self.resumes: list[int] = []
        """The step each attempt went on from."""
        self.begin_attempt()
        self.start_carrier()

    def begin_attempt(self) -> None:
        """Go on in a new attempt, from some steps back as from a checkpoint."""
        back = self.chance.randrange(STEPS_A_KILL // 2) if self.resumes else 0
        resume = max(0, self.acknowledged() - back)
        self.resumes.append(resume)
        attempt = self.run.begin_attempt(len(self.resumes))
        begin_foreground(self.database, attempt)
        self.acknowledged.say(resume)
        self.writer = _start("write", attempt, resume + 1)

    def start_carrier(self) -> None:
        """Start the process that carries."""
        self.carrier = _start("carry", self.run.attempt_folder(1), self.url)

    def kill(self) -> None:
        """Let some steps pass, kill somebody, store what is left and go on."""
        goal = self.acknowledged() + self.chance.randrange(1, STEPS_A_KILL)
        wait_until(lambda: self.acknowledged() >= goal, seconds=60, what="steps")
        time.sleep(self.chance.random() * PAUSE_SECONDS)
        victim = self.chance.choice(VICTIMS)
        if victim != "writer":
            _end(self.carrier)
        if victim != "carrier":
            _end(self.writer)
            Carrier(self.database, self.run.attempts()[-1]).carry_all(time.time())
            self.begin_attempt()
        if victim != "writer":
            self.start_carrier()

    def close(self) -> None:
        """End both processes; everything that was written is stored afterwards."""
        _end(self.writer)
        _end(self.carrier)
        Carrier(self.database, self.run.attempts()[-1]).carry_all(time.time())

    def problems(self) -> Iterator[str]:
        """Yield what is not as it must be: a point lost, doubled or wrong, a damaged file."""
        yield from self.database.check()
        last = self.acknowledged()
        expected = [self._attempt_of(step) for step in range(1, last + 1)]
        query = Query(self.database)
        for name in SERIES:
            arrays = query.arrays(RUN_ID, name)
            steps, values = arrays.steps.tolist(), arrays.values.tolist()
            if len(set(steps)) != len(steps):
                yield f"{name}: {len(steps) - len(set(steps))} steps are there twice"
            wanted = [value_of(name, step, number) for step, number in enumerate(expected, 1)]
            if values[:last] != wanted or steps[:last] != list(range(1, last + 1)):
                yield f"{name}: of {last} acknowledged steps some are lost or wrong"

    def _attempt_of(self, step: int) -> int:
        """Return the attempt whose value of a step counts: the last one that logged it."""
        numbers = range(len(self.resumes), 0, -1)
        return next(number for number in numbers if self.resumes[number - 1] < step)


def kill_at_random(folder: Path, url: str, *, kills: int, seed: int) -> Figures:
    """Kill writer and carrier `kills` times; return what was found afterwards."""
    site = Site(folder, url, random.Random(seed))
    try:
        for _ in range(kills):
            site.kill()
    finally:
        site.close()
    problems = tuple(site.problems())
    ((points,),) = Query(site.database).sql("SELECT count(*) FROM points")[1]
    site.database.close()
    return Figures(kills, site.acknowledged(), len(site.resumes), int(points), problems)


def _start(verb: str, attempt: AttemptFolder, argument: object) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tests.acceptance.kill_at_random"]
    return subprocess.Popen(
        [*command, verb, str(attempt.path), str(argument)], cwd=ROOT, stdin=subprocess.DEVNULL
    )


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill a process, which must have been alive: it ends by nothing else."""
    process.kill()
    assert process.wait() == -signal.SIGKILL, "a process ended by itself"


def main() -> None:
    """Write, carry, or kill both and say what was found."""
    if sys.argv[1] in ("write", "carry"):
        path = Path(sys.argv[2])
        attempt = RunFolder(path.parent).attempt_folder(int(path.name[1:]))
        if sys.argv[1] == "write":
            write(attempt, int(sys.argv[3]))
        carry(sys.argv[3], attempt)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--postgres", action="store_true", help="carry into a server")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, ExitStack() as opened:
        url = f"sqlite:///{folder}/setgf.db"
        if options.postgres:
            server = PostgresServer()
            opened.callback(server.close)
            server.execute("CREATE DATABASE runs")
            url = server.url("runs")
        began = time.monotonic()
        found = kill_at_random(Path(folder), url, kills=options.kills, seed=options.seed)
    print(f"{found} in {time.monotonic() - began:.0f} s")
    sys.exit(bool(found.problems))


if __name__ == "__main__":
    main()
