"""Which jobs a command means: ids, ranges, groups and filters; and asking before it means many."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from setgf.cli.completion import GROUP, complete_group, complete_job, complete_jobs
from setgf.cli.job_words import parse_ids, reading
from setgf.errors import ConfigError

if TYPE_CHECKING:
    from db.job_list import ListedJob
    from db.statements import Statements

HANDFUL = 10
"""More jobs than this, chosen by a group or a filter, are asked for first."""
WORDS_METAVAR = "JOBS"

Words = Annotated[
    list[str] | None,
    typer.Argument(
        metavar=WORDS_METAVAR,
        help="Job ids and ranges (3 5-9), or group:NAME.",
        autocompletion=complete_jobs,
    ),
]
JobId = Annotated[str, typer.Argument(metavar="ID", help="A job id.", autocompletion=complete_job)]
Where = Annotated[
    str | None,
    typer.Option("--where", metavar="FILTER", help="Jobs that match: 'state == queued'."),
]
GroupName = Annotated[
    str | None,
    typer.Option("--group", metavar="NAME", help="Jobs of a group.", autocompletion=complete_group),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before changing many.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def chosen_ids(
    words: Sequence[str] | None,
    where: str | None,
    group: str | None = None,
    *,
    verb: str = "change",
    yes: bool = True,
) -> tuple[int, ...]:
    """Return the ids of the jobs that are meant.

    Args:
        words: ids, ranges and `group:NAME`.
        where: a filter; alone it chooses among all jobs.
        group: the name of a group.
        verb: what is to be done with them, for the question.
        yes: do not ask.

    Raises:
        ConfigError: nothing was named, or many were and nobody can be asked.
        NotFoundError: no such job or group, or none matches.
    """
    import time

    with reading() as statements:
        jobs = choose(statements, words or (), where, group, now=time.time())
    is_listed = where is None and group is None and not _groups_in(words or ())
    if not (yes or is_listed) and len(jobs) > HANDFUL:
        _ask(jobs, verb)
    return tuple(job.id for job in jobs)


def choose(
    statements: Statements,
    words: Sequence[str],
    where: str | None,
    group: str | None,
    *,
    now: float,
) -> list[ListedJob]:
    """Return the jobs that are meant, in the order they were named.

    Raises:
        ConfigError: nothing was named.
        NotFoundError: no such job or group, or none matches.
    """
    from db.errors import NotFoundError
    from db.job_adding import check_jobs_exist
    from db.job_filters import matching
    from db.job_list import find_group, read_jobs

    groups = [*_groups_in(words), *([group] if group is not None else [])]
    ids = dict.fromkeys(parse_ids(word for word in words if not word.startswith(GROUP)))
    if not ids and not groups and where is None:
        raise ConfigError(
            "Name the jobs: by ids and ranges (`3 5-9`), as `group:NAME`, or by a filter "
            "(`--where 'state == queued'`)."
        )
    check_jobs_exist(statements, ids)
    for name in groups:
        ids.update(dict.fromkeys(find_group(statements, name)))
    jobs = read_jobs(statements, ids=ids if ids or groups else None)
    if where is not None:
        jobs = matching(statements, where, jobs, now=now)
    if not jobs:
        raise NotFoundError("No job matches." if where is not None else "The group has no jobs.")
    order = {job_id: place for place, job_id in enumerate(ids)}
    return sorted(jobs, key=lambda job: order.get(job.id, job.id))


def one_id(text: str) -> int:
    """Return the one job id that `text` is.

    Raises:
        ConfigError: it is none, or several.
    """
    ids = parse_ids([text])
    if len(ids) != 1:
        raise ConfigError(f"One job id is expected, but `{text}` names {len(ids)}.")
    return ids[0]


def _groups_in(words: Sequence[str]) -> list[str]:
    return [word.removeprefix(GROUP) for word in words if word.startswith(GROUP)]


def _ask(jobs: Sequence[ListedJob], verb: str) -> None:
    if not sys.stdin.isatty():
        raise ConfigError(
            f"That would {verb} {len(jobs)} jobs, and nobody can be asked here; add `--yes`."
        )
    few = ", ".join(str(job.id) for job in jobs[:5])
    if not typer.confirm(f"{verb.capitalize()} {len(jobs)} jobs ({few}, ...)?", err=True):
        raise ConfigError("Nothing was changed.")
