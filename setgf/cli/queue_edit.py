"""`setgf queue edit|move|priority`: what a waiting job asks for, and its place in the queue."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Annotated, Any

import typer

from setgf.cli.completion import complete_job, complete_needed, complete_setting
from setgf.cli.job_words import actor, open_queue
from setgf.cli.queue_add import checked_priority
from setgf.cli.queue_change import tell_jobs
from setgf.cli.queue_select import AsJson, GroupName, JobId, Where, Words, Yes, chosen_ids, one_id
from setgf.errors import ConfigError

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from db.records import Job

NONE = "none"
"""Takes a limit or a need away."""


def edit(
    jobs: Words = None,
    where: Where = None,
    group: GroupName = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="SETTING=VALUE",
            help="A setting, of jobs that never started.",
            autocompletion=complete_setting,
        ),
    ] = None,
    name: Annotated[str | None, typer.Option(help="A new name, of one job.")] = None,
    priority: Annotated[int | None, typer.Option(help="Higher starts first.")] = None,
    after: Annotated[
        list[str] | None,
        typer.Option(
            metavar="IDS[:ok|any]",
            help="What they wait for instead; none: nothing.",
            autocompletion=complete_needed,
        ),
    ] = None,
    at: Annotated[
        str | None, typer.Option(metavar="TIME", help="Not before: '2026-11-24 02:00'; none.")
    ] = None,
    delay: Annotated[
        str | None, typer.Option("--in", metavar="TIME", help="Not before this time is over: 2h.")
    ] = None,
    time_limit: Annotated[
        str | None, typer.Option(metavar="TIME", help="Time of running, 4h; none: no limit.")
    ] = None,
    retries: Annotated[int | None, typer.Option(min=0, help="New attempts after a crash.")] = None,
    gpus: Annotated[str | None, typer.Option(help="GPUs: 0, 0.5, 1, 2.")] = None,
    memory: Annotated[
        str | None, typer.Option(help="Memory it needs, 6G; none: as measured.")
    ] = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Change what jobs ask for that nobody works on: waiting, paused or failed ones.

    All of them are changed, or, where one can't be, none. A failed job goes on with the change
    after `setgf queue retry`.

    Example: setgf queue edit 3 --time-limit 8h --memory 12G
    """
    now = time.time()
    values: dict[str, Any] = _values(
        name=name, priority=priority, at=at, delay=delay, time_limit=time_limit,
        gpus=gpus, memory=memory, after=after, now=now,
    )  # fmt: skip
    if not values and not settings and retries is None:
        raise ConfigError("Say what to change, such as `--time-limit 4h`; see `--help`.")
    ids = chosen_ids(jobs, where, group, verb="edit", yes=yes)
    if name is not None and len(ids) != 1:
        raise ConfigError(f"`--name` names one job, but {len(ids)} are meant.")

    def change(connection: Connection) -> Sequence[Job]:
        from db.jobs import edit as edit_jobs
        from db.jobs import get_job

        if settings or retries is not None:
            for job_id in ids:
                own = _own_values(get_job(connection, job_id), settings or (), retries)
                edit_jobs(connection, [job_id], actor(), now, **values, **own)
        else:
            edit_jobs(connection, ids, actor(), now, **values)
        return [get_job(connection, job_id) for job_id in ids]

    _apply(change, as_json=as_json)


def move(
    job_id: JobId,
    first: Annotated[bool, typer.Option("--first", help="Before all that wait.")] = False,
    last: Annotated[bool, typer.Option("--last", help="Behind all that wait.")] = False,
    before: Annotated[
        str | None,
        typer.Option(metavar="ID", help="Right before this job.", autocompletion=complete_job),
    ] = None,
    after: Annotated[
        str | None,
        typer.Option(metavar="ID", help="Right behind this job.", autocompletion=complete_job),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Put a waiting job elsewhere in the queue; it takes the priority of its new neighbour.

    Example: setgf queue move 7 --before 3
    """
    number = one_id(job_id)
    places = (first, last, before is not None, after is not None)
    if sum(places) != 1:
        raise ConfigError("Name one place: `--first`, `--last`, `--before ID` or `--after ID`.")
    beside = {
        "before": None if before is None else one_id(before),
        "after": None if after is None else one_id(after),
    }
    if number in beside.values():
        raise ConfigError(f"Job {number} can't be put beside itself; name another job.")

    def change(connection: Connection) -> Sequence[Job]:
        from db.jobs import move as move_job

        return [
            move_job(
                connection, number, actor=actor(), now=time.time(),
                before=beside["before"], after=beside["after"], first=first, last=last,
            )
        ]  # fmt: skip

    _apply(change, as_json=as_json)


def priority(
    value: Annotated[int, typer.Argument(metavar="PRIORITY", help="Higher starts first.")],
    jobs: Words = None,
    where: Where = None,
    group: GroupName = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Give jobs another priority; of a running job it counts when it waits again.

    Example: setgf queue priority 10 3 5-9
    """
    checked_priority(value)
    ids = chosen_ids(jobs, where, group, verb="change the priority of", yes=yes)

    def change(connection: Connection) -> Sequence[Job]:
        from db.jobs import set_priority

        return set_priority(connection, ids, value, actor(), time.time())

    _apply(change, as_json=as_json)


def _apply(change: Callable[[Connection], Sequence[Job]], *, as_json: bool) -> None:
    with closing(open_queue(create=False)) as database, database.write() as connection:
        changed = change(connection)
    tell_jobs(changed, as_json=as_json)


def _values(
    *,
    name: str | None,
    priority: int | None,
    at: str | None,
    delay: str | None,
    time_limit: str | None,
    gpus: str | None,
    memory: str | None,
    after: Sequence[str] | None,
    now: float,
) -> dict[str, Any]:
    """Return what is the same for all the jobs, as `db.jobs.edit` takes it."""
    from setgf.worker import quantities

    values: dict[str, Any] = {}
    if name is not None:
        if not name.strip() or not name.isprintable():
            raise ConfigError(f"A job's name must be one line of text, but is {name!r}.")
        values["name"] = name
    if priority is not None:
        values["priority"] = checked_priority(priority)
    if at is not None and delay is not None:
        raise ConfigError("Name either `--at` or `--in`, not both.")
    if delay is not None:
        values["not_before"] = now + quantities.parse_seconds(delay)
    if gpus is not None:
        values["gpus"] = _gpus(gpus)
    readers: dict[str, tuple[str | None, Callable[[str], Any]]] = {
        "not_before": (at, lambda text: quantities.parse_moment(text, now=now)),
        "time_limit": (time_limit, quantities.parse_seconds),
        "memory_mib": (memory, quantities.parse_memory),
    }
    for column, (text, read) in readers.items():
        if text is not None:
            values[column] = None if text == NONE else read(text)
    if after is not None:
        needed = [word for word in after if word != NONE]
        values["after"], values["after_any"] = quantities.parse_needed(needed)
    return values


def _gpus(text: str) -> float:
    from setgf.worker.quantities import parse_gpus

    number = parse_gpus(text)
    if number is None:
        raise ConfigError("`--gpus` of a queued job must be a number, but is `auto`.")
    return number


def _own_values(job: Job, settings: Sequence[str], retries: int | None) -> dict[str, Any]:
    """Return what follows for one job: its config with new settings, its attempts in all."""
    values: dict[str, Any] = {}
    if settings:
        from setgf.worker.submit import edited_values

        values |= edited_values(job, settings)
    if retries is not None:
        values["max_attempts"] = job.attempt + retries + 1
    return values
