"""What the end of an attempt means: pure functions of what it left."""

from __future__ import annotations

import re
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from db.records import Attempt, FailureClass
from setgf.worker.shim import EXIT_DISK_FULL
from setgf.worker.supervision import ExitRecord

STOPPED_EXIT_CODE = 130
FIRST_BACK_OFF_SECONDS = 1.0
LONGEST_BACK_OFF_SECONDS = 60.0
DISK_BACK_OFF_SECONDS = 60.0
MAX_ERROR_LETTERS = 2000
_OUT_OF_MEMORY = re.compile(r"out of memory|OutOfMemoryError|can't allocate memory", re.IGNORECASE)
_DISK_FULL = re.compile(r"disk is full|No space left on device", re.IGNORECASE)


class Aim(StrEnum):
    """What an attempt that was asked to stop is to become; the text of its `stop` file.

    In the order of their strength: a later one replaces a weaker one, never a stronger.
    """

    REQUEUE = "requeue"
    PAUSE = "pause"
    TIME_LIMIT = "time_limit"
    HUNG = "hung"
    CANCEL = "cancel"

    @property
    def column(self) -> str:
        """The word of `jobs.aim`: what the job is to become."""
        return _COLUMNS[self]

    def replaces(self, other: Aim | None) -> bool:
        """True when an attempt on its way to `other` goes to this aim instead."""
        order = list(Aim)
        return other is None or order.index(self) > order.index(other)


_COLUMNS: Mapping[Aim, str] = {
    Aim.REQUEUE: "queued",
    Aim.PAUSE: "paused",
    Aim.TIME_LIMIT: "failed",
    Aim.HUNG: "failed",
    Aim.CANCEL: "cancelled",
}


def aim_of(words: str | None) -> Aim | None:
    """Return the aim a `stop` file names; None without one, or of a plain stop."""
    return Aim(words) if words in set(Aim) else None


