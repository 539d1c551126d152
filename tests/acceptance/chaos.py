"""Random faults over real processes, and what must hold afterwards.

    python -m tests.acceptance.chaos --faults 300 --jobs 40 --seed 1

Two workers share one database and train real networks (`--child real`; a few seconds a job, on
made-up data) while their processes are killed and stopped, the clock of one of them is moved, the
database is locked, folders become read-only, the disk is full and the machine goes down. Every job
must end as the undisturbed run of the same experiment did. A private mount namespace holds the
disk; without the right to make one, the faults that need it are left out, and said so. With
`--database postgresql` the server itself is killed, too.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from db.engine import open_database
from db.records import Job, JobState
from setgf.home import DATABASE_VARIABLE
from tests.acceptance.chaos_checks import Expected, Hit, problems, table
from tests.acceptance.chaos_faults import Fault, deck, faults
from tests.acceptance.chaos_world import BOOT_ID, World, mount, new_boot_id, states
from tests.db.postgres_server import PostgresServer

INSIDE_VARIABLE = "SETGF_TEST_MOUNTS"
REAL_SETTINGS = (
    *("text.encoder=tiny", "model.width=16", "model.heads=2", "model.blocks=1"),
    *("data.max_frames=8", "optim.batch_size=4", "max_epochs=2", "patience=0"),
    *("checkpoint_seconds=0.2", "threads=1"),
)
EXPERIMENTS = (("setgf", 1), ("setgf", 2), ("text_only", 1), ("self_mm", 1))
"""Model and seed of the undisturbed runs."""
STUB_TAGS = ("steps=100", "pause=0.02")
POISON = ("--set", "optim.lr=1e30", "--set", "optim.clip_norm=0")

Undo = tuple[float, Callable[[], None], str]
"""Moment on the monotonic clock, what to do then, and the fault's name."""


