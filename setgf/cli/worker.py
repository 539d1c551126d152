"""`setgf worker`: start, stop and look at the processes that run jobs."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import closing
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from setgf.cli.job_words import actor, ask_queue, open_queue, show_duration, show_moment
from setgf.cli.opened import tell_if_shared
from setgf.cli.output import note, say, say_json, say_table
from setgf.errors import ConfigError, WorkerError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from db.query import Query
    from db.records import Worker

_Found = TypeVar("_Found")
DETACHED_VARIABLE = "SETGF_WORKER_DETACHED"
START_SECONDS = 30.0
STOP_SECONDS = 20.0
STOP_NOW_SECONDS = 90.0
"""A child has 60 seconds to write its checkpoint."""

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Workers: start, stop, status.")

Slots = Annotated[
    int | None, typer.Option(min=0, help="CPU jobs at once; default: half the cores.")
]
Gpus = Annotated[
    str | None, typer.Option(help="GPUs to give out: 0,1; none; default: all it can see.")
]


@app.command()
def start(
    slots: Slots = None,
    gpus: Gpus = None,
    drain: Annotated[bool, typer.Option("--drain", help="Leave when the queue is empty.")] = False,
    once: Annotated[bool, typer.Option("--once", help="Leave after one job.")] = False,
    detach: Annotated[
        bool, typer.Option("--detach", help="Work in the background, after logging out too.")
    ] = False,
) -> None:
    """Run the queue's jobs on this machine.

    Ctrl-C asks running jobs to write a checkpoint, puts them back into the queue and leaves; Ctrl-C
    again leaves them running. A job whose worker was killed is adopted by the next one.

    Example: setgf worker start --drain --slots 2
    """
    wanted = _gpu_indices(gpus)
    if detach:
        _start_detached([argument for argument in sys.argv[1:] if argument != "--detach"])
        return
    from setgf.home import find_home
    from setgf.worker.daemon import Worker, WorkerOptions
    from setgf.worker.logs import set_up_log

    home = find_home()
    path = home.workers / f"worker-{os.getpid()}.log"
    set_up_log(path, to_terminal=DETACHED_VARIABLE not in os.environ)
    options = WorkerOptions(slots=slots, gpus=wanted, drain=drain, once=once)
    with closing(open_queue()) as database:
        tell_if_shared(database)
        Worker(home, database, options).run()


@app.command()
def stop(
    now: Annotated[
        bool, typer.Option("--now", help="Checkpoint running jobs and put them back.")
    ] = False,
) -> None:
    """Stop all workers; running jobs go on and are adopted by the next worker.

    Example: setgf worker stop --now
    """
    from db.commands import add_command
    from db.records import Verb

    with ask_queue() as query:
        living = _living(query)
        if not living:
            raise WorkerError("No worker is running. See `setgf worker status`.")
        for worker in living:
            with query.database.write() as connection:
                add_command(
                    connection,
                    Verb.STOP_WORKER,
                    worker_id=worker.id,
                    arguments={"now": now},
                    actor=actor(),
                    now=time.time(),
                )
        limit = STOP_NOW_SECONDS if now else STOP_SECONDS
        left = _wait_until_gone(query, [worker.id for worker in living], limit)
        for worker in living:
            if worker.id not in left:
                say(f"Worker {worker.id} stopped.")
        _tell_running(query)
    if left:
        raise WorkerError(
            f"Worker {', '.join(left)} has not stopped within {limit:.0f} seconds; it will when "
            "its jobs have written their checkpoints."
        )


@app.command()
def status(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    show_all: Annotated[bool, typer.Option("--all", help="Stopped workers, too.")] = False,
) -> None:
    """Show the workers with their devices and jobs.

    Example: setgf worker status --json
    """
    from dataclasses import asdict

    from db.errors import NotFoundError

    try:
        with ask_queue() as query:
            workers = [
                worker for worker in query.workers() if show_all or worker.state != "stopped"
            ]
    except NotFoundError:
        workers = []
    if as_json:
        say_json([asdict(worker) for worker in workers])
        return
    if not workers:
        say("No worker is running. Start one with `setgf worker start`.")
        return
    say_table(("worker", "state", "pid", "since", "device", "model", "use", "memory", "job"),
              _status_rows(workers), right=("pid", "use", "memory", "job"))  # fmt: skip


def _status_rows(workers: Sequence[Worker]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for worker in workers:
        first = (worker.id, worker.state, str(worker.pid), show_moment(worker.started_at))
        for device in worker.devices:
            rows.append(
                (
                    *first,
                    device.name,
                    device.model,
                    f"{device.utilisation:.0f}%",
                    f"{device.memory_used_mib} MiB",
                    "" if device.job_id is None else str(device.job_id),
                )
            )
            first = ("", "", "", "")
    return rows


def _gpu_indices(text: str | None) -> tuple[int, ...] | None:
    if text is None:
        return None
    if text == "none":
        return ()
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isascii() and part.isdecimal() for part in parts):
        raise ConfigError(f"`--gpus` must be numbers like 0,1 or none, but is `{text}`.")
    return tuple(int(part) for part in parts)


def _start_detached(arguments: Sequence[str]) -> None:
    """Start a worker in a session of its own and wait until it says that it is there."""
    from setgf.home import find_home

    folder = find_home().workers
    folder.mkdir(parents=True, exist_ok=True)
    errors = folder / "detached.err"
    with errors.open("w", encoding="utf-8") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", "setgf.cli.main", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
            start_new_session=True,
            env={**os.environ, DETACHED_VARIABLE: "1"},
        )
    with closing(open_queue()) as database:
        from db.query import Query

        worker = _wait_for_worker(Query(database), process, errors)
    say(f"Worker {worker.id} works in the background (pid {process.pid}).")
    say(f"Its log is {folder / f'worker-{process.pid}.log'}; stop it with `setgf worker stop`.")
    process.returncode = 0  # not ours to wait for any longer


def _wait_for_worker(query: Query, process: subprocess.Popen[bytes], errors: Path) -> Worker:
    def find() -> Worker | None:
        for worker in query.workers():
            if worker.pid == process.pid and worker.state == "alive":
                return worker
        if process.poll() is not None:
            said = errors.read_text(encoding="utf-8", errors="replace").strip()
            raise WorkerError(
                f"The worker ended at once with exit code {process.returncode}. {said}"
            )
        return None

    worker = _poll(find, START_SECONDS)
    if worker is None:
        raise WorkerError(
            f"The worker (pid {process.pid}) has not registered within {START_SECONDS:.0f} "
            "seconds. See `setgf worker status`."
        )
    return worker


def _poll(look: Callable[[], _Found | None], seconds: float) -> _Found | None:
    """Look ten times a second until something is found or time is up."""
    deadline = time.monotonic() + seconds
    while (found := look()) is None and time.monotonic() < deadline:
        time.sleep(0.1)
    return found


def _living(query: Query) -> list[Worker]:
    """Return the workers that run; on this machine the process table knows, else the heartbeat."""
    import socket

    from setgf.worker.supervision import is_process

    return [
        worker
        for worker in query.workers()
        if worker.state != "stopped"
        and (
            is_process(worker.pid, worker.pid_start, worker.boot_id)
            if worker.host == socket.gethostname()
            else worker.state == "alive"
        )
    ]


def _wait_until_gone(query: Query, ids: Sequence[str], seconds: float) -> list[str]:
    """Wait for workers to leave; returns the ids of those that have not."""

    def left() -> list[str]:
        return [worker.id for worker in _living(query) if worker.id in ids]

    _poll(lambda: True if not left() else None, seconds)
    return left()


def _tell_running(query: Query) -> None:
    from db.records import JobState

    live = query.jobs(states=[state for state in JobState if state.is_live])
    for job in live:
        since = show_duration(time.time() - (job.started_at or time.time()))
        note(f"Job {job.id} ({job.name}) is still {job.state} after {since}; the next worker "
             "adopts it.")  # fmt: skip
