"""Run folders and attempt folders: their files, their fence and their lock."""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from setgf.errors import RunFolderError, RunNotFoundError
from setgf.home import Home
from setgf.runs.atomic import create, explain, read_json, write_atomically, write_json

ID_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"
ID_LENGTH = 8
LOCK_SECONDS = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class RunIdentity:
    """Who a run is; stored once, in `run.json`."""

    id: str
    name: str
    dataset: str
    data_name: str
    model: str
    seed: int
    fingerprint: str
    variant: str
    max_epochs: int
    monitor: str
    created_at: float
    """Seconds since the epoch, UTC."""
    job_id: int | None = None
    """None for a foreground run."""
    group_id: int | None = None
    group_name: str | None = None
    tags: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    """The command line that made the run."""


@dataclass(frozen=True, slots=True)
class AttemptFolder:
    """What one attempt left; only this attempt writes here."""

    path: Path
    number: int

    @property
    def run(self) -> RunFolder:
        """The folder of the run."""
        return RunFolder(self.path.parent)

    @property
    def points(self) -> Path:
        """Journal of points."""
        return self.path / "points.bin"

    @property
    def series(self) -> Path:
        """Names of the journal's series."""
        return self.path / "series.jsonl"

    @property
    def events(self) -> Path:
        """Event log."""
        return self.path / "events.jsonl"

    @property
    def checkpoints(self) -> Path:
        """Folder of checkpoints."""
        return self.path / "checkpoints"

    @property
    def manifest(self) -> Path:
        """List of the checkpoints that are whole; written last."""
        return self.checkpoints / "manifest.json"

    @property
    def labels(self) -> Path:
        """Unimodal labels by epoch (`setgf.runs.label_history`)."""
        return self.path / "labels.npy"

    @property
    def log(self) -> Path:
        """Standard output and error of the child, its newest file (`setgf.worker.attempt_log`)."""
        return self.path / "log.txt"

    @property
    def heartbeat(self) -> Path:
        """Moment and number of the work done last (`setgf.runs.heartbeat`)."""
        return self.path / "heartbeat"

    @property
    def proc(self) -> Path:
        """Pid, start time and boot id of shim and child."""
        return self.path / "proc.json"

    @property
    def exit(self) -> Path:
        """How the child ended."""
        return self.path / "exit.json"

    @property
    def stop(self) -> Path:
        """Exists when the attempt is asked to stop."""
        return self.path / "stop"

    def predictions(self, split: str) -> Path:
        """Predictions of the best epoch on a split."""
        return self.path / f"predictions-{split}.csv"

    def request_stop(self, aim: str = "") -> None:
        """Ask the attempt to checkpoint and leave; `aim` says what is to become of it."""
        try:
            with os.fdopen(create(self.stop), "w", encoding="ascii") as file:
                file.write(aim)
        except OSError as error:
            raise explain(error, self.stop) from error

    def stop_aim(self) -> str | None:
        """Return why the attempt is asked to stop; None when it is not."""
        try:
            return self.stop.read_text(encoding="ascii")
        except OSError:
            return None

    def has_checkpoint(self) -> bool:
        """True when a run can go on from here."""
        return self.manifest.is_file()