@dataclass
class Storm:
    """Deals faults to a world until all are dealt, then waits for the end of every job."""

    world: World
    options: argparse.Namespace
    chance: random.Random
    expected: dict[int, Expected] = field(default_factory=dict[int, Expected])
    counts: Counter[str] = field(default_factory=Counter[str])
    hits: list[Hit] = field(default_factory=list[Hit])
    references: list[int] = field(default_factory=list[int])
    """Ids of the undisturbed jobs."""
    planned: list[int] = field(default_factory=list[int])
    """Ids of the jobs over which the faults are spread; more come when these end too early."""
    undos: list[Undo] = field(default_factory=list[Undo])
    tidied: set[int] = field(default_factory=set[int])
    """Ids of the jobs whose old checkpoints were removed."""

    def prepare(self) -> None:
        """Make data, and train every experiment undisturbed."""
        world, options = self.world, self.options
        world.setgf("data", "synth", "--name", "small", "--samples", 60)
        count = 1 if options.child == "stub" else len(EXPERIMENTS)
        references = [self._add(number, JobState.SUCCEEDED) for number in range(count)]
        self.references = references
        drain = ("--drain",) if options.child == "stub" else ("--drain", "--slots", "2")
        world.command = world.crew[1].command
        assert world.start_worker(*drain).wait(600) == 0, world.errors()
        for job_id in references:
            assert world.job(job_id).state is JobState.SUCCEEDED, world.job(job_id).error
        for number in range(options.jobs):
            reference = references[number % count]
            self.planned.append(self._add(number % count, JobState.SUCCEEDED, reference=reference))
        if options.child == "real":
            self._add_others()

    def _add(
        self, number: int, state: JobState, *more: object, reference: int | None = None
    ) -> int:
        """Queue a job as a user does; returns its id."""
        model, seed = EXPERIMENTS[number]
        words = ["--data", "small", "--model", model, "--seeds", seed, "--gpus", 0]
        if self.options.child == "stub":
            words += [word for tag in STUB_TAGS for word in ("--tag", tag)]
        for setting in REAL_SETTINGS:
            words += ["--set", setting]
        added = self.world.setgf(
            "queue", "add", *words, *more, "--retries", 500, "--force", "--json"
        )
        (job_id,) = [entry["id"] for entry in added]
        self.expected[job_id] = Expected(state, reference)
        return job_id

    def _add_others(self) -> None:
        """Queue jobs that must not succeed: one that diverges, and one that waits for it."""
        poison = self._add(0, JobState.FAILED, *POISON)
        self.expected[poison] = Expected(JobState.FAILED, failure_class="diverged")
        self._add(0, JobState.FAILED, "--after", poison)

    def rage(self) -> None:
        """Deal all faults, each at a random moment; add jobs while there are too few to hit."""
        kinds = faults(
            has_mounts=self.world.has_mounts,
            has_server=self.world.server is not None,
            longest=self.options.longest,
        )
        cards = deck(kinds, self.options.faults, self.chance)
        while cards:
            self.turn()
            if not self._is_enough_left():
                self._add(0, JobState.SUCCEEDED, reference=1)
            if self._is_ahead():
                self._wait(0.3)
                continue
            dealt = next((card for card in cards[:8] if self._deal(card)), None)
            if dealt is not None:
                cards.remove(dealt)
                self._tell(len(cards))
                self._wait(self.chance.expovariate(1 / self.options.pause))
            else:
                self._wait(0.1)

    def settle(self) -> None:
        """Undo what is left to undo, wait for every job's end and let the workers leave."""
        while self.undos:
            self.turn()
            time.sleep(0.05)
        while any(not job.is_finished for job in self.world.progress().values()):
            self.turn()
            time.sleep(0.1)
        codes = self.world.leave()
        if any(codes):
            self.world.unexpected.append(f"workers left with codes {codes}")

    def turn(self) -> None:
        """Undo what is due, and replace the workers that ended."""
        if time.monotonic() > self.options.deadline:
            left = [f"job {job.id} {job.state}: {job.error}" for job in self._unfinished()]
            raise TimeoutError(f"not over after {self.options.minutes} minutes: {left}")
        for entry in [entry for entry in self.undos if entry[0] <= time.monotonic()]:
            self.undos.remove(entry)
            entry[1]()
            self.world.note(f"undone: {entry[2]}")
        self.world.keep_working()

    def _wait(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.turn()
            time.sleep(min(0.1, left))

    def _deal(self, fault: Fault) -> bool:
        blow = fault.strike(self.world, self.chance)
        if blow is None:
            return False
        self.counts[fault.name] += 1
        self.world.note(f"{fault.name} {blow.seconds:.1f} s, jobs {[job.id for job in blow.hit]}")
        self.hits += [Hit(fault.name, job.id, job.attempt) for job in blow.hit]
        if blow.undo is not None:
            self.undos.append((time.monotonic() + blow.seconds, blow.undo, fault.name))
        return True

    def _unfinished(self) -> list[Job]:
        return [job for job in self.world.jobs() if not job.state.is_finished]

    def _is_ahead(self) -> bool:
        """True while more faults were dealt than the jobs' progress allows: all are to be hit."""
        progress = self.world.progress()
        steps = max(progress[job_id].steps for job_id in self.references)
        planned = [progress[job_id] for job_id in self.planned]
        done = sum(1.0 if job.is_finished else job.steps / steps for job in planned)
        allowed = self.options.faults * done / len(planned) + 2
        return done < len(planned) and sum(self.counts.values()) > allowed

    def _is_enough_left(self) -> bool:
        """True while two jobs can be hit; finished ones give their disk space back."""
        if self.world.locker is not None or self.world.is_full:
            return True
        progress = self.world.progress()
        for job_id, job in progress.items():
            if job.is_finished and job_id not in self.tidied:
                self.tidied.add(job_id)
                self.world.forget_old_checkpoints(self.world.job(job_id))
        return sum(not job.is_finished for job in progress.values()) > 1

    def _tell(self, left: int) -> None:
        if left % 10 == 0:
            done = len(self.world.jobs()) - len(self._unfinished())
            print(f"{sum(self.counts.values())} faults, {done} jobs over", flush=True)


def main() -> int:
    """Run the storm and print its table; returns 1 when anything was wrong."""
    options = _options()
    has_mounts = INSIDE_VARIABLE in os.environ
    if not has_mounts and _may_mount():
        again = [*_MOUNTS, sys.executable, "-m", "tests.acceptance.chaos", *sys.argv[1:]]
        return subprocess.call(again, env={**os.environ, INSIDE_VARIABLE: "1"})
    folder = Path(tempfile.mkdtemp(prefix="setgf-chaos-"))
    try:
        return _run(folder, options, has_mounts=has_mounts)
    finally:
        if has_mounts:
            subprocess.run(["umount", "--lazy", folder / "home"], check=False)
        shutil.rmtree(folder, ignore_errors=True)


def _run(folder: Path, options: argparse.Namespace, *, has_mounts: bool) -> int:
    home = folder / "home"
    home.mkdir()
    if has_mounts:
        assert mount("-t", "tmpfs", "-o", "size=3g,mode=700", "setgf-chaos", home)
        (folder / "boot_id").write_text(new_boot_id())
        assert mount("--bind", folder / "boot_id", BOOT_ID)
    else:
        print("No mounts can be made here: no full disk, no closed folder, no new boot id.")
    started = time.monotonic()
    options.deadline = started + 60 * options.minutes
    server = PostgresServer() if options.database == "postgresql" else None
    url = f"sqlite:///{home / 'setgf.db'}" if server is None else server.url()
    os.environ[DATABASE_VARIABLE] = url
    database = open_database(url)
    with World(
        folder, database, child=options.child, has_mounts=has_mounts, server=server
    ) as world:
        storm = Storm(world, options, random.Random(options.seed))
        try:
            storm.prepare()
            storm.rage()
            storm.settle()
        except (AssertionError, TimeoutError) as error:
            world.unexpected.append(str(error))
            world.unexpected += states(world)
            world.calm()
            world.leave()
        found = problems(world, storm.expected)
        _report(storm, found, time.monotonic() - started)
        if found and options.keep is not None:
            shutil.copytree(home, options.keep, ignore=shutil.ignore_patterns("*.pt"))
            shutil.copytree(
                folder,
                options.keep,
                dirs_exist_ok=True,
                ignore=shutil.ignore_patterns("home", "boot_id", "clock"),
            )
    database.close()
    if server is not None:
        server.close()
    return 1 if found else 0


def _report(storm: Storm, found: list[str], seconds: float) -> None:
    jobs = storm.world.jobs()
    bad = {int(text.split()[1].rstrip(":")) for text in found if text.startswith("job ")}
    print("\n".join(table(storm.world, storm.counts, storm.hits, bad)))
    states = Counter(str(job.state) for job in jobs)
    print(
        f"\n{sum(storm.counts.values())} faults on {len(jobs)} jobs "
        f"({', '.join(f'{number} {state}' for state, number in states.items())}), "
        f"{sum(job.attempt for job in jobs)} attempts, {seconds / 60:.1f} minutes, "
        f"seed {storm.options.seed}, children {storm.options.child}, {storm.options.database}."
    )
    print("\n".join(found) if found else "Nothing is wrong.", flush=True)


_MOUNTS = ("unshare", "--mount", "--propagation", "private")


def _may_mount() -> bool:
    """True when this user may make a mount namespace with a disk in it."""
    if shutil.which("unshare") is None:
        return False
    script = "mount -t tmpfs none /mnt && mount --bind /mnt /mnt"
    return subprocess.run([*_MOUNTS, "sh", "-c", script], capture_output=True).returncode == 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--faults", type=int, default=300)
    parser.add_argument("--jobs", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--child", choices=("real", "stub"), default="real")
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--pause", type=float, default=1.5, help="Mean seconds between faults.")
    parser.add_argument("--longest", type=float, default=60, help="Seconds of the longest fault.")
    parser.add_argument("--minutes", type=float, default=60, help="Longest time.")
    parser.add_argument("--keep", type=Path, help="Where to copy the home when anything is wrong.")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
