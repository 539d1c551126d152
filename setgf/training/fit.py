"""Train one experiment: set up, epochs, the best of them by validation, the test split once."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from setgf.config import ExperimentConfig
from setgf.data.batch import BatchSource, open_batches
from setgf.data.normalise import Normaliser, fit_normaliser
from setgf.data.store import FeatureStore
from setgf.errors import StoppedError
from setgf.model.state_cache import state_folder
from setgf.model.text_encoder import encoder_folder
from setgf.terms import Split, Task
from setgf.training.calibration import Calibration, fit_calibration
from setgf.training.epoch import StepLog, epoch_batches, train_epoch
from setgf.training.evaluate import Evaluation, collect_features, evaluate
from setgf.training.keeper import Keeper
from setgf.training.optim import trainable
from setgf.training.recorder import Recorder
from setgf.training.session import Session, hash_weights
from setgf.training.setup import (
    build_session,
    check_monitor,
    choose_device,
    speed_warnings,
)

BRANCH_METRICS = {
    Task.REGRESSION: frozenset({"mae", "corr"}),
    Task.CLASSIFICATION: frozenset({"acc3", "f1"}),
}
"""Metrics of the unimodal branches that are logged every epoch; at the end, all are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Where a run is: what a progress display shows."""

    epoch: int
    max_epochs: int
    step: int
    batch: int
    """Micro-batches of the epoch that are done."""
    num_batches: int
    loss: float
    """Training loss of the last step; NaN before the first."""
    valid: float
    """Monitored metric of the last finished epoch; NaN before the first."""
    best_valid: float
    best_epoch: int
    """0 before the first epoch has ended."""
    is_epoch_end: bool = False
    """The epoch has been judged: `valid` is its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FitResult:
    """What a finished run leaves."""

    best_epoch: int
    best_valid: float
    """Monitored metric at the best epoch."""
    epochs: int
    """Epochs trained."""
    steps: int
    metrics: Mapping[str, float]
    """`valid.*` and `test.*` at the best epoch, every branch."""
    weights_sha256: str
    """Hash of the best weights."""


OnProgress = Callable[[Progress], None]


def fit(
    config: ExperimentConfig,
    store: FeatureStore,
    recorder: Recorder,
    *,
    resume_from: Path | None = None,
    on_progress: OnProgress | None = None,
    on_batch: Callable[[], None] | None = None,
) -> FitResult:
    """Train, choose the best epoch by validation, and score it on the test split, once.

    Args:
        config: the experiment.
        store: its data; the test split is opened only when the best epoch is fixed.
        recorder: takes points, events, predictions; names the folder of checkpoints.
        resume_from: folder of an earlier attempt's checkpoints to go on from.
        on_progress: called after every step and epoch.
        on_batch: called after every batch, of training, evaluation and label passes: a sign that
            work goes on.

    Raises:
        ConfigError: a setting does not fit the data or the machine.
        CheckpointError: `resume_from` holds another experiment.
        DivergedError: a loss or score is not finite; names samples.
        StoppedError: the recorder asked to stop; a checkpoint was written.
    """
    run = _Run.set_up(config, store, recorder, on_progress)
    run.session.on_batch = on_batch
    run.start(resume_from)
    while not run.session.is_over:
        run.train_epoch()
        with run.session.judged():
            evaluation = evaluate(run.session, run.valid, Split.VALID)
        run.end_epoch(evaluation)
    return run.conclude()


