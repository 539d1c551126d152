"""Log files: the worker's own, and reading those of attempts (`attempt_log.py` writes them)."""

from __future__ import annotations

import logging
import logging.handlers
import os
import re
import socket
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from setgf.errors import WorkerError
from setgf.worker.attempt_log import NAMES, NOTE

TAIL_BYTES = 8192
TAIL_LINES = 12
LOG_BYTES = 2 << 20
LOG_FILES = 3
KEPT_LOGS = 20
"""Logs of earlier workers that stay."""
_STAMP = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d ", re.MULTILINE)


class Follower:
    """Reads a log from its oldest file on, and what is appended since, through every rotation."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = tuple(paths)
        self._file: BinaryIO | None = None

    def read(self, *, to_end: bool = False) -> str:
        """Return the whole lines that are new; empty when there are none.

        Args:
            to_end: a last line without newline as well.
        """
        parts: list[str] = []
        while self._file is not None or self._advance():
            following = self._following()
            parts.append(self._rest(to_end=to_end or following is not None))
            if following is None:
                break
            self._switch(following)
        return "".join(parts)

    def close(self) -> None:
        """Close the file that is being read."""
        self._switch(None)

    def _rest(self, *, to_end: bool) -> str:
        """Read on in the file at hand; a line without its end is left for later."""
        assert self._file is not None
        data = self._file.read()
        whole = len(data) if to_end else data.rfind(b"\n") + 1
        self._file.seek(whole - len(data), os.SEEK_CUR)
        return data[:whole].decode("utf-8", "replace")

    def _following(self) -> Path | None:
        """Return the file after the one at hand, if it is no longer the newest."""
        assert self._file is not None
        here = os.fstat(self._file.fileno()).st_ino
        there = [path for path in self._paths if path.exists()]
        nodes = [_node(path) for path in there]
        if here not in nodes:  # dropped meanwhile, or removed altogether
            return there[0] if there else None
        later = there[nodes.index(here) + 1 :]
        return later[0] if later else None

    def _advance(self) -> bool:
        """Open the oldest file; False when there is none yet."""
        oldest = next((path for path in self._paths if path.exists()), None)
        self._switch(oldest)
        return self._file is not None

    def _switch(self, path: Path | None) -> None:
        if self._file is not None:
            self._file.close()
        self._file = None
        if path is not None:
            with suppress(FileNotFoundError):
                self._file = open_log(path)


def follow_attempt(log: Path) -> Follower:
    """Return a reader of an attempt's whole log; `log` is its newest file (`AttemptFolder.log`)."""
    return Follower([log.with_name(name) for name in NAMES])


def follow_worker(log: Path) -> Follower:
    """Return a reader of a worker's whole log."""
    older = [log.with_name(f"{log.name}.{number}") for number in range(LOG_FILES, 0, -1)]
    return Follower([*older, log])


def open_log(path: Path) -> BinaryIO:
    """Open a log for reading, unbuffered; never one that a symbolic link puts elsewhere."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    return os.fdopen(handle, "rb", buffering=0)


def log_tail(path: Path, lines: int = TAIL_LINES) -> str:
    """Return the last lines of an attempt's output, without their time stamps.

    Empty when there is none. A newest file that has only just begun is filled up from the one
    before.
    """
    found: list[str] = []
    for name in reversed(NAMES):
        found = _last_lines(path.with_name(name), lines - len(found)) + found
        if len(found) >= lines:
            break
    return "\n".join(found).strip()


def read_end(path: Path, max_bytes: int) -> tuple[list[str], bool]:
    """Return the last lines of an attempt's log, and whether there is more before them.

    Args:
        path: its newest file; one that has only just begun is filled up from the one before.
        max_bytes: to read at most.

    Raises:
        OSError: it can't be read, or is not there.
    """
    data, is_cut = b"", False
    for name in reversed(NAMES):
        try:
            with open_log(path.with_name(name)) as file:
                begin = max(0, file.seek(0, os.SEEK_END) - (max_bytes - len(data)))
                file.seek(begin)
                data = file.read() + data
        except FileNotFoundError:
            if name == NAMES[-1]:
                raise
            continue
        is_cut = begin > 0
        if is_cut:
            break
    lines = data.decode("utf-8", "replace").split("\n")
    return lines[1:] if is_cut else lines, is_cut


def read_new(path: Path, offset: int, *, to_end: bool = False) -> tuple[str, int]:
    """Return the lines appended to one file since `offset`, and the new offset.

    Args:
        path: of the log; it need not exist.
        offset: bytes already read.
        to_end: a last line without newline as well.
    """
    try:
        with open_log(path) as file:
            file.seek(offset)
            data = file.read()
    except FileNotFoundError:
        return "", offset
    whole = len(data) if to_end else data.rfind(b"\n") + 1
    return data[:whole].decode("utf-8", "replace"), offset + whole


def without_stamps(text: str) -> str:
    """Return lines of a log as the child printed them."""
    return _STAMP.sub("", text)


def set_up_log(path: Path, *, to_terminal: bool) -> None:
    """Send the worker's log to a rotated file, and to stderr when somebody may be looking.

    Logs of workers long gone are removed.

    Raises:
        WorkerError: the file can't be written.
    """
    # A full disk costs lines of the log; it must not print a traceback for each.
    logging.raiseExceptions = False
    logger = logging.getLogger("setgf.worker")
    logger.setLevel(logging.INFO)
    logger.propagate = False
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _forget_old_logs(path.parent)
        handlers = tuple(_handlers(path, to_terminal=to_terminal))
    except OSError as error:
        raise WorkerError(
            f"The worker's log {path} can't be written: {error.strerror or error}. "
            "Name a folder that can be written with $SETGF_HOME."
        ) from error
    for handler in handlers:
        handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%Y-%m-%d %H:%M:%S"))
        logger.addHandler(handler)


def log_path(folder: Path, pid: int) -> Path:
    """Return the log of a worker of this host; several hosts may share the folder."""
    return folder / f"worker-{socket.gethostname()}-{pid}.log"


def worker_logs(folder: Path) -> list[Path]:
    """Return the logs of workers, the one written last at the end."""
    found = [path for path in folder.glob("worker-*.log") if not path.is_symlink()]
    return sorted(found, key=lambda path: path.stat().st_mtime)


def _forget_old_logs(folder: Path) -> None:
    for path in worker_logs(folder)[:-KEPT_LOGS]:
        for old in folder.glob(f"{path.stem}.*"):
            old.unlink(missing_ok=True)


def _last_lines(path: Path, lines: int) -> list[str]:
    try:
        with open_log(path) as file:
            begin = max(0, file.seek(0, os.SEEK_END) - TAIL_BYTES)
            file.seek(begin)
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return []
    whole = text.partition("\n")[2] if begin else text
    said = without_stamps(whole).splitlines()
    return [line for line in said if not line.startswith(NOTE)][-lines:] if lines > 0 else []


def _node(path: Path) -> int:
    try:
        return path.lstat().st_ino
    except OSError:
        return -1


def _handlers(path: Path, *, to_terminal: bool) -> Iterator[logging.Handler]:
    if path.is_symlink():  # in a shared home: it would put our lines elsewhere
        path.unlink()
    yield logging.handlers.RotatingFileHandler(
        path, maxBytes=LOG_BYTES, backupCount=LOG_FILES, encoding="utf-8"
    )
    if to_terminal:
        yield logging.StreamHandler()
