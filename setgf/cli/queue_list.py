"""`setgf queue list`: what runs, what waits and when it starts, what has ended."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from setgf.cli.job_words import first_line, reading, show_duration
from setgf.cli.output import note, say, say_json
from setgf.cli.queue_select import AsJson, GroupName, Words, choose
from setgf.errors import ConfigError

if TYPE_CHECKING:
    from db.job_list import ListedJob
    from db.statements import Statements
    from setgf.worker.estimates import Estimate
    from setgf.worker.outlook import Outlook

RECENT_SECONDS = 24 * 3600.0
DEFAULT_LIMIT = 50
MOST_ENDED = 15
"""Of the default list at most so many are jobs that are over."""
NO_TAGS: Mapping[str, list[str]] = {}


def list_jobs(
    jobs: Words = None,
    where: Annotated[
        str | None,
        typer.Option("--where", metavar="FILTER", help="Jobs that match: 'optim.lr < 1e-4'."),
    ] = None,
    group: GroupName = None,
    state: Annotated[
        str | None, typer.Option(help="Only jobs in these states: queued,running.")
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Jobs to show at most; default: 50.")
    ] = None,
    show_all: Annotated[
        bool, typer.Option("--all", help="Every job, and finished ones of all time.")
    ] = False,
    cleared: Annotated[
        bool, typer.Option("--cleared", help="Those that were cleared off the list, too.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """List the jobs that wait, run, or ended within a day, in the order they start.

    The last columns say when a waiting job will start, by the durations of similar runs, and why it
    waits. JSON has every job that is meant, unless `--limit` is given.

    Example: setgf queue list --state queued,running --where 'model == setgf'
    """
    from db.errors import NotFoundError

    now = time.time()
    is_named = bool(jobs) or group is not None or where is not None or state is not None
    try:
        with reading() as statements:
            found, total = _find(
                statements, jobs, where, group, _states(state), now=now,
                is_recent=not (show_all or is_named), cleared=cleared or bool(jobs),
            )  # fmt: skip
            most = limit or (None if show_all or as_json else DEFAULT_LIMIT)
            chosen = cut(sorted(found, key=queue_order), most)
            is_whole = not (is_named or cleared)
            outlook = _look(statements, chosen, now, known=found if is_whole else None)
            tags = _tags(statements, chosen) if as_json else NO_TAGS
    except NotFoundError:
        if is_named:
            raise
        found, total, chosen, outlook, tags = [], 0, [], None, NO_TAGS
    if as_json:
        say_json(_plain_jobs(chosen, outlook, tags))
        return
    if not found:
        say("No job matches." if is_named else
            "The queue is empty. Add a job with `setgf queue add --data NAME`.")  # fmt: skip
    elif outlook is not None:
        show(chosen, outlook)
        note(
            ", ".join(
                f"{number} {word}" for word, number in Counter(j.state for j in found).items()
            )
        )
    _tell_hidden(found, chosen, total, is_named=is_named)


def _find(
    statements: Statements,
    words: Sequence[str] | None,
    where: str | None,
    group: str | None,
    states: Sequence[str] | None,
    *,
    now: float,
    is_recent: bool,
    cleared: bool,
) -> tuple[list[ListedJob], int]:
    """Return the jobs that are meant, and how many there are in all."""
    from db.job_filters import matching
    from db.job_list import count_states, read_jobs

    if words or group is not None:
        jobs = choose(statements, words or (), None, group, now=now)
        jobs = [job for job in jobs if cleared or job.cleared_at is None]
        jobs = [job for job in jobs if states is None or job.state in states]
    else:
        since = now - RECENT_SECONDS if is_recent else None
        jobs = read_jobs(statements, states=states, ended_since=since, cleared=cleared)
    if where is not None:
        jobs = matching(statements, where, jobs, now=now)
    return jobs, sum(count_states(statements).values())


def _states(text: str | None) -> tuple[str, ...] | None:
    """Read the names of states."""
    from db.records import JobState

    if text is None:
        return None
    names = tuple(part.strip() for part in text.split(",") if part.strip())
    unknown = [name for name in names if name not in list(JobState)]
    if unknown or not names:
        from db.filters import nearest

        hint = nearest(unknown[0], JobState) if unknown else ""
        raise ConfigError(
            f"`--state` must name states ({', '.join(JobState)}), but is `{text}`.{hint}"
        )
    return names


def _look(
    statements: Statements,
    jobs: Sequence[ListedJob],
    now: float,
    *,
    known: Sequence[ListedJob] | None,
) -> Outlook | None:
    from setgf.worker.outlook import look

    return look(statements, now=now, known=known) if jobs else None


def _plain_jobs(
    jobs: Sequence[ListedJob], outlook: Outlook | None, tags: Mapping[str, list[str]]
) -> list[dict[str, Any]]:
    if outlook is None:
        return []
    estimates = outlook.estimates()
    return [plain(job, outlook, estimates.get(job.id), tags.get(job.run_id, ())) for job in jobs]


def _tags(statements: Statements, jobs: Sequence[ListedJob]) -> Mapping[str, list[str]]:
    from db.job_list import tags_of_runs

    return tags_of_runs(statements, [job.run_id for job in jobs])


def queue_order(job: ListedJob) -> tuple[float, float, float, int]:
    """Finished first by time, then what runs, then what waits in the order it starts."""
    if job.is_finished:
        return (0, job.finished_at or 0.0, 0, job.id)
    if job.is_live:
        return (1, job.started_at or 0.0, 0, job.id)
    return (2, -job.priority, job.position, job.id)


def cut(jobs: Sequence[ListedJob], most: int | None) -> list[ListedJob]:
    """Return the jobs to show: the last that ended, all that run, and the next that start."""
    if most is None or len(jobs) <= most:
        return list(jobs)
    ended = [job for job in jobs if job.is_finished]
    others = [job for job in jobs if not job.is_finished]
    room = max(min(MOST_ENDED, most // 3), most - len(others))
    kept = ended[-room:] if room else []
    return [*kept, *others[: most - len(kept)]]


def show(jobs: Sequence[ListedJob], outlook: Outlook) -> None:
    """Show jobs as a table."""
    from setgf.cli.run_text import say_plain_table

    estimates = outlook.estimates()
    rows = [
        (
            str(job.id),
            "frozen" if job.frozen_at is not None else job.state,
            job.name,
            f"{job.epoch}/{job.max_epochs}",
            show_time(job, outlook),
            show_when(job, outlook, estimates.get(job.id)),
            job.run_id,
            why(job, outlook),
        )
        for job in jobs
    ]
    columns = ("id", "state", "name", "epoch", "time", "when", "run", "why")
    say_plain_table(columns, rows, right=("id", "epoch", "time"))


def show_time(job: ListedJob, outlook: Outlook) -> str:
    """Return how long a job has run; empty for one that never did."""
    if job.is_live:
        return show_duration(outlook.ran(job))
    return show_duration(job.running_seconds) if job.running_seconds > 0 else ""


def show_when(job: ListedJob, outlook: Outlook, estimate: Estimate | None) -> str:
    """Return when a job will start or end, or when it ended."""
    now = outlook.now
    if job.finished_at is not None and job.is_finished:
        return f"{show_duration(now - job.finished_at)} ago"
    if job.is_live:
        end = outlook.end_of(job)
        return "" if end is None else f"ends in {show_duration(end - now)}"
    if job.state != "queued":
        return ""
    if estimate is not None and estimate.start is not None:
        wait = estimate.start - now
        return "next" if wait < 1 else f"starts in {show_duration(wait)}"
    if job.not_before is not None and job.not_before > now:
        return f"not for {show_duration(job.not_before - now)}"
    return ""


def why(job: ListedJob, outlook: Outlook) -> str:
    """Return why a job is as it is: its error, or what it waits for."""
    if job.state in ("failed", "lost"):
        return first_line(job.error or job.reason)
    if job.state == "queued" or job.state == "held" or job.state == "paused":
        return outlook.why(job)
    if job.state == "stopping" and job.aim:
        return f"will be {job.aim}"
    return "" if job.state in ("running", "succeeded") else first_line(job.reason)


def plain(
    job: ListedJob, outlook: Outlook, estimate: Estimate | None, tags: Sequence[str]
) -> dict[str, Any]:
    """Return a job as plain data for JSON, with what is expected of it."""
    found: dict[str, Any] = {**job._asdict(), "tags": list(tags), "is_alone": bool(job.is_alone)}
    end = None if estimate is None else estimate.end
    found["waits_because"] = outlook.why(job) or None
    found["estimated_start"] = None if estimate is None else estimate.start
    found["estimated_end"] = outlook.end_of(job) if job.is_live else end
    return found


def _tell_hidden(
    found: Sequence[ListedJob], shown: Sequence[ListedJob], total: int, *, is_named: bool
) -> None:
    """Say what the list leaves out, and how to see it."""
    hidden = len(found) - len(shown)
    if hidden:
        note(f"{hidden} more jobs are not shown; `--all` or `--limit {len(found)}` shows them.")
    if not is_named and total > len(found):
        note(f"{total - len(found)} older jobs are not shown; `--all` shows them.")