@dataclass(slots=True, kw_only=True)
class _Run:
    """The parts of a run, for the time of one `fit`."""

    config: ExperimentConfig
    store: FeatureStore
    recorder: Recorder
    on_progress: OnProgress | None
    normaliser: Normaliser | None
    train: BatchSource
    valid: BatchSource
    session: Session
    keeper: Keeper
    log: StepLog
    num_batches: int = 0
    """Micro-batches of the epoch."""
    epoch_started: float = 0.0
    samples_before: int = 0
    """Samples of the epoch an earlier attempt has trained."""
    data_seconds: float = 0.0
    """Seconds in which the epoch's training has waited for batches."""
    last_valid: float = math.nan

    @classmethod
    def set_up(
        cls,
        config: ExperimentConfig,
        store: FeatureStore,
        recorder: Recorder,
        on_progress: OnProgress | None,
    ) -> _Run:
        """Open train and valid, and build what learns from them."""
        check_monitor(config, store.manifest.dataset)
        device = choose_device(config.train.device)
        normaliser = fit_normaliser(store, config.data)
        folder = encoder_folder(config.text.encoder)
        train, valid = (
            open_batches(
                store,
                split,
                config.data,
                tokenizer_folder=folder,
                normaliser=normaliser,
                device=device,
            )
            for split in (Split.TRAIN, Split.VALID)
        )
        session = build_session(config, train)
        session.network.text_encoder.keep_states(state_folder(store))
        keeper = Keeper(session, recorder, data_fingerprint=store.manifest.fingerprint)
        return cls(
            config=config,
            store=store,
            recorder=recorder,
            on_progress=on_progress,
            normaliser=normaliser,
            train=train,
            valid=valid,
            session=session,
            keeper=keeper,
            log=StepLog(session, recorder, train.ids),
        )

    def start(self, resume_from: Path | None) -> None:
        """Go on from the newest whole checkpoint, where one is given, and say how it begins."""
        session = self.session
        entry, warnings = (None, ())
        if resume_from is not None:
            entry, warnings = self.keeper.resume(resume_from)
        self.recorder.event(
            "started",
            resume_step=entry.step if entry else 0,
            resume_epoch=session.position.epoch,
            parameters=sum(p.numel() for p in trainable(session.optimizer)),
            device=str(session.device),
            threads=session.threads,
            total_steps=session.total_steps,
            data_fingerprint=self.store.manifest.fingerprint,
            train_size=self.train.size,
            valid_size=self.valid.size,
            data_is_kept=self.train.is_kept,
            tokens=asdict(self.train.token_facts),
        )
        tokens, most = self.train.token_facts, self.config.data.max_tokens
        lost = tokens.warnings(Split.TRAIN, most) if "text" in self.config.data.modalities else ()
        for warning in (*warnings, *lost, *speed_warnings(self.config, session.device)):
            self.recorder.event("warning", message=warning)
        self.keeper.tell()

    def train_epoch(self) -> None:
        """Train one epoch; with labels that want it, look at all samples again at its end."""
        epoch = self.session.position.epoch
        self.epoch_started = time.monotonic()
        self.samples_before = self.session.position.samples
        self.recorder.begin_epoch(epoch)
        self.num_batches = len(epoch_batches(self.session, self.train))
        self.data_seconds = train_epoch(
            self.session, self.train, log=self.log, after_step=self.after_step
        )
        labels = self.session.labels
        if labels.first_pass is not None and epoch >= labels.first_pass:
            labels.after_epoch(epoch, collect_features(self.session, self.train))

    def after_step(self) -> None:
        """Show progress; checkpoint when it is due; checkpoint and leave when asked to."""
        self._show()
        if self.recorder.stop_requested():
            self.stop()
        # Not after the epoch's last step: a run that goes on from there would log its end twice.
        is_last = self.session.position.batches == self.num_batches
        if not is_last and self.keeper.is_due(at_epoch_end=False):
            self.log.flush()
            self.keeper.save()

    def stop(self) -> None:
        """Checkpoint and leave.

        Raises:
            StoppedError: always.
        """
        position = self.session.position
        self.log.flush()
        self.keeper.save()
        self.recorder.event("stopped", step=position.step, epoch=position.epoch)
        raise StoppedError(
            f"Stopped at step {position.step} (epoch {position.epoch}) as asked; "
            "a checkpoint was written to go on from."
        )

    def end_epoch(self, evaluation: Evaluation) -> None:
        """Log the epoch, judge it, move on and checkpoint."""
        position, stopping = self.session.position, self.session.stopping
        seconds = time.monotonic() - self.epoch_started
        only = BRANCH_METRICS[Task(self.config.train.task)]
        values = evaluation.named_metrics(Split.VALID, only=only)
        self.last_valid = values[f"valid.{self.config.train.monitor}"]
        is_best = stopping.update(position.epoch, self.last_valid)
        values["train.epoch_loss"] = position.loss_sum / max(position.samples, 1)
        values["train.seconds"] = seconds
        values["train.data_seconds"] = self.data_seconds
        values["train.samples_per_second"] = (position.samples - self.samples_before) / seconds
        values.update(self.session.labels.describe())
        self.recorder.log(position.step, values)
        self.keep_labels()
        if is_best:
            self.keeper.keep_best()
        self.recorder.event(
            "epoch",
            epoch=position.epoch,
            step=position.step,
            max_epochs=self.config.train.max_epochs,
            valid=self.last_valid,
            best=is_best,
            best_epoch=stopping.best_epoch,
        )
        self._show(is_epoch_end=True)
        position.next_epoch()
        self.session.note_time()
        if self.session.is_over or self.keeper.is_due(at_epoch_end=True):
            self.keeper.save()

    def keep_labels(self) -> None:
        """Store the labels the epoch has generated, if it has: how they drift is worth a look."""
        found = self.session.labels.generated()
        if found:
            self.recorder.save_labels(
                self.session.position.epoch,
                {str(task): labels.float().cpu().numpy() for task, labels in found.items()},
                annotated=np.asarray(self.train.data.labels, dtype=np.float32),
                sample_ids=self.train.ids,
            )

    def conclude(self) -> FitResult:
        """Score valid and, for the only time, test, with the weights of the best epoch."""
        session, position = self.session, self.session.position
        self.keeper.load_best()
        test = open_batches(
            self.store,
            Split.TEST,
            self.config.data,
            tokenizer_folder=encoder_folder(self.config.text.encoder),
            normaliser=self.normaliser,
            device=session.device,
        )
        metrics: dict[str, float] = {}
        calibration: Calibration | None = None
        for split, source in ((Split.VALID, self.valid), (Split.TEST, test)):
            evaluation = evaluate(session, source, split)
            self.recorder.save_predictions(split, evaluation.predictions())
            metrics.update(evaluation.named_metrics(split))
            if split is Split.VALID and self.config.train.calibrate:
                calibration = fit_calibration(evaluation)
            if calibration is not None:
                metrics.update(calibration.metrics(evaluation, split))
        result = FitResult(
            best_epoch=session.stopping.best_epoch,
            best_valid=session.stopping.best,
            epochs=position.epoch - 1,
            steps=position.step,
            metrics=metrics,
            weights_sha256=hash_weights(session.weights()),
        )
        self.recorder.event("finished", **asdict(result))
        return result

    def _show(self, *, is_epoch_end: bool = False) -> None:
        if self.on_progress is None:
            return
        position, stopping = self.session.position, self.session.stopping
        self.on_progress(
            Progress(
                epoch=position.epoch,
                max_epochs=self.config.train.max_epochs,
                step=position.step,
                batch=position.batches,
                num_batches=self.num_batches,
                loss=self.log.last_loss,
                valid=self.last_valid,
                best_valid=stopping.best,
                best_epoch=stopping.best_epoch,
                is_epoch_end=is_epoch_end,
            )
        )
