"""`setgf worker status` and `setgf worker logs`: who works, on what, what comes next."""

from __future__ import annotations

import os
import sys
import time
from contextlib import closing
from typing import TYPE_CHECKING, Annotated

import typer

from setgf.cli.job_words import ask_queue, show_duration, show_moment
from setgf.cli.output import say, say_json, say_table
from setgf.cli.worker_words import living_workers, say_busy

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path

    from db.query import Query
    from db.records import Device, Worker
    from setgf.worker.logs import Follower
    from setgf.worker.outlook import Outlook

NEXT_JOBS = 5
LOG_LINES = 40
FOLLOW_SECONDS = 0.3
MIB_A_GIB = 1024


def status(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    show_all: Annotated[bool, typer.Option("--all", help="Stopped and killed ones, too.")] = False,
) -> None:
    """Show the workers, their devices with use and jobs, and what comes next.

    Example: setgf worker status --json
    """
    from dataclasses import asdict

    from db.errors import NotFoundError

    try:
        with ask_queue() as query:
            workers = [
                worker for worker in query.workers() if show_all or worker.state != "stopped"
            ]
            living = {worker.id for worker in living_workers(query)}
            if as_json:
                say_json([{**asdict(one), "is_running": one.id in living} for one in workers])
                return
            _show(query, workers, living, show_all=show_all)
    except NotFoundError:
        if as_json:
            say_json([])
            return
        _say_nobody()


def logs(
    worker: Annotated[
        str | None, typer.Argument(help="Worker or its pid; default: the newest log.")
    ] = None,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on showing what is added.")
    ] = False,
    lines: Annotated[
        int, typer.Option("--lines", "-n", min=0, help="Lines to begin with; 0 for all.")
    ] = LOG_LINES,
) -> None:
    """Show what a worker of this machine has written into its log.

    Example: setgf worker logs -f
    """
    from setgf.worker.logs import follow_worker

    with closing(follow_worker(_find_log(worker))) as reader:
        text = reader.read(to_end=not follow).splitlines(keepends=True)
        _print("".join(text[-lines:] if lines else text))
        if follow:
            _follow(reader)


def _show(
    query: Query, workers: Sequence[Worker], living: Collection[str], *, show_all: bool
) -> None:
    from db.statements import EngineStatements
    from setgf.worker.outlook import look

    with query.database.read() as connection:
        outlook = look(EngineStatements(connection), now=time.time())
    holding = {job.worker_id for job in outlook.jobs if job.is_live}
    shown = [worker for worker in workers if show_all or worker.id in {*living, *holding}]
    if shown:
        _show_workers(shown, living, outlook)
    else:
        _say_nobody()
    say(_describe_machine())
    for line in _queue_lines(outlook):
        say(line)
    orphans = [job for job in outlook.jobs if job.is_live and job.worker_id not in living]
    for job in orphans:
        words = say_busy(job, outlook.ran(job)).removeprefix("job")
        say(f"Job{words} without a worker; the next one adopts it: `setgf worker start`.")


def _show_workers(workers: Sequence[Worker], living: Collection[str], outlook: Outlook) -> None:
    live = {job.id: job for job in outlook.jobs if job.is_live}
    said = {job.id: say_busy(job, outlook.ran(job)) for job in live.values()}
    say_table(
        ("worker", "state", "pid", "since", "version"),
        [_worker_row(worker, worker.id in living) for worker in workers],
        right=("pid",),
    )
    say("")
    say_table(
        ("device", "of", "model", "use", "memory", "job"),
        [
            _device_row(worker, device, said)
            for worker in workers
            for device in worker.devices
            if worker.state != "stopped"
        ],
        right=("use", "memory"),
    )
    say("")


def _say_nobody() -> None:
    say("No worker is running. Start one with `setgf worker start`.")


