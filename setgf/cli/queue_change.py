"""`setgf queue cancel|hold|release|pause|resume|freeze|thaw|retry|requeue|restart|clear`."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Annotated

import typer

from setgf.cli.job_words import actor, ask_queue, open_queue, plain_job
from setgf.cli.output import note, say, say_json
from setgf.cli.queue_select import AsJson, GroupName, Where, Words, Yes, chosen_ids

if TYPE_CHECKING:
    from db.records import Job

MOST_LINES = 20
"""More changed jobs than this are told as numbers by state."""


CHANGES: Mapping[str, tuple[str, str]] = {
    "cancel": (
        "to stop",
        """Cancel jobs: a waiting one at once, a running one after it has written a checkpoint.

    Example: setgf queue cancel 3 5-9""",
    ),
    "hold": (
        "",
        """Keep queued jobs from starting until they are released.

    Example: setgf queue hold group:ablations""",
    ),
    "release": (
        "",
        """Let held jobs start.

    Example: setgf queue release 3 5-9""",
    ),
    "pause": (
        "to write a checkpoint and pause",
        """Pause jobs: a running one writes a checkpoint and frees its GPU; a waiting one is held.

    Example: setgf queue pause 3""",
    ),
    "resume": (
        "to go on",
        """Let paused, frozen or held jobs go on; a paused one from its checkpoint.

    Example: setgf queue resume 3""",
    ),
    "freeze": (
        "to stop where it is",
        """Stop running jobs where they are (SIGSTOP): they keep their GPU and its memory.

    Example: setgf queue freeze 3""",
    ),
    "thaw": (
        "to go on",
        """Let frozen jobs go on.

    Example: setgf queue thaw 3""",
    ),
    "retry": (
        "",
        """Queue failed or cancelled jobs again; they go on from their last checkpoint.

    Example: setgf queue retry --where 'state == failed and model == setgf'""",
    ),
    "requeue": (
        "to write a checkpoint and go back into the queue",
        """Put running jobs back into the queue after a checkpoint; that costs them no attempt.

    Example: setgf queue requeue 3""",
    ),
}
"""Commands that change the state of jobs: what a live job is asked, and the help text. Each is the
function of its name in `db.jobs`."""


def make_change(name: str) -> Callable[..., None]:
    """Return the command of one of `CHANGES`."""
    asked, text = CHANGES[name]

    def change(
        jobs: Words = None,
        where: Where = None,
        group: GroupName = None,
        yes: Yes = False,
        as_json: AsJson = False,
    ) -> None:
        from db import jobs as queue

        ids = chosen_ids(jobs, where, group, verb=name, yes=yes)
        change_jobs(ids, getattr(queue, name), asked=asked, as_json=as_json)

    change.__name__ = name
    change.__doc__ = text
    return change


def restart(
    jobs: Words = None,
    where: Where = None,
    group: GroupName = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Queue finished jobs once more from the beginning, as new jobs with runs of their own.

    Example: setgf queue restart 3
    """
    from db.jobs import restart as restart_jobs
    from setgf.runs.folder import new_run_id

    ids = chosen_ids(jobs, where, group, verb="restart", yes=yes)
    with closing(open_queue(create=False)) as database, database.write() as connection:
        added = restart_jobs(connection, ids, actor(), time.time(), new_run_id=new_run_id)
    if as_json:
        say_json([plain_job(job) for job in added])
        return
    for job in added:
        say(f"Queued job {job.id}: {job.name} (run {job.run_id})")


def clear(
    jobs: Words = None,
    where: Where = None,
    group: GroupName = None,
    every: Annotated[bool, typer.Option("--all", help="All jobs that are over.")] = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Take finished jobs off the list; their runs, logs and history stay.

    Example: setgf queue clear --all
    """
    from db.jobs import clear as clear_jobs
    from setgf.errors import ConfigError

    if every and (jobs or where or group):
        raise ConfigError("Name either jobs or `--all`, not both.")
    ids = None if every else chosen_ids(jobs, where, group, verb="clear", yes=yes)
    with closing(open_queue(create=False)) as database, database.write() as connection:
        cleared = clear_jobs(connection, ids, actor(), time.time())
    if as_json:
        say_json([plain_job(job) for job in cleared])
        return
    say(f"Cleared {count(len(cleared))} off the list; `setgf queue list --cleared` shows them.")


def change_jobs(
    ids: Sequence[int], change: Callable[..., tuple[Job, ...]], *, asked: str, as_json: bool
) -> None:
    """Apply a change to jobs and say how they stand now."""
    with closing(open_queue(create=False)) as database, database.write() as connection:
        jobs = change(connection, ids, actor(), time.time())
    tell_jobs(jobs, asked=asked, as_json=as_json)


def tell_jobs(jobs: Sequence[Job], *, asked: str = "", as_json: bool) -> None:
    """Say how jobs stand now; of many only how many of each state.

    Args:
        jobs: as they are now.
        asked: what the live ones were asked to do; empty when nothing was asked of them.
        as_json: print JSON instead.
    """
    if as_json:
        say_json([plain_job(job) for job in jobs])
        return

    def standing(job: Job) -> str:
        return f"asked {asked}" if asked and job.state.is_live else str(job.state)

    if len(jobs) > MOST_LINES:
        for words, number in Counter(map(standing, jobs)).items():
            say(f"{count(number)}: {words}")
    else:
        for job in jobs:
            say(f"Job {job.id} is {standing(job)}: {job.name}")
    if asked and any(job.state.is_live for job in jobs):
        with ask_queue() as query:
            if not any(worker.state == "alive" for worker in query.workers()):
                note("No worker is running to see to it; the next one will.")


def count(number: int) -> str:
    """Return `1 job` or `7 jobs`."""
    return f"{number} job{'' if number == 1 else 's'}"