@dataclass(frozen=True, slots=True)
class RunFolder:
    """One run: see the package for the files."""

    path: Path

    @property
    def id(self) -> str:
        """Id of the run: the folder's name."""
        return self.path.name

    @property
    def live(self) -> Path:
        """The lock file."""
        return self.path / "live"

    @property
    def environment(self) -> Path:
        """Code, libraries and machine."""
        return self.path / "environment.json"

    def create(
        self, identity: RunIdentity, config: Mapping[str, Any], *, durable: bool = True
    ) -> None:
        """Make the folder with its identity and config; the same run twice changes nothing.

        Args:
            identity: who the run is.
            config: its nested settings.
            durable: survive a power cut once this returns; False leaves that to the shim. A file
                that a power cut left empty is written anew.

        Raises:
            RunFolderError: the disk is full or refuses, and a new folder is taken away again; or
                the folder is not where it seems.
        """
        check_inside(self.path)
        is_new = not self.path.exists()
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise explain(error, self.path) from error
        try:
            if not _has_text(self.path / "config.json"):
                write_json(self.path / "config.json", config, durable=durable)
            if not _has_text(self.path / "run.json"):
                write_json(self.path / "run.json", asdict(identity), durable=durable)
        except RunFolderError:
            if is_new:
                shutil.rmtree(self.path, ignore_errors=True)
            raise

    def identity(self) -> RunIdentity:
        """Read who the run is."""
        plain = read_json(self.path / "run.json")
        known = {field.name for field in fields(RunIdentity)}
        values = {name: value for name, value in plain.items() if name in known}
        for name in ("tags", "command"):
            values[name] = tuple(values.get(name) or ())
        try:
            return RunIdentity(**values)
        except TypeError as error:
            raise RunFolderError(
                f"{self.path / 'run.json'} must describe a run, but is incomplete: {error}."
            ) from error

    def config(self) -> dict[str, Any]:
        """Read the nested settings."""
        return read_json(self.path / "config.json")

    def attempt_folder(self, number: int) -> AttemptFolder:
        """Return the folder of an attempt; it need not exist."""
        return AttemptFolder(self.path / f"a{number}", number)

    def attempts(self) -> tuple[AttemptFolder, ...]:
        """Return the attempt folders that exist, oldest first."""
        numbers = sorted(
            int(entry.name[1:])
            for entry in self.path.glob("a*")
            if entry.name[1:].isdecimal() and entry.is_dir()
        )
        return tuple(self.attempt_folder(number) for number in numbers)

    def current_attempt(self) -> int:
        """Return the number in the `attempt` file: the fence; 0 before the first attempt."""
        path = self.path / "attempt"
        try:
            text = path.read_text(encoding="ascii")
        except FileNotFoundError:
            return 0
        except OSError as error:
            raise explain(error, path) from error
        try:
            return int(text)
        except ValueError:
            raise RunFolderError(f"{path} must hold a number, but holds {text!r}.") from None

    def begin_attempt(self, number: int) -> AttemptFolder:
        """Make attempt `number` the current one and return its new folder.

        Raises:
            RunFolderError: a later attempt is current, or the folder can't be written or is not
                where it seems.
        """
        current = self.current_attempt()
        if current > number:
            raise RunFolderError(
                f"Attempt {number} of run {self.id} can't begin: attempt {current} is current."
            )
        attempt = self.attempt_folder(number)
        for path in (self.path, attempt.path, attempt.checkpoints):
            check_inside(path)
        try:
            attempt.checkpoints.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise explain(error, attempt.path) from error
        # After a power cut no earlier attempt lives that this could have kept out.
        write_atomically(self.path / "attempt", f"{number}\n", durable=False)
        return attempt

    def resume_folder(self, before: int) -> AttemptFolder | None:
        """Return the newest attempt below `before` that left a checkpoint, if any."""
        for attempt in reversed(self.attempts()):
            if attempt.number < before and attempt.has_checkpoint():
                return attempt
        return None

    def is_live(self) -> bool:
        """True while a process holds the run's lock; the kernel frees it at its death."""
        try:
            handle = os.open(self.live, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise explain(error, self.live) from error
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(handle)
        return False

    @contextmanager
    def hold(self) -> Generator[None]:
        """Hold the run's lock while a foreground process trains.

        Raises:
            RunFolderError: another process holds it.
        """
        handle = os.open(self.live, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666)
        try:
            _take_lock(handle, self.id)
            yield
        finally:
            os.close(handle)


def _has_text(path: Path) -> bool:
    try:
        return path.stat().st_size > 0
    except OSError:
        return False


def _take_lock(handle: int, run_id: str) -> None:
    """Lock the file; a moment's patience, since `is_live` takes the lock for an instant."""
    deadline = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise RunFolderError(
                    f"Run {run_id} is being trained by another process; cancel that one first."
                ) from None
            time.sleep(0.01)


def check_inside(path: Path) -> None:
    """Refuse a folder that a symbolic link or `..` puts elsewhere: others may share the home.

    Raises:
        RunFolderError: it is.
    """
    if ".." in path.parts or path.is_symlink():
        raise RunFolderError(
            f"{path} leads out of its folder, so nothing is written there; a plain folder was "
            "expected."
        )


def new_run_id() -> str:
    """Return a fresh random run id: 8 characters of a-z and 0-9."""
    return "".join(secrets.choice(ID_LETTERS) for _ in range(ID_LENGTH))


def open_run(home: Home, run_id: str) -> RunFolder:
    """Return the folder of a run by its whole id.

    Raises:
        RunNotFoundError: there is none.
    """
    folder = RunFolder(home.runs / run_id)
    is_id = len(run_id) == ID_LENGTH and all(letter in ID_LETTERS for letter in run_id)
    if not is_id or not (folder.path / "run.json").is_file():
        raise RunNotFoundError(f"No run folder `{run_id}` in {home.runs}. See `setgf runs list`.")
    return folder


def list_runs(home: Home) -> tuple[RunFolder, ...]:
    """Return the folders of all runs, in order of their ids."""
    if not home.runs.is_dir():
        return ()
    return tuple(RunFolder(path.parent) for path in sorted(home.runs.glob("*/run.json")))
