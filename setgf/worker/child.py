"""Trains one attempt of one run: `python -m setgf.worker.child --run FOLDER --attempt N ...`.

It knows a run folder and the feature stores, no database. Exit codes: 0 finished, 130 stopped with
a checkpoint, else that of the error, which is told by a `failed` event and on standard error.
"""

from __future__ import annotations

import argparse
import faulthandler
import logging
import os
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from setgf.config import ExperimentConfig, config_from_dict
from setgf.errors import SetgfError, StoppedError
from setgf.home import Home
from setgf.runs.folder import AttemptFolder, RunFolder
from setgf.runs.heartbeat import Beating
from setgf.runs.recorder import FolderRecorder
from setgf.worker.shim import EXIT_DISK_FULL

if TYPE_CHECKING:
    from setgf.training.failures import Failure
    from setgf.training.fit import FitResult, Progress

log = logging.getLogger("setgf.child")


def main(arguments: Sequence[str] | None = None) -> int:
    """Train an attempt and return the exit code."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(stream=sys.stdout, level=logging.INFO, format="%(message)s")
    logging.raiseExceptions = False  # a full disk costs lines of the log, nothing else
    faulthandler.enable()
    run = RunFolder(Path(options.run))
    attempt = run.attempt_folder(options.attempt)
    try:
        recorder = FolderRecorder(attempt)
    except SetgfError as error:
        return _tell(error)
    # The flag is looked at between two steps; a second SIGTERM changes nothing.
    signal.signal(signal.SIGTERM, lambda _number, _frame: recorder.request_stop())
    resume_from = run.path / options.resume / "checkpoints" if options.resume else None
    code = record_failure(
        recorder,
        lambda: train_attempt(
            attempt, recorder, Home(Path(options.home)), resume_from, _log_epochs()
        ),
    )
    # Python takes its handlers away while it shuts down: a SIGTERM then would be another end.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    return code


def train_attempt(
    attempt: AttemptFolder,
    recorder: FolderRecorder,
    home: Home,
    resume_from: Path | None,
    on_progress: Callable[[Progress], None],
) -> FitResult:
    """Train the run of an attempt folder, by the config and on the store it names."""
    run = attempt.run
    config = config_from_dict(run.config(), where=str(run.path / "config.json"))
    prepare_threads(config)
    # From here on torch is loaded: the variables above must be set before.
    import torch

    from setgf.data.store import open_store
    from setgf.model.registry import floor_names
    from setgf.runs.environment import write_environment
    from setgf.training.fit import fit
    from setgf.training.floor import fit_floor

    store = open_store(home, config.data.name)
    gpu = torch.cuda.get_device_name(0) if torch.cuda.is_available() else None
    write_environment(run, data_fingerprint=store.manifest.fingerprint, gpu=gpu)
    with Beating(attempt) as beating:
        if config.model.name in floor_names():
            return fit_floor(config, store, recorder, on_progress=on_progress)
        return fit(
            config,
            store,
            recorder,
            resume_from=resume_from,
            on_progress=on_progress,
            on_batch=beating.advance,
        )


def prepare_threads(config: ExperimentConfig) -> None:
    """Set the thread variables that are read when torch is loaded."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    if config.train.threads > 0:
        os.environ["OMP_NUM_THREADS"] = str(config.train.threads)


def record_failure(recorder: FolderRecorder, work: Callable[[], object]) -> int:
    """Do the work; record why it failed, and return the exit code."""
    try:
        return _try(recorder, work)
    finally:
        _tell_memory(recorder)


def _try(recorder: FolderRecorder, work: Callable[[], object]) -> int:
    try:
        work()
    except StoppedError as error:
        log.info("%s", error)
        return error.exit_code
    except SetgfError as error:
        return _tell(error, recorder)
    except Exception as error:  # noqa: BLE001 - the end of this process: everything is recorded
        _write_error(traceback.format_exc())
        return _tell(error, recorder)
    return 0


def _tell(error: Exception, recorder: FolderRecorder | None = None) -> int:
    """Say what went wrong, on standard error and in the run folder; return the exit code."""
    from setgf.training.failures import describe_failure

    code = error.exit_code if isinstance(error, SetgfError) else 1
    failure = describe_failure(error)
    _write_error(f"setgf: error: {failure.message}\n")
    if recorder is not None:
        try:
            record(recorder, failure, code)
        except SetgfError as second:  # a full disk, or a later attempt owns the run
            _write_error(f"setgf: error: {second}\n")
            return EXIT_DISK_FULL if failure.kind == "disk_full" else code
    return code


def record(recorder: FolderRecorder, failure: Failure, code: int) -> None:
    """Record why a run failed.

    Raises:
        RunFolderError: the disk is full.
        StoppedError: a later attempt owns the run.
    """
    recorder.event(
        "failed",
        failure_class=failure.kind,
        message=failure.message,
        exit_code=code,
        **failure.figures,
    )


def _tell_memory(recorder: FolderRecorder) -> None:
    """Record how much memory the attempt held: the next one like it is placed by that."""
    from setgf.training.memory import memory_use

    use = memory_use()
    with suppress(SetgfError):  # a full disk, or a later attempt owns the run
        recorder.event("memory", peak_memory_mib=use.peak_memory_mib, peak_gpu_mib=use.peak_gpu_mib)


def _write_error(text: str) -> None:
    """Write to standard error: a file, on a disk that may be full."""
    with suppress(OSError):
        sys.stderr.write(text)


def _log_epochs() -> Callable[[Progress], None]:
    """Return a listener that logs one line an epoch."""
    logged = 0

    def listen(progress: Progress) -> None:
        nonlocal logged
        if progress.is_epoch_end and progress.epoch != logged:
            logged = progress.epoch
            log.info(
                "epoch %d/%d step %d loss %.4f valid %.4f best %.4f at epoch %d",
                progress.epoch,
                progress.max_epochs,
                progress.step,
                progress.loss,
                progress.valid,
                progress.best_valid,
                progress.best_epoch,
            )

    return listen


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="setgf.worker.child", description=__doc__)
    parser.add_argument("--run", required=True, help="Run folder.")
    parser.add_argument("--attempt", required=True, type=int, help="Number of the attempt.")
    parser.add_argument("--home", required=True, help="Folder that holds the feature stores.")
    parser.add_argument("--resume", help="Attempt folder name (a1) to go on from.")
    return parser


if __name__ == "__main__":
    sys.exit(main())