def aim_of_column(words: str | None) -> Aim:
    """Return the aim of a job whose worker died before it could write the `stop` file."""
    return next((aim for aim in Aim if aim.column == words), Aim.CANCEL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What is done about a kind of failure while attempts are left."""

    is_retried: bool = False
    is_alone: bool = False
    """Again only with whole devices to itself, and only once."""
    back_off: float | None = None
    """Seconds to wait; None: 1, 2, 4 ... 60, anew after progress."""


RULES: Mapping[FailureClass, Rule] = {
    FailureClass.ERROR: Rule(),
    FailureClass.CONFIG: Rule(),
    FailureClass.DATA: Rule(),
    FailureClass.DIVERGED: Rule(),
    FailureClass.TIME_LIMIT: Rule(),
    FailureClass.KILLED: Rule(is_retried=True),
    FailureClass.LOST: Rule(is_retried=True),
    FailureClass.HUNG: Rule(is_retried=True),
    FailureClass.OUT_OF_MEMORY: Rule(is_retried=True, is_alone=True),
    FailureClass.HOST_OUT_OF_MEMORY: Rule(is_retried=True, is_alone=True),
    FailureClass.DISK_FULL: Rule(is_retried=True, back_off=DISK_BACK_OFF_SECONDS),
}
"""One row a class: what would only fail again is not tried again."""


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
    is_alone: bool = False
    """The next attempt gets whole devices to itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """What is known of an attempt besides what it left."""

    aim: Aim | None = None
    """Why it was asked to stop, if it was."""
    was_alone: bool = False
    """It had whole devices to itself because an earlier one ran out of memory."""
    checkpoint: str | None = None
    """The verified checkpoint a later attempt goes on from, in words."""
    damage: str | None = None
    """What is wrong with its newest checkpoint."""
    time_limit: float | None = None
    """Seconds it may run."""
    hung_after: float | None = None
    """Seconds without progress after which it counts as hung."""
    memory: str = ""
    """How much memory it held, in words."""


def judge(
    ended: ExitRecord,
    events: Sequence[Mapping[str, Any]],
    *,
    log_tail: str,
    around: Circumstances | None = None,
) -> Ending:
    """Decide what the end of an attempt means.

    Args:
        ended: what the shim recorded.
        events: what the child said, in order.
        log_tail: last lines of its output.
        around: what else is known of it.
    """
    known = Circumstances() if around is None else around
    kinds = {str(event.get("kind")): event for event in events}
    if "finished" in kinds:
        return Ending(outcome="succeeded", exit_code=ended.code)
    if known.aim is Aim.CANCEL:
        return Ending(outcome="cancelled", exit_code=ended.code)
    failed = kinds.get("failed")
    if known.aim in (Aim.TIME_LIMIT, Aim.HUNG):
        return _by_limit(ended, known)
    if failed is not None and ended.code != STOPPED_EXIT_CODE:
        return _said(ended, failed, known, log_tail)
    if ended.asked_to_stop or ended.code == STOPPED_EXIT_CODE:
        return _made_room(ended, known, has_stopped="stopped" in kinds)
    return _unsaid(ended, known, log_tail)


def _made_room(ended: ExitRecord, known: Circumstances, *, has_stopped: bool) -> Ending:
    """Return the ending of a child that was asked to stop and did, or had to be ended."""
    return Ending(
        outcome="paused",
        exit_code=ended.code,
        error=_loss(known, has_stopped=has_stopped),
        requeue=known.aim is not Aim.PAUSE,
        free=True,
    )


def _loss(known: Circumstances, *, has_stopped: bool) -> str | None:
    """Say what a stopped attempt loses; None when its last step is in a sound checkpoint."""
    goes_on = known.checkpoint or "the start: it has no sound checkpoint"
    if known.damage is not None:
        return f"{known.damage} It goes on from {goes_on}."
    if not has_stopped:
        return f"It was ended before it had written a checkpoint. It goes on from {goes_on}."
    return None if known.checkpoint else f"It goes on from {goes_on}."


def _by_limit(ended: ExitRecord, known: Circumstances) -> Ending:
    """Return the ending of an attempt that its worker stopped: too long, or without progress."""
    goes_on = known.checkpoint or "the start"
    if known.aim is Aim.HUNG:
        seconds = known.hung_after or 0.0
        text = f"It made no progress for {seconds:.0f} s and was ended; it goes on from {goes_on}."
        return _failure(ended, FailureClass.HUNG, text, known)
    text = (
        f"It reached its time limit of {known.time_limit or 0.0:.0f} s at {goes_on}. Give it more "
        "with `setgf queue edit ID --time-limit`, then go on with `setgf queue retry ID`."
    )
    return _failure(ended, FailureClass.TIME_LIMIT, text, known)


def lost(why: str) -> Ending:
    """Return the ending of an attempt whose shim vanished without a word."""
    return Ending(outcome="lost", failure_class=FailureClass.LOST, error=why, requeue=True)


def vanished(events: Sequence[Mapping[str, Any]], aim: Aim | None, *, why: str) -> Ending:
    """Decide what it means that nobody recorded the end of an attempt.

    Args:
        events: what the child said, in order.
        aim: why it was asked to stop, if it was.
        why: one sentence for people.
    """
    if any(event.get("kind") == "finished" for event in events):
        return Ending(outcome="succeeded")  # all of it is written before it says so
    if aim is Aim.CANCEL:
        return Ending(outcome="cancelled")
    if aim is Aim.PAUSE:
        return Ending(outcome="paused", error=why, free=True)
    return lost(why)


def no_room(said: str) -> Ending:
    """Return the ending of an attempt that found no room on the disk to start in: given back."""
    return Ending(outcome="paused", error=said, requeue=True, free=True)


def back_off(
    ending: Ending, failures: int, *, first_seconds: float = FIRST_BACK_OFF_SECONDS
) -> float:
    """Return the seconds to wait before the next attempt.

    Args:
        ending: how this one ended.
        failures: attempts that failed one after the other without progress, this one included.
        first_seconds: after the first of them.
    """
    if ending.free:
        return 0.0
    rule = RULES[ending.failure_class or FailureClass.ERROR]
    if rule.back_off is not None:
        return rule.back_off
    return min(LONGEST_BACK_OFF_SECONDS, first_seconds * 2.0 ** min(max(failures, 1) - 1, 10))


def failures_in_a_row(tries: Sequence[Attempt], reached_step: int) -> int:
    """Return how many attempts failed one after the other, counted anew after progress.

    Progress is a later checkpoint than the one an attempt began from.

    Args:
        tries: all attempts at a run, in order; the last one is ending.
        reached_step: step of the newest checkpoint now; 0 without one.
    """
    count, reached = 0, reached_step
    for attempt in reversed(tries):
        if attempt.outcome in ("paused", "cancelled"):
            break
        count += 1
        if reached > attempt.resume_step:
            break
        reached = attempt.resume_step
    return max(1, count)


def _said(
    ended: ExitRecord, failed: Mapping[str, Any], known: Circumstances, log_tail: str
) -> Ending:
    """Return the ending of a child that said why it failed."""
    words = str(failed.get("failure_class") or FailureClass.ERROR)
    kind = FailureClass(words if words in set(FailureClass) else FailureClass.ERROR)
    return _failure(ended, kind, str(failed.get("message") or log_tail), known)


def _unsaid(ended: ExitRecord, known: Circumstances, log_tail: str) -> Ending:
    """Return the ending of a child that left without a word."""
    if ended.code < 0:
        return _by_signal(ended, -ended.code, known)
    if ended.code == EXIT_DISK_FULL or _DISK_FULL.search(log_tail):
        said = log_tail or "The disk is full: the child had no room to say what it could not write."
        return _failure(ended, FailureClass.DISK_FULL, said, known)
    if _OUT_OF_MEMORY.search(log_tail):
        return _failure(ended, FailureClass.OUT_OF_MEMORY, log_tail, known)
    said = log_tail or "It printed nothing."
    text = f"The child ended with exit code {ended.code} and no result. {said}"
    return _failure(ended, FailureClass.ERROR, text, known)


def _by_signal(ended: ExitRecord, number: int, known: Circumstances) -> Ending:
    try:
        name = signal.Signals(number).name
    except ValueError:
        name = f"signal {number}"
    if number == signal.SIGKILL and ended.oom_kills:
        used = known.memory or f"{ended.peak_memory_kib // 1024} MiB"
        text = f"The machine ran out of memory and ended the child, which had used {used}."
        return _failure(ended, FailureClass.HOST_OUT_OF_MEMORY, text, known)
    text = f"The child was ended from outside by {name}."
    return _failure(ended, FailureClass.KILLED, text, known)


def _failure(ended: ExitRecord, kind: FailureClass, error: str, known: Circumstances) -> Ending:
    rule = RULES[kind]
    if rule.is_alone:
        error = f"{error[-MAX_ERROR_LETTERS:]} {_about_memory(kind, known)}"
    return Ending(
        outcome="failed",
        exit_code=ended.code,
        failure_class=kind,
        error=error[-MAX_ERROR_LETTERS:],
        requeue=rule.is_retried and not (rule.is_alone and known.was_alone),
        is_alone=rule.is_alone,
    )


def _about_memory(kind: FailureClass, known: Circumstances) -> str:
    """Say what comes after running out of memory, with the figure."""
    held = f"It held {known.memory}. " if known.memory else ""
    if not known.was_alone:
        return f"{held}It is tried once more without other jobs beside it."
    lower = "Lower `optim.batch_size`, or raise `optim.accumulation_steps` in its place"
    if kind is FailureClass.HOST_OUT_OF_MEMORY:
        return f"{held}It ran alone. {lower}, or run fewer jobs at once (`--slots`)."
    return f"{held}It had the device to itself. {lower}."
