"""`setgf queue add`: checked first, queued all or none, and by plain SQL: it must be quick."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from setgf.cli.completion import (
    complete_group,
    complete_model,
    complete_needed,
    complete_preset,
    complete_setting,
    complete_store,
)
from setgf.cli.job_words import actor, reading, writing
from setgf.cli.output import note, say, say_json
from setgf.cli.queue_select import AsJson
from setgf.errors import ConfigError
from setgf.model.registry import model_names

if TYPE_CHECKING:
    from db.job_list import LivingWorker
    from db.records import NewJob
    from setgf.cli.queue_batch import Batch
    from setgf.worker.submit import Request

MOST_LINES = 20
"""More added jobs than this are told as one line a group."""
MOST_LEFT_OUT = 5


def add(
    data: Annotated[
        str | None,
        typer.Option(
            help="Feature stores, separated by commas; * for any letters (`setgf data list`).",
            autocompletion=complete_store,
        ),
    ] = None,
    model: Annotated[
        str,
        typer.Option(
            help=f"Models, separated by commas: {', '.join(model_names())}.",
            autocompletion=complete_model,
        ),
    ] = "setgf",
    seeds: Annotated[str, typer.Option(help="Seeds: 1111, 1,2,3 or 1111-1115.")] = "1111",
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="SETTING=VALUE",
            help="A setting (`setgf config`).",
            autocompletion=complete_setting,
        ),
    ] = None,
    grid: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SETTING=VALUES",
            help="Values to try, separated by commas; several: every combination.",
            autocompletion=complete_setting,
        ),
    ] = None,
    preset: Annotated[
        str | None,
        typer.Option(
            help="Preset, or a .toml file; default: the data set's.",
            autocompletion=complete_preset,
        ),
    ] = None,
    name: Annotated[str | None, typer.Option(help="How the jobs' names begin.")] = None,
    group: Annotated[
        str | None,
        typer.Option(help="Group to put the jobs in.", autocompletion=complete_group),
    ] = None,
    tag: Annotated[list[str] | None, typer.Option(help="A tag for the runs.")] = None,
    priority: Annotated[int, typer.Option(help="Higher starts first.")] = 0,
    after: Annotated[
        list[str] | None,
        typer.Option(
            metavar="IDS[:ok|any]",
            help="Start only after these succeeded (ok) or are over (any).",
            autocompletion=complete_needed,
        ),
    ] = None,
    at: Annotated[
        str | None, typer.Option(metavar="TIME", help="Not before: '2026-11-24 02:00', 02:00.")
    ] = None,
    delay: Annotated[
        str | None, typer.Option("--in", metavar="TIME", help="Not before this time is over: 2h.")
    ] = None,
    time_limit: Annotated[
        str | None, typer.Option(metavar="TIME", help="Stop it after running so long: 4h.")
    ] = None,
    retries: Annotated[int, typer.Option(min=0, help="New attempts after a crash.")] = 2,
    gpus: Annotated[
        str, typer.Option(help="auto, or GPUs: 0 (a CPU slot), 0.5 (half of one), 1, 2.")
    ] = "auto",
    memory: Annotated[
        str | None,
        typer.Option(help="Memory it needs, of its GPU or of the machine: 6G; default: measured."),
    ] = None,
    hold: Annotated[bool, typer.Option("--hold", help="Do not start until released.")] = False,
    file: Annotated[
        Path | None,
        typer.Option(metavar="JOBS.TOML", help="Queue the jobs of a file.", dir_okay=False),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be queued; queue nothing.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Queue what is queued or done already, too.")
    ] = False,
    start: Annotated[
        bool, typer.Option("--start", help="Start a worker in the background if none runs.")
    ] = False,
    wait: Annotated[
        bool, typer.Option("--wait", help="Wait for the jobs, as `setgf queue wait` does.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Queue one job for every feature store, model, point of the grid and seed.

    Everything is checked first: the feature store, the settings, the text encoder. A job whose
    experiment is queued or done already is left out, and said so.

    A file of jobs has a section for each; what stands before them counts for all:

    \b
        data = "mosi"
        [settings]
        max_epochs = 20
        [[job]]
        name = "baseline"
        seeds = "1111-1115"
        [[job]]
        name = "rates"
        grid = { "optim.lr" = [1e-4, 5e-4] }
        after = ["baseline"]
        time_limit = "4h"

    Keys are the options here (set is settings; in, at, hold, after, tags ... too).

    Example: setgf queue add --data mosi --model setgf,text_only --seeds 1111-1115
    --grid optim.lr=1e-4,5e-4 --time-limit 4h --set max_epochs=20

    Example: setgf queue add --data 'mosi-fold*' --model setgf (every fold, `setgf data split`)
    """
    from setgf.cli import queue_batch

    now = time.time()
    if file is not None:
        _refuse_beside_file(data)
        batch = queue_batch.from_file(file, now=now, hold=hold, group=group)
    else:
        request = _request(
            data, model, seeds, settings, grid, after, at, delay, now=now,
            preset=preset, name=name, priority=priority, retries=retries, hold=hold, tag=tag,
            gpus=gpus, memory=memory, time_limit=time_limit,
        )  # fmt: skip
        batch = queue_batch.from_request(request, group=group, now=now)
    if not force:
        batch = _without_duplicates(batch)
    if dry_run:
        from setgf.cli.queue_plan import show_plan

        show_plan(batch.jobs, now=now, as_json=as_json)
        return
    with writing() as statements:
        ids = queue_batch.store(statements, batch, actor=actor(), now=now)
    _tell_added(batch.jobs, ids, batch, as_json=as_json)
    _see_to_worker(start=start)
    if wait:
        from setgf.cli.queue_wait import wait_for

        raise typer.Exit(wait_for(ids))


