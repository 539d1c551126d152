"""What the dashboard does to the queue: the functions of `setgf queue`, told in sentences."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from setgf.errors import ConfigError
from tui.gateway import GatewayError
from tui.job_records import JobChange
from tui.sources.access import READ_ONLY

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from db.records import Job
    from tui.sources.access import DatabaseAccess

NONE = "none"
"""Takes a limit or a need away."""
FEW = 5
DONE: Mapping[JobChange, tuple[str, str]] = {
    JobChange.HOLD: ("Held {}.", ""),
    JobChange.RELEASE: ("Released {}.", ""),
    JobChange.PAUSE: ("Paused {}.", "will write a checkpoint and pause"),
    JobChange.RESUME: ("Let {} go on.", ""),
    JobChange.FREEZE: ("Asked {} to stop where it is.", ""),
    JobChange.THAW: ("Asked {} to go on.", ""),
    JobChange.CANCEL: ("Cancelled {}.", "will stop in a moment"),
    JobChange.RETRY: ("Queued {} again.", ""),
    JobChange.REQUEUE: ("Put {} back into the queue.", "will write a checkpoint first"),
    JobChange.RESTART: ("Queued {} from the beginning.", ""),
    JobChange.CLEAR: ("Took {} off the list; the runs stay.", ""),
}
"""What was done, and what those jobs will do that a worker holds."""


def change_jobs(access: DatabaseAccess, change: JobChange, job_ids: Sequence[int]) -> str:
    """Ask something of jobs; return what was done."""
    from db import jobs

    def apply(connection: Connection, now: float) -> tuple[Job, ...]:
        if change is JobChange.RESTART:
            from setgf.runs.folder import new_run_id

            return jobs.restart(connection, job_ids, access.actor, now, new_run_id=new_run_id)
        function: Callable[..., tuple[Job, ...]] = getattr(jobs, change.value)
        return function(connection, job_ids, access.actor, now)

    changed = access.change(apply)
    done, promise = DONE[change]
    told = done.format(names([job.id for job in changed]))
    live = sum(job.state.is_live for job in changed)
    if live and promise:
        told = told.removesuffix(".") + f"; {live} {promise}."
    return told


def clear_finished(access: DatabaseAccess) -> str:
    """Take all jobs that are over off the list."""
    from db import jobs

    cleared = access.change(lambda c, now: jobs.clear(c, None, access.actor, now))
    if not cleared:
        return "No job is over."
    return f"Took {names([job.id for job in cleared])} off the list; the runs stay."


def move_job(access: DatabaseAccess, job_id: int, *, step: int, first: bool) -> str:
    """Put a waiting job some places later or earlier in the queue, or before all others."""
    from db import jobs

    def apply(connection: Connection, now: float) -> str:
        if first:
            jobs.move(connection, job_id, actor=access.actor, now=now, first=True)
            return f"Job {job_id} is the first that waits."
        order = _waiting(connection)
        if job_id not in order:
            raise ConfigError(f"Job {job_id} does not wait any more; only a waiting job is moved.")
        place = order.index(job_id)
        to = min(max(place + step, 0), len(order) - 1)
        if to == place:
            return f"Job {job_id} is the {'first' if step < 0 else 'last'} that waits already."
        beside = order[to]
        before, after = (None, beside) if to > place else (beside, None)
        jobs.move(connection, job_id, actor=access.actor, now=now, before=before, after=after)
        return f"Job {job_id} waits {'behind' if to > place else 'before'} job {beside}."

    return access.change(apply)


def _waiting(connection: Connection) -> list[int]:
    """Return the ids of the jobs that wait, in the order of the queue."""
    from db.job_list import read_jobs
    from db.statements import EngineStatements

    waiting = read_jobs(EngineStatements(connection), states=("queued", "held"))
    return [job.id for job in sorted(waiting, key=lambda j: (-j.priority, j.position, j.id))]


def set_priority(access: DatabaseAccess, job_ids: Sequence[int], priority: int) -> str:
    """Give jobs another priority."""
    from db import jobs

    if abs(priority) > 1_000_000:
        raise GatewayError(f"A priority must be -1000000 to 1000000, but is {priority}.")
    access.change(lambda c, now: jobs.set_priority(c, job_ids, priority, access.actor, now))
    return f"Priority {priority} for {names(job_ids)}."


def edit_jobs(access: DatabaseAccess, job_ids: Sequence[int], values: Mapping[str, str]) -> str:
    """Change what waiting jobs ask for; all of them or, where one can't be changed, none."""

    def apply(connection: Connection, now: float) -> None:
        from db import jobs

        plain, retries, settings = read_edits(values, now=now)
        if "name" in plain and len(job_ids) > 1:
            raise ConfigError(f"A name is for one job, but {len(job_ids)} are chosen.")
        for job_id in job_ids:
            own = _own(jobs.get_job(connection, job_id), settings, retries)
            jobs.edit(connection, [job_id], access.actor, now, **plain, **own)

    access.change(apply)
    return f"Changed {', '.join(f'`{name}`' for name in values)} of {names(job_ids)}."


