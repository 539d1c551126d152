"""`setgf train`: one run in the foreground, with a progress display."""

from __future__ import annotations

import signal
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Annotated

import typer

from setgf.cli.completion import (
    complete_model,
    complete_preset,
    complete_run,
    complete_setting,
    complete_store,
)
from setgf.cli.output import note, say_json, say_table
from setgf.model.registry import model_names

if TYPE_CHECKING:
    from setgf.home import Home
    from setgf.runs.folder import RunFolder
    from setgf.runs.recorder import FolderRecorder
    from setgf.training.fit import FitResult
    from setgf.worker.submit import Request


def train(
    data: Annotated[
        str | None,
        typer.Option(help="Feature store (`setgf data list`).", autocompletion=complete_store),
    ] = None,
    model: Annotated[
        str, typer.Option(help=", ".join(model_names()) + ".", autocompletion=complete_model)
    ] = "setgf",
    seed: Annotated[int, typer.Option(help="All random sources start from it.")] = 1111,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="SETTING=VALUE",
            help="A setting (`setgf config`).",
            autocompletion=complete_setting,
        ),
    ] = None,
    preset: Annotated[
        str | None,
        typer.Option(
            help="Preset, or a .toml file; default: the data set's.", autocompletion=complete_preset
        ),
    ] = None,
    name: Annotated[str | None, typer.Option(help="Name of the run.")] = None,
    resume: Annotated[
        str | None,
        typer.Option(
            metavar="RUN", help="Go on with a stopped run instead.", autocompletion=complete_run
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Train one run in the foreground.

    Ctrl-C checkpoints and leaves; `setgf train --resume RUN` goes on. The test split is scored
    once, at the end, with the weights of the best epoch by validation.

    Example: setgf train --data mosi --model setgf --seed 1111 --set max_epochs=20
    """
    from setgf.config import parse_assignments
    from setgf.errors import ConfigError
    from setgf.home import find_home
    from setgf.worker.submit import Request

    home = find_home()
    if (data is None) == (resume is None):
        raise ConfigError(
            "Name either `--data`, the feature store of a new run, or `--resume`, the run to go "
            "on with. See `setgf data list` and `setgf runs list`."
        )
    if resume is not None:
        run = _open_stopped(home, resume)
    else:
        run = _make_run(
            home,
            Request(
                data_name=str(data),
                models=(model,),
                seeds=(seed,),
                settings=parse_assignments(settings or ()),
                preset=preset,
                name=name,
            ),
        )
    result = _train(home, run)
    _report(run, result, as_json=as_json)


def _make_run(home: Home, request: Request) -> RunFolder:
    """Check what was asked for, like `setgf queue add` does, and make the run folder."""
    from setgf.runs.environment import command_line
    from setgf.runs.folder import RunFolder, RunIdentity
    from setgf.worker.submit import plan_jobs

    (job,) = plan_jobs(home, request)
    run = RunFolder(home.run_path(job.run_id))
    identity = RunIdentity(
        id=job.run_id,
        name=job.name,
        dataset=job.dataset,
        data_name=job.data_name,
        model=job.model,
        seed=job.seed,
        fingerprint=job.fingerprint,
        variant=job.variant,
        max_epochs=job.max_epochs,
        monitor=str(job.config["train"]["monitor"]),
        created_at=time.time(),
        command=command_line(),
    )
    run.create(identity, job.config)
    return run


def _open_stopped(home: Home, run_id: str) -> RunFolder:
    """Return the folder of a run that can go on here."""
    from setgf.errors import ConfigError
    from setgf.runs.folder import open_run
    from setgf.runs.reader import read_events

    run = open_run(home, run_id)
    job = run.identity().job_id
    if job is not None:
        raise ConfigError(
            f"Run {run_id} belongs to job {job} of the queue; go on with `setgf queue retry {job}`."
        )
    for attempt in run.attempts():
        if any(event["kind"] == "finished" for event in read_events(attempt)):
            raise ConfigError(
                f"Run {run_id} is finished; look at it with `setgf runs show {run_id}`."
            )
    return run


def _train(home: Home, run: RunFolder) -> FitResult:
    """Train the next attempt of a run, indexed and shown while it goes."""
    from setgf.cli.foreground import Indexing
    from setgf.cli.telling_recorder import TellingRecorder
    from setgf.cli.train_display import make_display
    from setgf.worker.child import train_attempt

    with run.hold():
        number = run.current_attempt() + 1
        earlier = run.resume_folder(before=number)
        attempt = run.begin_attempt(number)
        recorder = TellingRecorder(attempt)
        note(f"Run {run.id}, in {attempt.path}")
        with (
            Indexing(home.database_url, attempt),
            _told_failures(run, recorder),
            _stopping_on_signals(recorder),
            make_display(run.identity().monitor) as display,
        ):
            return train_attempt(
                attempt, recorder, home, earlier.checkpoints if earlier else None, display.show
            )


@contextmanager
def _told_failures(run: RunFolder, recorder: FolderRecorder) -> Generator[None]:
    """Record why a run failed, and say how to go on with a stopped one."""
    from setgf.errors import SetgfError, StoppedError, TrainingError
    from setgf.training.failures import describe_failure
    from setgf.worker.child import record

    try:
        yield
    except StoppedError as error:
        raise StoppedError(f"{error} Go on with `setgf train --resume {run.id}`.") from None
    except Exception as error:
        failure = describe_failure(error)
        with suppress(SetgfError):  # a full disk also refuses this
            record(recorder, failure, error.exit_code if isinstance(error, SetgfError) else 1)
        if failure.figures:
            raise TrainingError(failure.message) from error
        raise
    finally:
        recorder.close()


@contextmanager
def _stopping_on_signals(recorder: FolderRecorder) -> Generator[None]:
    """Turn Ctrl-C and SIGTERM into a request to checkpoint and leave; a second one breaks off."""

    def stop(number: int, _frame: object) -> None:
        recorder.request_stop()
        if number == signal.SIGINT:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            note("Stopping after this step; a checkpoint will be written. Ctrl-C again breaks off.")

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _report(run: RunFolder, result: FitResult, *, as_json: bool) -> None:
    """Print the result: every metric of fusion, on valid and test."""
    if as_json:
        say_json(
            {
                "run": run.id,
                "best_epoch": result.best_epoch,
                "best_valid": result.best_valid,
                "epochs": result.epochs,
                "steps": result.steps,
                "metrics": dict(result.metrics),
                "weights_sha256": result.weights_sha256,
            }
        )
        return
    names = [name.removeprefix("valid.") for name in result.metrics if name.startswith("valid.")]
    own = [
        name
        for name in names
        if f"test.{name}" in result.metrics
        and name != "loss"
        and ("." not in name or name.startswith("calibrated."))
    ]
    say_table(
        ("metric", "valid", "test"),
        [
            (name, *(f"{result.metrics[f'{split}.{name}']:.4f}" for split in ("valid", "test")))
            for name in own
        ],
        right=("valid", "test"),
    )
    note(
        f"Best epoch {result.best_epoch} of {result.epochs} by validation. "
        f"See it again with `setgf runs show {run.id}`."
    )