def _refuse_beside_file(data: str | None) -> None:
    allowed = ("--file", "--dry-run", "--force", "--start", "--wait", "--json", "--hold", "--group")
    given = [word.partition("=")[0] for word in sys.argv[1:] if word.startswith("--")]
    others = [word for word in given if word not in allowed and word not in ("--home", "--db")]
    if data is not None or (others and "--file" in given):
        named = ", ".join(f"`{word}`" for word in others) or "`--data`"
        raise ConfigError(f"{named} can't stand beside `--file`; write it into the file.")


def _request(
    data: str | None,
    model: str,
    seeds: str,
    settings: Sequence[str] | None,
    grid: Sequence[str] | None,
    after: Sequence[str] | None,
    at: str | None,
    delay: str | None,
    *,
    now: float,
    preset: str | None,
    name: str | None,
    priority: int,
    retries: int,
    hold: bool,
    tag: Sequence[str] | None,
    gpus: str,
    memory: str | None,
    time_limit: str | None,
) -> Request:
    """Read the options."""
    from setgf.config import parse_assignments, parse_seeds
    from setgf.runs.environment import command_line
    from setgf.worker import quantities
    from setgf.worker.submit import Request

    if data is None:
        raise ConfigError(
            "Name the feature store of the jobs with `--data` (`setgf data list`), or a file of "
            "jobs with `--file`."
        )
    needed, needed_any = quantities.parse_needed(after or ())
    return Request(
        data_name=data,
        models=_names(model),
        seeds=parse_seeds(seeds),
        settings=parse_assignments(settings or ()),
        grid=_grid(grid or ()),
        preset=preset,
        name=_checked_name(name),
        gpus=quantities.parse_gpus(gpus),
        memory_mib=None if memory is None else quantities.parse_memory(memory),
        time_limit=None if time_limit is None else quantities.parse_seconds(time_limit),
        not_before=_not_before(at, delay, now=now),
        priority=checked_priority(priority),
        max_attempts=retries + 1,
        held=hold,
        after=needed,
        after_any=needed_any,
        tags=tuple(tag or ()),
        owner=actor(),
        command=command_line(),
    )


