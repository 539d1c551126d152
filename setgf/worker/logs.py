"""Log files: the worker's own, and the tail of an attempt's."""

from __future__ import annotations

import logging
import logging.handlers
import os
from collections.abc import Iterator
from pathlib import Path

from setgf.errors import WorkerError

TAIL_BYTES = 4096
TAIL_LINES = 12
LOG_BYTES = 2 << 20
LOG_FILES = 3


def log_tail(path: Path, lines: int = TAIL_LINES) -> str:
    """Return the last lines of an attempt's output; empty when there is none."""
    try:
        with path.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - TAIL_BYTES))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return ""
    return "\n".join(text.splitlines()[-lines:]).strip()


def read_new(path: Path, offset: int, *, to_end: bool = False) -> tuple[str, int]:
    """Return the lines appended since `offset`, and the new offset.

    Args:
        path: of the log; it need not exist.
        offset: bytes already read.
        to_end: a last line without newline as well.
    """
    try:
        with path.open("rb") as file:
            file.seek(offset)
            data = file.read()
    except FileNotFoundError:
        return "", offset
    whole = len(data) if to_end else data.rfind(b"\n") + 1
    return data[:whole].decode("utf-8", "replace"), offset + whole


def set_up_log(path: Path, *, to_terminal: bool) -> None:
    """Send the worker's log to a rotated file, and to stderr when somebody may be looking.

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
        handlers = tuple(_handlers(path, to_terminal=to_terminal))
    except OSError as error:
        raise WorkerError(
            f"The worker's log {path} can't be written: {error.strerror or error}. "
            "Name a folder that can be written with $SETGF_HOME."
        ) from error
    for handler in handlers:
        handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%Y-%m-%d %H:%M:%S"))
        logger.addHandler(handler)


def _handlers(path: Path, *, to_terminal: bool) -> Iterator[logging.Handler]:
    yield logging.handlers.RotatingFileHandler(
        path, maxBytes=LOG_BYTES, backupCount=LOG_FILES, encoding="utf-8"
    )
    if to_terminal:
        yield logging.StreamHandler()
