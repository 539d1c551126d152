"""The model of a run: its best weights, and how its data was prepared."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from setgf.config import ExperimentConfig, config_from_dict
from setgf.data.normalise import fit_normaliser
from setgf.data.store import FeatureStore, open_store
from setgf.errors import CheckpointError, ConfigError, DataError
from setgf.home import Home
from setgf.model.registry import floor_names
from setgf.model.text_encoder import encoder_folder
from setgf.runs.folder import AttemptFolder, RunFolder, RunIdentity
from setgf.runs.reader import read_events
from setgf.runs.staging import IMPORTED
from setgf.training.calibration import calibration_of
from setgf.training.checkpoint import CheckpointEntry, CheckpointFolder
from setgf.training.model_facts import ModelFacts
from setgf.training.saved_model import SavedModel, restore_network
from setgf.training.seeding import seed_everything, set_threads
from setgf.training.setup import choose_device


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedRun:
    """What a run folder says of the run's best weights; nothing is loaded yet."""

    folder: RunFolder
    identity: RunIdentity
    config: ExperimentConfig
    attempt: AttemptFolder
    """Left the weights."""
    started: Mapping[str, Any]
    """The attempt's event: threads, device, fingerprint of the data."""
    finished: Mapping[str, Any] | None
    """The event with best epoch and metrics; None for a run whose best epoch is not fixed."""

    @property
    def id(self) -> str:
        """Id of the run."""
        return self.folder.id

    @property
    def metrics(self) -> Mapping[str, float]:
        """`valid.*` and `test.*` at the best epoch; none before the run is finished."""
        return {} if self.finished is None else self.finished["metrics"]

    def best(self) -> CheckpointEntry:
        """Return the checkpoint of the best epoch.

        Raises:
            CheckpointError: it is gone.
        """
        entries = self._checkpoints().entries()
        bests = [entry for entry in entries if entry.role == "best"]
        if self.finished is not None:
            bests = [entry for entry in bests if entry.epoch == self.finished["best_epoch"]]
        if not bests or not (self.attempt.checkpoints / bests[-1].file).is_file():
            raise CheckpointError(
                f"The best weights of run {self.id} are not in {self.attempt.checkpoints}: they "
                "were removed (`setgf gc`), or never written. Train it again: "
                f"`setgf runs repro {self.id}` prints how."
            )
        return bests[-1]

    def load_weights(self) -> dict[str, Any]:
        """Read the weights of the best epoch.

        Raises:
            CheckpointError: they are gone, or damaged.
        """
        return self._checkpoints().load(self.best())["network"]

    def _checkpoints(self) -> CheckpointFolder:
        return CheckpointFolder(
            self.attempt.checkpoints,
            fingerprint=self.config.fingerprint,
            data_fingerprint=str(self.started["data_fingerprint"]),
        )


def read_trained_run(folder: RunFolder) -> TrainedRun:
    """Read what a run folder says of the run's weights.

    Raises:
        ConfigError: the run was trained elsewhere or by another version, has not begun, or is a
            floor, which has no weights.
        RunFolderError: the folder can't be read.
    """
    if (folder.path / IMPORTED).is_file():
        raise ConfigError(
            f"Run {folder.id} was trained elsewhere and imported: there are no weights of it here."
        )
    config = config_from_dict(folder.config(), where=str(folder.path / "config.json"))
    _refuse_floor(folder, config)
    found = [
        TrainedRun(
            folder=folder,
            identity=folder.identity(),
            config=config,
            attempt=attempt,
            started=events["started"],
            finished=events.get("finished"),
        )
        for attempt in folder.attempts()
        if "started" in (events := {event["kind"]: event for event in read_events(attempt)})
    ]
    if not found:
        raise ConfigError(f"Run {folder.id} has not begun to train, so there are no weights of it.")
    # The finished attempt, else the newest that left weights, else the newest.
    return max(
        found,
        key=lambda run: (
            run.finished is not None,
            run.attempt.has_checkpoint(),
            run.attempt.number,
        ),
    )


def check_finished(run: TrainedRun) -> None:
    """Refuse a run whose best epoch may still change.

    Raises:
        ConfigError: it is not finished; says how to go on.
    """
    if run.finished is not None:
        return
    if run.folder.is_live():
        what = "Wait for its end"
    elif run.identity.job_id is not None:
        what = f"Go on with `setgf queue retry {run.identity.job_id}`"
    else:
        what = f"Go on with `setgf train --resume {run.id}`"
    raise ConfigError(
        f"Run {run.id} is not finished, so its best epoch is not fixed and the test split stays "
        f"closed. {what}; `setgf eval {run.id} --split valid` scores the best weights so far."
    )


def open_run_store(home: Home, run: TrainedRun) -> FeatureStore:
    """Open the feature store a run was trained on.

    Raises:
        DataError: it is gone, or was replaced by other data.
    """
    store = open_store(home, run.config.data.name)
    wanted = run.started["data_fingerprint"]
    if store.manifest.fingerprint != wanted:
        raise DataError(
            f"The feature store `{store.name}` is not the one run {run.id} was trained on: its "
            f"fingerprint is {store.manifest.fingerprint}, but was {wanted}. Import the data of "
            "that time again, under that name."
        )
    return store


def load_trained(
    run: TrainedRun, store: FeatureStore, *, device: Literal["auto", "cpu", "cuda"] = "auto"
) -> SavedModel:
    """Return the model of a run, set up as when it was trained: threads, kernels, number format.

    Args:
        run: its best weights are there.
        store: the data it was trained on.
        device: `auto` takes a GPU where there is one.

    Raises:
        CheckpointError: the weights are gone, damaged, or not those of the experiment's network.
        EncoderError: the text encoder can't be found or loaded.
        ConfigError: `cuda` where there is none.
    """
    weights = run.load_weights()
    used = choose_device(device)
    set_threads(min(int(run.started["threads"]), os.cpu_count() or 1))
    seed_everything(run.config.seed)
    facts = ModelFacts.of(store, run.config.data)
    network = restore_network(run.config, facts.data, weights, run.attempt.checkpoints)
    return SavedModel(
        config=run.config,
        facts=facts,
        normaliser=fit_normaliser(store, run.config.data),
        network=network.to(used),
        device=used,
        tokenizer_folder=encoder_folder(run.config.text.encoder),
        calibration=calibration_of(run.metrics),
        about={"run": run.id, "name": run.identity.name, "best_epoch": run.best().epoch},
    )


def _refuse_floor(folder: RunFolder, config: ExperimentConfig) -> None:
    if config.model.name in floor_names():
        raise ConfigError(
            f"Run {folder.id} is the floor `{config.model.name}`: it is computed in closed form "
            f"and leaves no weights. `setgf runs export {folder.id} --what predictions` has its "
            "scores."
        )
