"""`setgf queue`: add jobs, look at them, cancel them, try them again, read their logs."""

from __future__ import annotations

import time
from contextlib import closing
from typing import TYPE_CHECKING, Annotated

import typer

from setgf.cli.job_words import actor, ask_queue, open_queue, parse_ids, plain_job
from setgf.cli.output import note, say, say_json
from setgf.cli.queue_display import (
    describe,
    queue_order,
    show_attempts,
    show_history,
    show_jobs,
    show_plan,
)
from setgf.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from db.records import Job, NewJob
    from setgf.worker.submit import Request

FOLLOW_SECONDS = 0.2
RECENT_SECONDS = 24 * 3600.0

app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="The queue: add, list, show, cancel, retry."
)

Ids = Annotated[list[str], typer.Argument(metavar="IDS", help="Job ids and ranges: 3 5-9.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command()
def add(
    data: Annotated[str, typer.Option(help="Feature store (`setgf data list`).")],
    model: Annotated[
        str, typer.Option(help="Models, separated by commas: setgf, self_mm, text_only.")
    ] = "setgf",
    seeds: Annotated[str, typer.Option(help="Seeds: 1111, 1,2,3 or 1111-1115.")] = "1111",
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="SETTING=VALUE", help="A setting.")
    ] = None,
    preset: Annotated[
        str | None, typer.Option(help="Preset, or a .toml file; default: the data set's.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="How the jobs' names begin.")] = None,
    group: Annotated[str | None, typer.Option(help="Group to put the jobs in.")] = None,
    priority: Annotated[int, typer.Option(help="Higher starts first.")] = 0,
    gpus: Annotated[str, typer.Option(help="auto, or a number of GPUs; 0: a CPU slot.")] = "auto",
    tag: Annotated[list[str] | None, typer.Option(help="A tag for the runs.")] = None,
    retries: Annotated[int, typer.Option(min=0, help="New attempts after a crash.")] = 2,
    after: Annotated[
        list[str] | None, typer.Option(metavar="IDS", help="Start only after these succeeded.")
    ] = None,
    hold: Annotated[bool, typer.Option("--hold", help="Do not start until released.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be queued; queue nothing.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Queue what is queued or done already, too.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Queue one job for every model and seed.

    Everything is checked first: the feature store, the settings, the text encoder. A job whose
    experiment is queued or done already is left out, and said so.

    Example: setgf queue add --data mosi --model setgf,text_only --seeds 1111-1115
    --set max_epochs=20
    """
    from setgf.config import parse_assignments, parse_seeds
    from setgf.home import find_home
    from setgf.runs.environment import command_line
    from setgf.worker.submit import Request, plan_jobs

    request = Request(
        data_name=data,
        models=_names(model),
        seeds=parse_seeds(seeds),
        settings=parse_assignments(settings or ()),
        preset=preset,
        name=name,
        gpus=_number_of_gpus(gpus),
        priority=priority,
        max_attempts=retries + 1,
        held=hold,
        after=parse_ids(after or ()),
        tags=tuple(tag or ()),
        command=command_line(),
    )
    jobs = plan_jobs(find_home(), request)
    chosen = jobs if force else _without_duplicates(jobs)
    if dry_run:
        show_plan(chosen, as_json=as_json)
        return
    _tell_added(_store(chosen, request, group), as_json=as_json)


@app.command("list")
def list_command(
    as_json: AsJson = False,
    show_all: Annotated[
        bool, typer.Option("--all", help="Finished jobs of all time, too.")
    ] = False,
) -> None:
    """List the jobs that wait, run, or ended within a day, in the order they start.

    Example: setgf queue list --all --json
    """
    now = time.time()
    jobs = _read_jobs()
    shown = [
        job
        for job in jobs
        if show_all or job.finished_at is None or now - job.finished_at < RECENT_SECONDS
    ]
    shown.sort(key=queue_order)
    if as_json:
        say_json([plain_job(job) for job in shown])
        return
    if not shown:
        say("The queue is empty. Add a job with `setgf queue add --data NAME`.")
    else:
        show_jobs(shown, now)
    if len(shown) < len(jobs):
        note(f"{len(jobs) - len(shown)} older jobs are not shown; `--all` shows them.")


@app.command()
def show(
    job_id: Annotated[str, typer.Argument(metavar="ID", help="A job id.")], as_json: AsJson = False
) -> None:
    """Show one job with its attempts and its history.

    Example: setgf queue show 3
    """
    from dataclasses import asdict

    from db.jobs import list_attempts

    with ask_queue() as query:
        job = query.job(_one_id(job_id))
        events = query.events(job_id=job.id)
        with query.database.read() as connection:
            attempts = list_attempts(connection, job.run_id)
    if as_json:
        plain = dict(plain_job(job, with_config=True))
        plain["attempts"] = [asdict(attempt) for attempt in attempts]
        plain["events"] = [asdict(event) for event in events]
        say_json(plain)
        return
    for label, value in describe(job):
        say(f"{label:<10} {value}")
    show_attempts(attempts)
    show_history(events)


@app.command()
def cancel(ids: Ids, as_json: AsJson = False) -> None:
    """Cancel jobs: a waiting one at once, a running one after it has written a checkpoint.

    Example: setgf queue cancel 3 5-9
    """
    from db.jobs import cancel as cancel_jobs

    _change(ids, cancel_jobs, as_json=as_json)


@app.command()
def retry(ids: Ids, as_json: AsJson = False) -> None:
    """Queue failed or cancelled jobs again; they go on from their last checkpoint.

    Example: setgf queue retry 3 5-9
    """
    from db.jobs import retry as retry_jobs

    _change(ids, retry_jobs, as_json=as_json)


@app.command()
def hold(ids: Ids, as_json: AsJson = False) -> None:
    """Keep queued jobs from starting until they are released.

    Example: setgf queue hold 3 5-9
    """
    from db.jobs import hold as hold_jobs

    _change(ids, hold_jobs, as_json=as_json)


@app.command()
def release(ids: Ids, as_json: AsJson = False) -> None:
    """Let held jobs start.

    Example: setgf queue release 3 5-9
    """
    from db.jobs import release as release_jobs

    _change(ids, release_jobs, as_json=as_json)


@app.command()
def log(
    job_id: Annotated[str, typer.Argument(metavar="ID", help="A job id.")],
    follow: Annotated[
        bool, typer.Option("-f", "--follow", help="Go on until the job is over.")
    ] = False,
    attempt: Annotated[
        int | None, typer.Option(min=1, help="Attempt; default: the newest.")
    ] = None,
) -> None:
    """Print what a job has printed.

    Example: setgf queue log 3 -f
    """
    from setgf.home import find_home
    from setgf.runs.folder import RunFolder
    from setgf.worker.logs import read_new

    with ask_queue() as query:
        job = query.job(_one_id(job_id))
        folder = RunFolder(find_home().runs / job.run_id)
        number, offset = attempt or job.attempt, 0
        if not follow and not folder.attempt_folder(number).log.exists():
            raise ConfigError(f"Job {job.id} is {job.state}; attempt {number} has no log yet.")
        while True:
            is_last = not follow or job.state.is_finished
            text, offset = read_new(folder.attempt_folder(number).log, offset, to_end=is_last)
            if text:
                say(text.rstrip("\n"))
            elif is_last:
                return
            elif attempt is None and job.attempt > number:
                number, offset = job.attempt, 0
            else:
                time.sleep(FOLLOW_SECONDS)
            job = query.job(job.id)


def _names(text: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    if not names:
        raise ConfigError("`--model` must name at least one model, but is empty.")
    return names


def _number_of_gpus(text: str) -> float | None:
    if text == "auto":
        return None
    if not (text.isascii() and text.isdecimal()):
        raise ConfigError(f"`--gpus` must be auto or a whole number, but is `{text}`.")
    return float(text)


def _one_id(text: str) -> int:
    ids = parse_ids([text])
    if len(ids) != 1:
        raise ConfigError(f"One job id is expected, but `{text}` names {len(ids)}.")
    return ids[0]


def _read_jobs() -> list[Job]:
    """Return all jobs; none where there is no database yet."""
    from db.errors import NotFoundError

    try:
        with ask_queue() as query:
            return list(query.jobs())
    except NotFoundError:
        return []


def _without_duplicates(jobs: Sequence[NewJob]) -> tuple[NewJob, ...]:
    """Leave out jobs whose experiment is queued, running or done; say which."""
    from setgf.worker.submit import find_duplicates

    with closing(open_queue()) as database:
        found = find_duplicates(database, [job.fingerprint for job in jobs])
    new = tuple(job for job in jobs if job.fingerprint not in found)
    words: list[str] = []
    for job in jobs:
        if job.fingerprint in found:
            job_id, state = found[job.fingerprint]
            words.append(f"{job.name}: the same experiment is job {job_id} ({state})")
    if words and not new:
        listed = "; ".join(words[:3]) + ("; ..." if len(words) > 3 else "")
        raise ConfigError(f"Nothing new to queue. {listed}. Add `--force` to run again.")
    for line in words:
        note(f"Left out {line}; `--force` runs it again.")
    return new


def _store(jobs: Sequence[NewJob], request: Request, group: str | None) -> tuple[Job, ...]:
    from db.jobs import add_jobs

    now = time.time()
    if group is None and len(jobs) > 1:
        begin = request.name or f"{'+'.join(request.models)} {request.data_name}"
        group = f"{begin} {time.strftime('%m-%d %H:%M:%S', time.localtime(now))}"
    kind = "seeds" if len(request.seeds) > 1 else "jobs"
    with closing(open_queue()) as database, database.write() as connection:
        return add_jobs(connection, jobs, actor=actor(), now=now, group_name=group, group_kind=kind)


def _tell_added(jobs: Sequence[Job], *, as_json: bool) -> None:
    if as_json:
        say_json([plain_job(job) for job in jobs])
        return
    for job in jobs:
        say(f"Queued job {job.id}: {job.name} (run {job.run_id})")
    with ask_queue() as query:
        if not any(worker.state == "alive" for worker in query.workers()):
            note("No worker is running; start one with `setgf worker start`.")


def _change(ids: Sequence[str], change: Callable[..., tuple[Job, ...]], *, as_json: bool) -> None:
    """Apply a change to jobs and say how they stand now."""
    numbers = parse_ids(ids)
    with closing(open_queue(create=False)) as database, database.write() as connection:
        jobs = change(connection, numbers, actor(), time.time())
    if as_json:
        say_json([plain_job(job) for job in jobs])
        return
    for job in jobs:
        words = "is asked to stop" if job.state.is_live else f"is {job.state}"
        say(f"Job {job.id} {words}: {job.name}")
    if any(job.state.is_live for job in jobs):
        with ask_queue() as query:
            if not any(worker.state == "alive" for worker in query.workers()):
                note("No worker is running to stop it; the next one will.")
