"""What the storm rages over: a home on a small disk, two workers, their jobs and all processes."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from db.engine import Database
from db.errors import DatabaseBusyError
from db.records import Job, JobState
from setgf.runs.folder import AttemptFolder
from setgf.worker.supervision import ProcessRecord, is_process, marked_processes, read_process
from tests.acceptance.workers import ROOT, Site
from tests.db.postgres_server import PostgresServer

LEASE_SECONDS = 3.0
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, slots=True)
class Victim:
    """A running attempt with its processes."""

    job: Job
    attempt: AttemptFolder
    record: ProcessRecord

    def pids(self, who: str) -> list[int]:
        """Return the pids of the `child` or of the `shim` while it lives."""
        record = self.record
        pid, start = (
            (record.child_pid, record.child_start)
            if who == "child"
            else (record.shim_pid, record.shim_start)
        )
        return [pid] if is_process(pid, start, record.boot_id) else []


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a job is."""

    is_finished: bool
    steps: int
    """Of its run, as far as the database knows."""


@dataclass(slots=True)
class Member:
    """A place in the crew: whoever holds it is replaced when it ends."""

    command: tuple[str, ...]
    is_short_leased: bool
    process: subprocess.Popen[bytes] | None = None
    back_at: float = 0.0
    """Moment of the next start, on the monotonic clock."""

    @property
    def is_working(self) -> bool:
        """True while its process lives."""
        return self.process is not None and self.process.poll() is None


