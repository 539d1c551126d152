"""`setgf worker`: start and stop the processes that run jobs; more commands in `worker_*.py`."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import closing
from typing import TYPE_CHECKING, Annotated

import typer

from setgf.cli import worker_install, worker_notify, worker_status
from setgf.cli.job_words import actor, ask_queue, open_queue
from setgf.cli.opened import tell_if_shared
from setgf.cli.output import note, say
from setgf.cli.worker_words import (
    gpu_indices,
    is_here,
    live_jobs,
    living_workers,
    poll,
    read_hung_after,
    wait_until_gone,
)
from setgf.errors import WorkerError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from db.engine import Database
    from db.query import Query
    from db.records import Worker as WorkerRecord

DETACHED_VARIABLE = "SETGF_WORKER_DETACHED"
START_SECONDS = 30.0
STOP_SECONDS = 20.0
STOP_NOW_SECONDS = 90.0
"""A child has 60 seconds to write its checkpoint."""

app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Workers: start, stop, status, logs, notify."
)
app.command("status")(worker_status.status)
app.command("logs")(worker_status.logs)
app.command("install")(worker_install.install)
app.command("uninstall")(worker_install.uninstall)
app.command("notify")(worker_notify.notify)


@app.command()
def start(
    slots: Annotated[
        int | None, typer.Option(min=0, help="CPU jobs at once; default: half the cores.")
    ] = None,
    gpus: Annotated[
        str | None, typer.Option(help="GPUs to give out: 0,1; none; default: all it can see.")
    ] = None,
    share_gpus: Annotated[
        bool, typer.Option("--share-gpus", help="Also GPUs that others' processes use.")
    ] = False,
    hung_after: Annotated[
        str, typer.Option(help="Stop and retry a job without progress for so long; or never.")
    ] = "30m",
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
    chosen, hung_seconds = gpu_indices(gpus), read_hung_after(hung_after)
    if detach:
        _start_detached([argument for argument in sys.argv[1:] if argument != "--detach"])
        return
    from setgf.home import find_home
    from setgf.worker.daemon import Worker, WorkerOptions
    from setgf.worker.logs import log_path, set_up_log
    from setgf.worker.notifier import Notifier

    home = find_home()
    log = log_path(home.workers, os.getpid())
    set_up_log(log, to_terminal=DETACHED_VARIABLE not in os.environ)
    options = WorkerOptions(
        slots=slots,
        gpus=chosen,
        share_gpus=share_gpus,
        hung_after=hung_seconds,
        drain=drain,
        once=once,
    )
    with closing(open_queue()) as database:
        tell_if_shared(database)
        _tell_others(database)
        with Notifier(home, database):
            Worker(home, database, options).run()


@app.command()
def stop(
    ids: Annotated[
        list[str] | None,
        typer.Argument(metavar="[WORKER]...", help="Workers; default: all of this machine."),
    ] = None,
    now: Annotated[
        bool, typer.Option("--now", help="Checkpoint running jobs and put them back.")
    ] = False,
) -> None:
    """Stop workers and wait until they have left.

    Running jobs go on, and the next worker adopts them; with --now they write a checkpoint and go
    back into the queue.

    Example: setgf worker stop --now
    """
    with ask_queue() as query:
        asked = _chosen(query, ids)
        _ask_to_stop(query, asked, now=now)
        limit = STOP_NOW_SECONDS if now else STOP_SECONDS
        left = wait_until_gone(query, [worker.id for worker in asked], limit, note)
        for worker in asked:
            if worker.id not in left:
                say(f"Worker {worker.id} stopped.")
        _tell_running(query, [worker.id for worker in asked])
    if left:
        raise WorkerError(
            f"Worker {', '.join(left)} has not stopped within {limit:.0f} seconds; it will when "
            "its jobs have written their checkpoints. See `setgf worker logs`."
        )


def _chosen(query: Query, ids: Sequence[str] | None) -> list[WorkerRecord]:
    """Return the living workers that are meant.

    Raises:
        WorkerError: none is living, or not one that is named.
    """
    living = living_workers(query)
    if ids:
        known = {worker.id: worker for worker in living}
        for name in ids:
            if name not in known:
                raise WorkerError(f"No worker `{name}` is running. See `setgf worker status`.")
        return [known[name] for name in dict.fromkeys(ids)]
    here = [worker for worker in living if is_here(worker)]
    if not here:
        elsewhere = ", ".join(worker.id for worker in living)
        more = f" Elsewhere there are: {elsewhere}; name those to stop." if elsewhere else ""
        raise WorkerError(f"No worker is running on this machine. See `setgf worker status`.{more}")
    return here


def _ask_to_stop(query: Query, asked: Sequence[WorkerRecord], *, now: bool) -> None:
    from db.commands import add_command
    from db.records import Verb

    with query.database.write() as connection:
        for worker in asked:
            add_command(
                connection,
                Verb.STOP_WORKER,
                worker_id=worker.id,
                arguments={"now": now},
                actor=actor(),
                now=time.time(),
            )


def _tell_others(database: Database) -> None:
    """Say who works here already: both give out CPU slots of their own, and share the GPUs."""
    from db.query import Query

    for worker in living_workers(Query(database)):
        if is_here(worker):
            slots = sum(device.kind == "cpu" for device in worker.devices)
            note(
                f"Worker {worker.id} (pid {worker.pid}) works on this machine, too, with "
                f"{slots} CPU slot{'' if slots == 1 else 's'}; no GPU is given out twice."
            )


def _start_detached(arguments: Sequence[str]) -> None:
    """Start a worker in a session of its own and wait until it says that it is there."""
    from setgf.home import find_home
    from setgf.worker.logs import log_path

    folder = find_home().workers
    folder.mkdir(parents=True, exist_ok=True)
    starting = folder / f"starting-{os.getpid()}.err"
    with starting.open("w", encoding="utf-8") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", "setgf.cli.main", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
            start_new_session=True,
            env={**os.environ, DETACHED_VARIABLE: "1"},
        )
    log = log_path(folder, process.pid)
    errors = starting.rename(log.with_suffix(".err"))
    with closing(open_queue()) as database:
        from db.query import Query

        worker = _wait_for_worker(Query(database), process, errors)
    for line in errors.read_text(encoding="utf-8", errors="replace").splitlines():
        note(line)
    say(f"Worker {worker.id} works in the background (pid {process.pid}).")
    say(f"Its log is {log}; stop it with `setgf worker stop`.")
    process.returncode = 0  # not ours to wait for any longer


def _wait_for_worker(query: Query, process: subprocess.Popen[bytes], errors: Path) -> WorkerRecord:
    def find() -> WorkerRecord | None:
        for worker in query.workers():
            if worker.pid == process.pid and worker.state == "alive":
                return worker
        if process.poll() is not None:
            said = errors.read_text(encoding="utf-8", errors="replace").strip()
            raise WorkerError(
                f"The worker ended at once with exit code {process.returncode}. {said}"
            )
        return None

    worker = poll(find, START_SECONDS)
    if worker is None:
        raise WorkerError(
            f"The worker (pid {process.pid}) has not registered within {START_SECONDS:.0f} "
            f"seconds. See {errors} and `setgf worker status`."
        )
    return worker


def _tell_running(query: Query, worker_ids: Sequence[str]) -> None:
    from setgf.cli.worker_words import say_busy

    for job in live_jobs(query, worker_ids):
        words = say_busy(job)
        note(f"{words[0].upper()}{words[1:]}; it goes on, and the next worker adopts it.")