def read_edits(
    values: Mapping[str, str], *, now: float
) -> tuple[dict[str, Any], int | None, list[str]]:
    """Read edits: columns as `db.jobs.edit` takes them, new attempts, settings as `name=value`.

    Raises:
        ConfigError: a value is not what its name wants.
    """
    from setgf.worker import quantities

    def unless_none(read: Callable[[str], Any]) -> Callable[[str], Any]:
        return lambda text: None if text == NONE else read(text)

    readers: Mapping[str, tuple[str, Callable[[str], Any]]] = {
        "name": ("name", _name),
        "priority": ("priority", lambda text: whole_number(text, "A priority")),
        "gpus": ("gpus", _gpus),
        "memory": ("memory_mib", unless_none(quantities.parse_memory)),
        "time limit": ("time_limit", unless_none(quantities.parse_seconds)),
        "not before": (
            "not_before",
            unless_none(lambda text: read_moment(text, now=now)),
        ),
    }
    known = [(readers[key], text) for key, text in values.items() if key in readers]
    plain = {column: read(text) for (column, read), text in known}
    if "after" in values:
        words = [word for word in values["after"].replace(",", " ").split() if word != NONE]
        plain["after"], plain["after_any"] = quantities.parse_needed(words)
    retries = whole_number(values["retries"], "Retries", least=0) if "retries" in values else None
    others = {"after", "retries", *readers}
    return plain, retries, [f"{name}={text}" for name, text in values.items() if name not in others]


def _own(job: Job, settings: Sequence[str], retries: int | None) -> dict[str, Any]:
    """Return what follows for one job: its config with new settings, its attempts in all."""
    values: dict[str, Any] = {}
    if settings:
        from setgf.worker.submit import edited_values

        values |= edited_values(job, settings)
    if retries is not None:
        values["max_attempts"] = job.attempt + retries + 1
    return values


def read_moment(text: str, *, now: float) -> float:
    """Read a moment to come (`02:00`, `2026-11-24 02:00`), or a time from now (`in 2h`).

    Raises:
        ConfigError: it is neither.
    """
    from setgf.worker.quantities import parse_moment, parse_seconds

    first, _, rest = text.strip().partition(" ")
    return now + parse_seconds(rest) if first == "in" else parse_moment(text, now=now)


def whole_number(text: str, what: str, *, least: int = -1_000_000) -> int:
    """Read a whole number of at most a million.

    Raises:
        ConfigError: it is none, or too small or large.
    """
    try:
        number = int(text)
    except ValueError:
        number = least - 1
    if not least <= number <= 1_000_000:
        raise ConfigError(f"{what} must be {least} to 1000000, but is `{text}`.")
    return number


def _name(text: str) -> str:
    if not text.strip() or not text.isprintable():
        raise ConfigError(f"A job's name must be one line of text, but is {text!r}.")
    return text.strip()


def _gpus(text: str) -> float:
    from setgf.worker.quantities import parse_gpus

    number = parse_gpus(text)
    if number is None:
        raise ConfigError("`gpus` of a queued job must be a number, but is `auto`.")
    return number


def change_group(
    access: DatabaseAccess, name: str, *, parallelism: str | None, paused: bool | None
) -> str:
    """Set how many jobs of a group run at once, or pause it."""
    from db import jobs

    def apply(connection: Connection, now: float) -> None:
        if parallelism is not None:
            most = None if parallelism == NONE else whole_number(parallelism, "A limit", least=1)
            jobs.set_parallelism(connection, name, most, access.actor, now)
        if paused is not None:
            change = jobs.pause_group if paused else jobs.resume_group
            change(connection, name, access.actor, now)

    access.change(apply)
    if paused is not None:
        words = "starts no more jobs" if paused else "starts its jobs again"
    elif parallelism == NONE:
        words = "runs as many jobs at once as there is room for"
    else:
        words = f"runs at most {parallelism} at once"
    return f"Group {name} {words}."


def undo(access: DatabaseAccess) -> str:
    """Take back the last thing this user did to the queue."""
    from db import jobs

    undone = access.change(lambda c, now: jobs.undo(c, access.actor, now))
    return " ".join((f"Undone: {undone.what}.", *undone.refused))


def start_worker(access: DatabaseAccess) -> str:
    """Start a worker on this machine in the background, as if typed."""
    if access.read_only:
        raise GatewayError(READ_ONLY)
    done = subprocess.run(
        [sys.executable, "-m", "setgf.cli.main", "worker", "start", "--detach"],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )  # fmt: skip
    told = " ".join((done.stdout + " " + done.stderr).split())
    if done.returncode:
        raise GatewayError(told or f"The worker ended with code {done.returncode}.")
    return told


def names(job_ids: Sequence[int]) -> str:
    """Return jobs in words: `job 3`, `jobs 1, 2, 3, 4, 5 and 7 more`."""
    few = ", ".join(str(job_id) for job_id in job_ids[:FEW])
    more = f" and {len(job_ids) - FEW} more" if len(job_ids) > FEW else ""
    return f"job{'' if len(job_ids) == 1 else 's'} {few}{more}"