def _worker_row(worker: Worker, is_living: bool) -> tuple[str, ...]:
    state = worker.state
    if state == "alive" and not is_living:
        state = "killed"
    elif state == "stale":
        ago = show_duration(time.time() - worker.heartbeat_at)
        state = f"{'stale' if is_living else 'killed'}, last seen {ago} ago"
    return worker.id, state, str(worker.pid), show_moment(worker.started_at), worker.version


def _device_row(worker: Worker, device: Device, said: Mapping[int, str]) -> tuple[str, ...]:
    used = show_memory(device.memory_used_mib)
    return (
        device.name,
        worker.id,
        device.model,
        f"{device.utilisation:.0f}%",
        f"{used} of {show_memory(device.memory_mib)}" if device.kind == "gpu" else used,
        said.get(device.job_id or 0, "-").removeprefix("job "),
    )


def _describe_machine() -> str:
    """Return what this machine has, in a line."""
    import socket

    import psutil

    from setgf.worker.gpus import Nvml, usable_cores

    memory = psutil.virtual_memory()
    gpus = Nvml().gpus()
    load = os.getloadavg()[0]
    words = [
        f"{usable_cores()} cores with load {load:.1f}",
        f"{show_memory((memory.total - memory.available) >> 20)} of "
        f"{show_memory(memory.total >> 20)} memory in use",
        "no NVIDIA GPU" if not gpus else "1 GPU" if len(gpus) == 1 else f"{len(gpus)} GPUs",
    ]
    return f"This machine, {socket.gethostname()}: {', '.join(words)}."


def _queue_lines(outlook: Outlook) -> list[str]:
    """Return how many jobs there are of every state, and which start next."""
    counts: dict[str, int] = {}
    for job in outlook.jobs:
        counts[job.state] = counts.get(job.state, 0) + 1
    if not counts:
        return ["The queue is empty."]
    said = ", ".join(f"{number} {state}" for state, number in counts.items())
    estimates = outlook.estimates()
    waiting = [job for job in outlook.jobs if job.state == "queued"]
    lines = [f"Queue: {said}."]
    for place, job in enumerate(waiting[:NEXT_JOBS]):
        start = estimates[job.id].start if job.id in estimates else None
        when = "" if start is None else f", in about {show_duration(start - outlook.now)}"
        why = outlook.why(job)
        lines.append(
            f"{'Next: ' if place == 0 else '      '}job {job.id} ({job.name}){when}"
            f"{f'; {why}' if why else ''}"
        )
    if len(waiting) > NEXT_JOBS:
        lines.append(f"      and {len(waiting) - NEXT_JOBS} more; see `setgf queue list`.")
    return lines


def show_memory(mib: float) -> str:
    """Return memory as people read it: `812 MiB`, `12.3 GiB`."""
    return f"{mib:.0f} MiB" if mib < MIB_A_GIB else f"{mib / MIB_A_GIB:.1f} GiB"


def _find_log(worker: str | None) -> Path:
    """Return the log of a worker of this machine: by id, by pid, or the one written last.

    Raises:
        WorkerError: there is none.
    """
    from setgf.errors import WorkerError
    from setgf.home import find_home
    from setgf.worker.logs import log_path, worker_logs

    folder = find_home().workers
    found = worker_logs(folder) if folder.is_dir() else []
    here = log_path(folder, 0).stem.removesuffix("0")
    if worker is None:
        if not found:
            raise WorkerError(f"No worker has left a log in {folder}. Start one first.")
        mine = [path for path in found if path.stem.startswith(here)]
        return (mine or found)[-1]
    pid = worker if worker.isdecimal() else _pid_of(worker)
    for path in found:
        if path.stem == f"{here}{pid}":
            return path
    raise WorkerError(f"There is no log of worker `{worker}` in {folder}.")


def _pid_of(worker: str) -> str:
    with ask_queue() as query:
        return next((str(known.pid) for known in query.workers() if known.id == worker), "")


def _follow(reader: Follower) -> None:
    """Show what is added until Ctrl-C."""
    try:
        while True:
            time.sleep(FOLLOW_SECONDS)
            _print(reader.read())
    except KeyboardInterrupt:
        return


def _print(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