class World(Site):
    """A home with two workers that are replaced when they end, and what can be done to it."""

    def __init__(
        self,
        folder: Path,
        database: Database,
        *,
        child: str,
        has_mounts: bool,
        server: PostgresServer | None = None,
    ) -> None:
        super().__init__(folder / "home", database, ())
        self.server = server
        self.clock = folder / "clock"
        self.boot = folder / "boot_id"
        self.has_mounts = has_mounts
        self.locker: ExitStack | None = None
        self.is_full = False
        self.read_only: set[Path] = set()
        self.frozen: set[int] = set()
        self.unexpected: list[str] = []
        """Workers that ended though nobody had done anything to them."""
        self.refused = 0
        """Workers that could not begin, since the database was locked or the disk was full."""
        short = ("-m", "tests.acceptance.chaos_worker", "--child", child, "--lease", "3")
        moved = (*short, "--clock", str(self.clock))
        plain = ("-m", "setgf.cli.main", "worker", "start", "--gpus", "none", "--slots", "1")
        self.crew = [Member(moved, True), Member(plain if child == "real" else short, False)]

    def setgf(self, *words: object) -> Any:
        """Run a command as a user; returns what it printed as JSON, or its text.

        Raises:
            AssertionError: it failed.
        """
        done = subprocess.run(
            [sys.executable, "-m", "setgf.cli.main", *map(str, words)],
            cwd=ROOT,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"setgf {' '.join(map(str, words))}: {done.stderr.strip()}"
        return json.loads(done.stdout) if "--json" in words else done.stdout

    def environment(self) -> dict[str, str]:
        """Return the variables of the workers and of the user."""
        return {**os.environ, "SETGF_HOME": str(self.home), "CUDA_VISIBLE_DEVICES": ""}

    def keep_working(self) -> None:
        """Start whoever of the crew is not there and is due."""
        for member in self.crew:
            if member.is_working or time.monotonic() < member.back_at:
                continue
            if member.process is not None and member.back_at == 0:
                self._judge_end(member.process)
            member.back_at = 0.0
            self.command = member.command
            try:
                member.process = self.start_worker()
            except OSError as error:  # the disk is full: it comes back a moment later
                self.note(f"no worker: {error}")
            else:
                self.note(f"worker {member.process.pid} started")

    def _judge_end(self, process: subprocess.Popen[bytes]) -> None:
        """Note a worker that ended by itself; one that could not begin may leave."""
        logs = (self.home / "workers").glob(f"worker*-{process.pid}.log")
        has_begun = any(" works on " in log.read_text() for log in logs)
        if process.returncode > 0 and not has_begun:
            self.refused += 1
            return
        said = self.errors()[-1000:]
        self.unexpected.append(f"a worker ended with code {process.returncode}: {said}")

    def take_down(self, member: Member, number: int, seconds: float) -> None:
        """Send a signal that ends a worker; another one comes after so many seconds."""
        assert member.process is not None
        member.back_at = time.monotonic() + seconds
        self.note(f"signal {number} to worker {member.process.pid}")
        member.process.send_signal(signal.SIGCONT)
        self.frozen.discard(member.process.pid)
        member.process.send_signal(number)
        if number == signal.SIGKILL:
            member.process.wait()

    def working(self, *, short: bool = False) -> list[Member]:
        """Return whoever of the crew works and is not held up."""
        return [
            member
            for member in self.crew
            if member.is_working
            and member.process is not None
            and member.process.pid not in self.frozen
            and member.back_at == 0
            and (member.is_short_leased or not short)
        ]

    def progress(self) -> dict[int, Progress]:
        """Return how far every job is: one query, for the storm asks all the time."""
        query = "SELECT j.id, j.state, r.step FROM jobs j LEFT JOIN runs r ON r.id = j.run_id"
        with self.database.read() as connection:
            rows = connection.exec_driver_sql(query).fetchall()
        return {
            job_id: Progress(JobState(state).is_finished, int(steps or 0))
            for job_id, state, steps in rows
        }

    def victims(self, *, with_checkpoint: bool) -> list[Victim]:
        """Return what runs and is not held up; with a checkpoint of this attempt, if asked."""
        found: list[Victim] = []
        for job in self.jobs():
            if job.state is not JobState.RUNNING:
                continue
            attempt = self.attempt(job)
            record = read_process(attempt)
            if record is None or {record.child_pid, record.shim_pid} & self.frozen:
                continue
            if attempt.manifest.exists() or not with_checkpoint:
                found.append(Victim(job, attempt, record))
        return found

    def freeze(self, pids: Sequence[int]) -> None:
        """SIGSTOP processes."""
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
                self.frozen.add(pid)

    def thaw(self, pids: Sequence[int]) -> None:
        """SIGCONT processes that `freeze` has stopped, those that still exist."""
        for pid in set(pids) & self.frozen:
            self.frozen.discard(pid)
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

    def lock_database(self) -> bool:
        """Hold the database's write lock; False when somebody has it for long."""
        with ExitStack() as locker, suppress(DatabaseBusyError):
            locker.enter_context(self.database.write())
            self.locker = locker.pop_all()
        return self.locker is not None

    def unlock_database(self) -> None:
        """Let go of the write lock."""
        assert self.locker is not None
        self.locker.close()
        self.locker = None

    def fill_disk(self) -> None:
        """Leave no room on the disk of the home."""
        room = os.statvfs(self.home)
        used = (room.f_blocks - room.f_bfree) * room.f_frsize
        for spare in (0, 256, 1024, 4096):
            if mount("-o", f"remount,size={used // 1024 + spare}k", self.home):
                self.is_full = True
                return

    def make_room(self, size: str = "3g") -> None:
        """Give the disk of the home its room back."""
        assert mount("-o", f"remount,size={size}", self.home)
        self.is_full = False

    def make_read_only(self, folder: Path) -> bool:
        """Let nobody open a file below a folder for writing; False when it can't be done."""
        if folder in self.read_only or not mount("--bind", folder, folder):
            return False
        if not mount("-o", "remount,bind,ro", folder):
            subprocess.run(["umount", "--lazy", folder], check=True)
            return False
        self.read_only.add(folder)
        return True

    def make_writable(self, folder: Path) -> None:
        """Take `make_read_only` back."""
        self.read_only.discard(folder)
        subprocess.run(["umount", "--lazy", folder], check=True)

    def go_down(self, seconds: float) -> None:
        """Kill every process of the home at once and come up with another boot id."""
        for member in self.crew:
            if member.is_working:
                self.take_down(member, signal.SIGKILL, seconds)
        for pid in processes_of(self.home):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if self.has_mounts:
            self.boot.write_text(new_boot_id())

    def note(self, text: str) -> None:
        """Write to the storm's log beside the home: its disk is never full."""
        with (self.home.parent / "storm.log").open("a") as log:
            log.write(f"{time.strftime('%H:%M:%S')} {text}\n")

    def calm(self) -> None:
        """Undo everything that is still undone, in whatever order."""
        self.thaw(tuple(self.frozen))
        if self.locker is not None:
            self.unlock_database()
        if self.is_full:
            self.make_room()
        for folder in tuple(self.read_only):
            self.make_writable(folder)

    def leave(self) -> list[int]:
        """Ask the workers to leave; returns their exit codes."""
        codes: list[int] = []
        for member in self.crew:
            if member.is_working and member.process is not None:
                member.process.send_signal(signal.SIGTERM)
                codes.append(member.process.wait(60))
        return codes

    def forget_old_checkpoints(self, job: Job) -> None:
        """Remove what a finished run no longer needs, to keep the disk small."""
        for attempt in self.folder(job).attempts():
            if attempt.number < job.attempt:
                for path in attempt.checkpoints.glob("*.pt"):
                    path.unlink(missing_ok=True)


def processes_of(home: Path) -> Iterator[int]:
    """Yield every process, but this one, that works on a home: workers, shims and children."""
    mark = f"SETGF_HOME={home}".encode()
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and int(entry.name) != os.getpid():
            with suppress(OSError):
                if mark in (entry / "environ").read_bytes().split(b"\0"):
                    yield int(entry.name)


def leftovers(world: World) -> list[int]:
    """Return every process of any attempt, or of the home, that is still there."""
    marked = [
        pid
        for job in world.jobs()
        for attempt in world.folder(job).attempts()
        for pid, _ in marked_processes(attempt)
    ]
    return sorted({*marked, *processes_of(world.home)})


def states(world: World) -> list[str]:
    """Return a line for every process of the home: pid, state, what it waits in, command."""
    lines: list[str] = []
    for pid in processes_of(world.home):
        with suppress(OSError):
            folder = Path(f"/proc/{pid}")
            state = (folder / "stat").read_text().rpartition(")")[2].split()[0]
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            lines.append(f"process {pid} {state} {(folder / 'wchan').read_text()}: {command}")
    return lines


def mount(*words: object) -> bool:
    """Run `mount`; False when it refuses."""
    done = subprocess.run(["mount", *map(str, words)], capture_output=True, check=False)
    return done.returncode == 0


def new_boot_id() -> str:
    """Return a boot id no other boot has."""
    letters = secrets.token_hex(16)
    return "-".join((letters[:8], letters[8:12], letters[12:16], letters[16:20], letters[20:]))
