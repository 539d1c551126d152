"""`setgf queue groups`: jobs queued together, how many of them run at once, and whether any."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from setgf.cli.completion import complete_group
from setgf.cli.job_words import actor, open_queue, show_moment
from setgf.cli.output import say, say_json
from setgf.cli.queue_select import AsJson
from setgf.errors import ConfigError

if TYPE_CHECKING:
    from db.records import Group


def groups(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME", help="A group to change or show.", autocompletion=complete_group
        ),
    ] = None,
    parallel: Annotated[
        str | None, typer.Option(metavar="N", help="Jobs of it at once; none: no limit.")
    ] = None,
    pause: Annotated[bool, typer.Option("--pause", help="Start no more jobs of it.")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Start its jobs again.")] = False,
    show_all: Annotated[
        bool, typer.Option("--all", help="Groups of which every job is over, too.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """List the groups with their jobs by state, or change one: how many run at once, pause, resume.

    Example: setgf queue groups sweep --parallel 2
    """
    if pause and resume:
        raise ConfigError("Name either `--pause` or `--resume`, not both.")
    limit = None if parallel is None else _number(parallel)
    if name is None and (pause or resume or parallel is not None):
        raise ConfigError("Name the group to change. See `setgf queue groups`.")
    if name is None or not (pause or resume or parallel is not None):
        _list(name, show_all=show_all, as_json=as_json)
        return
    from db.jobs import get_group, pause_group, resume_group, set_parallelism

    now = time.time()
    with closing(open_queue(create=False)) as database, database.write() as connection:
        if parallel is not None:
            set_parallelism(connection, name, limit, actor(), now)
        if pause or resume:
            (pause_group if pause else resume_group)(connection, name, actor(), now)
        group = get_group(connection, name)
    if as_json:
        say_json(asdict(group))
        return
    say(f"Group {group.name} {_standing(group)}.")


def _list(name: str | None, *, show_all: bool, as_json: bool) -> None:
    from db.errors import NotFoundError
    from db.jobs import get_group, list_groups
    from setgf.cli.run_text import say_plain_table

    try:
        with closing(open_queue(create=False)) as database, database.read() as connection:
            if name is not None:
                found: tuple[Group, ...] = (get_group(connection, name),)
            else:
                found = list_groups(connection)
    except NotFoundError:
        if name is not None:
            raise
        found = ()
    shown = [group for group in found if name is not None or show_all or not _is_over(group)]
    if as_json:
        say_json([asdict(group) for group in shown])
        return
    if not shown:
        hint = " `--all` shows those that are over." if found else ""
        say(f"No group has jobs that are not over.{hint}")
        return
    rows = [
        (
            group.name,
            group.kind,
            str(sum(group.counts.values())),
            ", ".join(f"{number} {state}" for state, number in sorted(group.counts.items())),
            "" if group.parallelism is None else str(group.parallelism),
            "paused" if group.paused_at is not None else "",
            show_moment(group.created_at),
        )
        for group in shown
    ]
    columns = ("group", "kind", "jobs", "states", "at once", "", "queued")
    say_plain_table(columns, rows, right=("jobs", "at once"))


def _is_over(group: Group) -> bool:
    return set(group.counts) <= {"succeeded", "failed", "cancelled"}


def _standing(group: Group) -> str:
    if group.paused_at is not None:
        return "is paused: no more of its jobs start"
    if group.parallelism is None:
        return "runs as many jobs at once as there is room for"
    return f"runs at most {group.parallelism} job{'s' if group.parallelism > 1 else ''} at once"


def _number(text: str) -> int | None:
    if text == "none":
        return None
    if not (text.isascii() and text.isdecimal() and 0 < int(text) < 1_000_000):
        raise ConfigError(f"`--parallel` must be 1 or more, or none, but is `{text}`.")
    return int(text)