def _names(text: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    if not names:
        raise ConfigError("`--model` must name at least one model, but is empty.")
    return names


def _checked_name(name: str | None) -> str | None:
    if name is not None and (not name.strip() or not name.isprintable()):
        raise ConfigError(f"A job's name must be one line of text, but is {name!r}.")
    return name


def checked_priority(priority: int) -> int:
    """Refuse a priority that no database can hold."""
    if abs(priority) > 1_000_000:
        raise ConfigError(f"A priority must be -1000000 to 1000000, but is {priority}.")
    return priority


def _grid(texts: Sequence[str]) -> dict[str, list[str]]:
    """Read `optim.lr=1e-4,5e-4`; values that have commas in them are separated by `;`."""
    from setgf.config import full_name, parse_assignments

    found: dict[str, list[str]] = {}
    for text in texts:
        for name, values in parse_assignments([text]).items():
            full = full_name(name)
            if full in found:
                raise ConfigError(f"The grid names `{full}` twice; list all values in one.")
            mark = ";" if ";" in values else ","
            found[full] = [value.strip() for value in values.split(mark) if value.strip()]
    return found


def _not_before(at: str | None, delay: str | None, *, now: float) -> float | None:
    from setgf.worker.quantities import parse_moment, parse_seconds

    if at is not None and delay is not None:
        raise ConfigError("Name either `--at` or `--in`, not both.")
    if delay is not None:
        return now + parse_seconds(delay)
    return None if at is None else parse_moment(at, now=now)


def _without_duplicates(batch: Batch) -> Batch:
    """Leave out jobs whose experiment is queued, running, done, or in the batch already."""
    from db.errors import NotFoundError
    from setgf.worker.submit import find_duplicates

    found: Mapping[str, tuple[int, str]] = {}
    with suppress(NotFoundError), reading() as statements:  # no database yet: no duplicates
        found = find_duplicates(statements, [job.fingerprint for job in batch.jobs])
    words: list[str] = []
    seen: set[str] = set()
    kept: list[bool] = []
    for job in batch.jobs:
        if job.fingerprint in found:
            job_id, state = found[job.fingerprint]
            words.append(f"{job.name}: the same experiment is job {job_id} ({state})")
        elif job.fingerprint in seen:
            words.append(f"{job.name}: the same experiment is in this request already")
        kept.append(job.fingerprint not in found and job.fingerprint not in seen)
        seen.add(job.fingerprint)
    if words and not any(kept):
        listed = "; ".join(words[:3]) + ("; ..." if len(words) > 3 else "")
        raise ConfigError(f"Nothing new to queue. {listed}. Add `--force` to run again.")
    for line in words[:MOST_LEFT_OUT]:
        note(f"Left out {line}; `--force` runs it again.")
    if len(words) > MOST_LEFT_OUT:
        note(f"Left out {len(words) - MOST_LEFT_OUT} more that are queued or done already.")
    entries = [entry for entry, is_kept in zip(batch.entries, kept, strict=True) if is_kept]
    return replace(batch, entries=tuple(entries))


def _tell_added(jobs: Sequence[NewJob], ids: Sequence[int], batch: Batch, *, as_json: bool) -> None:
    if as_json:
        say_json(
            [
                {
                    "id": job_id,
                    "run_id": job.run_id,
                    "name": job.name,
                    "state": "held" if job.held else "queued",
                    "group_name": entry.group,
                    "model": job.model,
                    "seed": job.seed,
                    "fingerprint": job.fingerprint,
                }
                for job_id, job, entry in zip(ids, jobs, batch.entries, strict=True)
            ]
        )
        return
    if len(jobs) > MOST_LINES:
        groups = ", ".join(dict.fromkeys(f"`{e.group}`" for e in batch.entries if e.group))
        say(f"Queued {len(jobs)} jobs, {ids[0]} to {ids[-1]}, in group {groups}.")
        return
    for job_id, job in zip(ids, jobs, strict=True):
        word = "Held" if job.held else "Queued"
        say(f"{word} job {job_id}: {job.name} (run {job.run_id})")


def _see_to_worker(*, start: bool) -> None:
    """Say that no worker runs, or start one."""
    from db.job_list import living_workers

    with reading() as statements:
        workers = living_workers(statements, now=time.time())
    if start:
        workers = [worker for worker in workers if _is_there(worker)]
    if workers:
        return
    if not start:
        note("No worker is running; start one with `setgf worker start`.")
        return
    import subprocess

    # A process of its own, as if typed: the worker must not inherit what this one has loaded.
    started = subprocess.run(
        [sys.executable, "-m", "setgf.cli.main", "worker", "start", "--detach"],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )  # fmt: skip
    for line in (started.stdout + started.stderr).splitlines():
        note(line)
    if started.returncode:
        raise typer.Exit(started.returncode)


def _is_there(worker: LivingWorker) -> bool:
    """Return False for a worker of this machine whose process is gone, though it was just there."""
    import socket

    from setgf.worker.supervision import is_process

    return worker.host != socket.gethostname() or is_process(
        worker.pid, worker.pid_start, worker.boot_id
    )
