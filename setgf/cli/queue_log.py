"""`setgf queue log`: what the attempts at a job have printed."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Annotated

import typer

from setgf.cli.job_words import ask_queue
from setgf.cli.output import note, say
from setgf.cli.queue_select import JobId, one_id
from setgf.errors import ConfigError

if TYPE_CHECKING:
    from db.query import Query
    from db.records import Job
    from setgf.runs.folder import RunFolder
    from setgf.worker.logs import Follower

FOLLOW_SECONDS = 0.2


def log(
    job_id: JobId,
    follow: Annotated[
        bool, typer.Option("-f", "--follow", help="Go on until the job is over.")
    ] = False,
    attempt: Annotated[
        int | None, typer.Option(min=1, help="Attempt; default: the newest.")
    ] = None,
    all_attempts: Annotated[bool, typer.Option("--all", help="Every attempt, in order.")] = False,
    lines: Annotated[
        int | None, typer.Option("-n", "--lines", min=0, help="Only the last lines.")
    ] = None,
) -> None:
    """Print what a job has printed; of its newest attempt, unless another is named.

    With `-f` it goes on through new attempts until the job is over.

    Example: setgf queue log 3 -f --lines 20
    """
    from setgf.home import find_home
    from setgf.runs.folder import RunFolder

    if all_attempts and attempt is not None:
        raise ConfigError("Name either `--attempt` or `--all`, not both.")
    with ask_queue() as query:
        job = query.job(one_id(job_id))
        folder = RunFolder(find_home().run_path(job.run_id))
        numbers = _numbers(job, folder, attempt, every=all_attempts, follow=follow)
        for number in numbers[:-1]:
            _print(folder, number, lines, is_headed=True)
        last = numbers[-1]
        if not follow:
            _print(folder, last, lines, is_headed=len(numbers) > 1)
        else:
            _follow(query, job, folder, last, lines, is_pinned=attempt is not None)


def _numbers(
    job: Job, folder: RunFolder, attempt: int | None, *, every: bool, follow: bool
) -> list[int]:
    """Return the attempts to print: those that have a log, and one that may get it."""
    if attempt is not None and attempt > max(job.attempt, 1):
        raise ConfigError(f"Job {job.id} has made {job.attempt} attempts, but not {attempt}.")
    wanted = list(range(1, job.attempt + 1)) if every else [attempt or job.attempt]
    have = [number for number in wanted if number and folder.attempt_folder(number).log.exists()]
    if follow:
        newest = wanted[-1] if wanted else 0
        return [*(number for number in have if number != newest), newest]
    if not have:
        number = attempt or job.attempt or 1
        raise ConfigError(f"Job {job.id} is {job.state}; attempt {number} has no log yet.")
    return have


def _print(folder: RunFolder, number: int, lines: int | None, *, is_headed: bool) -> None:
    reader = _open(folder, number)
    text = reader.read(to_end=True)
    reader.close()
    if is_headed:
        note(f"== attempt {number} ==")
    _say_lines(text, lines)


def _open(folder: RunFolder, number: int) -> Follower:
    from setgf.worker.logs import follow_attempt

    return follow_attempt(folder.attempt_folder(number).log)


def _follow(
    query: Query,
    job: Job,
    folder: RunFolder,
    number: int,
    lines: int | None,
    *,
    is_pinned: bool,
) -> None:
    reader = _open(folder, number) if number else None
    while True:
        # Asked before reading: what was printed before the end is then read, too.
        is_over = job.state.is_finished or job.state == "lost"
        is_past = job.attempt > number
        text = reader.read(to_end=is_over or is_past) if reader is not None else ""
        if text:
            _say_lines(text, lines)
            lines = None
        elif is_past and not is_pinned:
            if reader is not None:
                reader.close()
                note(f"== attempt {job.attempt} ==")
            number = job.attempt
            reader = _open(folder, number)
        elif is_over or is_past:
            break
        else:
            time.sleep(FOLLOW_SECONDS)
        job = query.job(job.id)
    if reader is not None:
        reader.close()
    note(f"Job {job.id} is {job.state}.")


def _say_lines(text: str, lines: int | None) -> None:
    """Print text; of a longer one only the last lines."""
    found = text.rstrip("\n").split("\n") if text else []
    if lines is not None and lines < len(found):
        found = found[len(found) - lines :]
    if found:
        say("\n".join(found))
        sys.stdout.flush()
