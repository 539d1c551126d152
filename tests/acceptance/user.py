"""Runs the installed `setgf` as a user does: real processes, a home of its own."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

COMMAND = Path(sys.executable).with_name("setgf")
LONGEST_SECONDS = 120.0


@dataclass(frozen=True)
class Outcome:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output, parsed."""
        return json.loads(self.out)


@dataclass(frozen=True)
class User:
    """Somebody with a home folder at a shell."""

    home: Path
    prefix: tuple[str, ...] = ()
    """Put before every command, for example to enter a file system."""

    @property
    def database(self) -> Path:
        """File of the run database."""
        return self.home / "setgf.db"

    def start(self, *arguments: object) -> subprocess.Popen[str]:
        """Start a command."""
        return subprocess.Popen(
            [*self.prefix, str(COMMAND), *map(str, arguments)],
            env=environment(self.home),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: object) -> Outcome:
        """Run a command to its end."""
        with self.start(*arguments) as process:
            try:
                out, err = process.communicate(timeout=LONGEST_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
        return Outcome(process.returncode, out, err)

    def must(self, *arguments: object) -> Outcome:
        """Run a command that has to succeed."""
        outcome = self.run(*arguments)
        assert outcome.code == 0, outcome.err
        return outcome


def environment(home: Path) -> dict[str, str]:
    """Return the variables of a user's shell, as few as commands need."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ}
    return {
        **kept,
        "HOME": str(home),
        "SETGF_HOME": str(home),
        "OMP_NUM_THREADS": "1",
        "OMP_WAIT_POLICY": "PASSIVE",
        "HF_HUB_OFFLINE": "1",
        "CUDA_VISIBLE_DEVICES": "",
    }


def check_refusal(outcome: Outcome, code: int, *parts: str) -> None:
    """Check that a command gave one clear sentence that holds all `parts`, and nothing else."""
    lines = outcome.err.splitlines()
    assert outcome.code == code, outcome
    assert len(lines) == 1, outcome.err
    assert lines[0].startswith("setgf: error: "), outcome.err
    assert lines[0].endswith((".", "?")), outcome.err
    assert "Traceback" not in outcome.err
    assert outcome.out == ""
    for part in parts:
        assert part in lines[0], outcome.err


def queue_rows(database: Path) -> list[tuple[Any, ...]]:
    """Return all jobs as they stand in the database."""
    with closing(sqlite3.connect(database)) as connection:
        return connection.execute("SELECT * FROM jobs ORDER BY id").fetchall()


def fingerprints(folder: Path) -> dict[str, str]:
    """Return the hash of every file below a folder; SQLite's log beside a database left out."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.endswith(("-wal", "-shm"))
    }
