"""What the end of an attempt means: pure functions of what it left."""

from __future__ import annotations

import re
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from db.records import FailureClass
from setgf.worker.shim import EXIT_DISK_FULL
from setgf.worker.supervision import ExitRecord

STOPPED_EXIT_CODE = 130
RETRIED = frozenset({FailureClass.KILLED, FailureClass.LOST, FailureClass.DISK_FULL})
"""Failures that another attempt may well survive."""
FIRST_BACK_OFF_SECONDS = 1.0
LONGEST_BACK_OFF_SECONDS = 60.0
DISK_BACK_OFF_SECONDS = 60.0
MAX_ERROR_LETTERS = 2000
_OUT_OF_MEMORY = re.compile(r"out of memory|OutOfMemoryError|can't allocate memory", re.IGNORECASE)
_DISK_FULL = re.compile(r"disk is full|No space left on device", re.IGNORECASE)


class Aim(StrEnum):
    """What an attempt that was asked to stop is to become; the text of its `stop` file."""

    CANCEL = "cancel"
    REQUEUE = "requeue"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How an attempt ended and what comes next."""

    outcome: str
    """`succeeded`, `failed`, `cancelled`, `lost` or `paused`."""
    exit_code: int | None = None
    failure_class: FailureClass | None = None
    error: str | None = None
    requeue: bool = False
    """Worth another attempt, while the job has any left."""
    free: bool = False
    """The attempt does not count against the job's allowance: it was asked to make room."""


def judge(
    ended: ExitRecord, events: Sequence[Mapping[str, Any]], *, aim: Aim | None, log_tail: str
) -> Ending:
    """Decide what the end of an attempt means.

    Args:
        ended: what the shim recorded.
        events: what the child said, in order.
        aim: why it was asked to stop, if it was.
        log_tail: last lines of its output.
    """
    kinds = {str(event.get("kind")): event for event in events}
    if "finished" in kinds:
        return Ending(outcome="succeeded", exit_code=ended.code)
    if aim is Aim.CANCEL:
        return Ending(outcome="cancelled", exit_code=ended.code)
    if ended.asked_to_stop or ended.code == STOPPED_EXIT_CODE:
        return Ending(outcome="paused", exit_code=ended.code, requeue=True, free=True)
    failed = kinds.get("failed")
    if failed is not None:
        return _said(ended, failed, log_tail)
    return _unsaid(ended, log_tail)


def lost(why: str) -> Ending:
    """Return the ending of an attempt whose shim vanished without a word."""
    return Ending(outcome="lost", failure_class=FailureClass.LOST, error=why, requeue=True)


def no_room(folder: Path) -> Ending:
    """Return the ending of an attempt that had no room on the disk to start in."""
    return Ending(
        outcome="failed",
        failure_class=FailureClass.DISK_FULL,
        error=f"The disk is full: {folder} has no room to start in. Free some space; "
        "what was stored until now is safe.",
        requeue=True,
    )


def back_off(
    ending: Ending, attempt: int, *, first_seconds: float = FIRST_BACK_OFF_SECONDS
) -> float:
    """Return the seconds to wait before the attempt after number `attempt`."""
    if ending.free:
        return 0.0
    if ending.failure_class is FailureClass.DISK_FULL:
        return DISK_BACK_OFF_SECONDS
    return min(LONGEST_BACK_OFF_SECONDS, first_seconds * 2.0 ** min(attempt - 1, 10))


def _said(ended: ExitRecord, failed: Mapping[str, Any], log_tail: str) -> Ending:
    """Return the ending of a child that said why it failed."""
    words = str(failed.get("failure_class") or FailureClass.ERROR)
    known = words if words in set(FailureClass) else FailureClass.ERROR
    return _failure(ended, FailureClass(known), str(failed.get("message") or log_tail))


def _unsaid(ended: ExitRecord, log_tail: str) -> Ending:
    """Return the ending of a child that left without a word."""
    if ended.code < 0:
        return _by_signal(ended, -ended.code)
    if ended.code == EXIT_DISK_FULL or _DISK_FULL.search(log_tail):
        said = log_tail or "The disk is full: the child had no room to say what it could not write."
        return _failure(ended, FailureClass.DISK_FULL, said)
    if _OUT_OF_MEMORY.search(log_tail):
        return _failure(ended, FailureClass.OUT_OF_MEMORY, log_tail)
    said = log_tail or "It printed nothing."
    return _failure(
        ended,
        FailureClass.ERROR,
        f"The child ended with exit code {ended.code} and no result. {said}",
    )


def _by_signal(ended: ExitRecord, number: int) -> Ending:
    try:
        name = signal.Signals(number).name
    except ValueError:
        name = f"signal {number}"
    if number == signal.SIGKILL and ended.oom_kills:
        return _failure(
            ended,
            FailureClass.OUT_OF_MEMORY,
            f"The machine ran out of memory and ended the child, which had used "
            f"{ended.peak_memory_kib // 1024} MiB. Run fewer jobs at once (`--slots`) or lower "
            "`optim.batch_size`.",
        )
    return _failure(ended, FailureClass.KILLED, f"The child was ended from outside by {name}.")


def _failure(ended: ExitRecord, kind: FailureClass, error: str) -> Ending:
    return Ending(
        outcome="failed",
        exit_code=ended.code,
        failure_class=kind,
        error=error[-MAX_ERROR_LETTERS:],
        requeue=kind in RETRIED,
    )
