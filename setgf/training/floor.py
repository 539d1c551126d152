"""Floors as runs: constants and ridge regression, computed in closed form from the train split.

They are fitted at once: one step, one epoch, no gradient, no text encoder, no GPU. What they leave
is what every run leaves: a point of validation metrics, predictions and metrics of valid and test.

Shapes: N samples of a split.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from setgf.config import ExperimentConfig
from setgf.data.normalise import selected_columns
from setgf.data.ridge import fit_ridge, fit_ridge_together
from setgf.data.split_data import SplitData
from setgf.data.store import FeatureStore
from setgf.metrics import class_labels, majority_label, metric_names
from setgf.terms import MODALITIES, Branch, Modality, Split, Task
from setgf.training.evaluate import Evaluation
from setgf.training.fit import FitResult, OnProgress, Progress
from setgf.training.recorder import Recorder
from setgf.training.session import hash_weights
from setgf.training.setup import check_monitor

Scores = Mapping[Branch, NDArray[np.floating]]


@dataclass(frozen=True, slots=True, eq=False)
class Floor:
    """A model without gradients that has been fitted."""

    numbers: Mapping[str, NDArray[np.float64]]
    """Everything that was fitted, by name."""
    scores: Callable[[SplitData], Scores]
    """Scores (N,) of a split, by branch; where classes are predicted, logits (N, 3)."""


def fit_floor(
    config: ExperimentConfig,
    store: FeatureStore,
    recorder: Recorder,
    *,
    on_progress: OnProgress | None = None,
) -> FitResult:
    """Fit a floor on train, and score it on valid and, once, on test.

    Args:
        config: names a floor; of its other settings only those of the data count.
        store: its data; the test split is opened only when everything is fixed.
        recorder: takes points, events and predictions; there is no checkpoint.
        on_progress: called at the end of the only epoch.

    Raises:
        ConfigError: a setting does not fit the data.
    """
    started = time.monotonic()
    check_monitor(config, store.manifest.dataset)
    train, valid = store.split(Split.TRAIN), store.split(Split.VALID)
    floor = _FLOORS[config.model.name](config, store, train, valid)
    _tell_start(recorder, store, floor, sizes=(train.size, valid.size))
    judged = _evaluate(store, floor, valid)
    monitored = judged.named_metrics(Split.VALID)[f"valid.{config.train.monitor}"]
    _log_epoch(recorder, judged, monitored, seconds=time.monotonic() - started)
    if on_progress is not None:
        on_progress(_progress(judged.loss, monitored))
    metrics: dict[str, float] = {}
    for split, found in (
        (Split.VALID, judged),
        (Split.TEST, _evaluate(store, floor, store.split(Split.TEST))),
    ):
        recorder.save_predictions(split, found.predictions())
        metrics.update(found.named_metrics(split))
    result = FitResult(
        best_epoch=1,
        best_valid=monitored,
        epochs=1,
        steps=1,
        metrics=metrics,
        weights_sha256=hash_weights({k: torch.from_numpy(v) for k, v in floor.numbers.items()}),
    )
    recorder.event("finished", **asdict(result))
    return result


def fit_majority(
    config: ExperimentConfig, store: FeatureStore, train: SplitData, _valid: SplitData
) -> Floor:
    """Return the floor that gives every sample a label of train's largest class.

    Classes are the finest the data set is scored by, seven or five; where three are predicted, the
    logits of every sample are the logarithms of their shares in train, one sample added to each.
    One constant can't be the majority of every metric: `setgf compare` has a row that takes another
    for each.
    """
    if config.train.task == Task.CLASSIFICATION:
        sizes = np.bincount(class_labels(train.labels), minlength=3) + 1.0
        logits = np.log(sizes / sizes.sum())
        return Floor(
            {"logits": logits}, lambda data: {Branch.FUSION: np.tile(logits, (data.size, 1))}
        )
    finest = [name for name in metric_names(store.manifest.dataset) if name.startswith("acc")][-1]
    labels = np.asarray(train.labels)
    return _constant(majority_label(store.manifest.dataset, finest, labels))


def fit_median(
    _config: ExperimentConfig, _store: FeatureStore, train: SplitData, _valid: SplitData
) -> Floor:
    """Return the floor that gives every sample the median label of train."""
    return _constant(float(np.median(train.labels)))


def fit_ridges(
    config: ExperimentConfig, store: FeatureStore, train: SplitData, valid: SplitData
) -> Floor:
    """Return ridge regression on each modality that is seen, and on all of them together."""
    ridges = {
        Branch(modality): fit_ridge(train, valid, modality, _columns(config, store, modality))
        for modality in MODALITIES
        if modality in config.data.modalities
    }
    found = tuple(ridges.values())
    if len(found) == 1:
        ridges = {Branch.FUSION: found[0]}
    else:
        ridges = {Branch.FUSION: fit_ridge_together(train, valid, found), **ridges}
    numbers = {str(branch): np.append(own.weights, own.mean) for branch, own in ridges.items()}
    return Floor(
        numbers, lambda data: {branch: own.predict(data) for branch, own in ridges.items()}
    )


_FLOORS: Mapping[str, Callable[[ExperimentConfig, FeatureStore, SplitData, SplitData], Floor]] = {
    "majority": fit_majority,
    "median": fit_median,
    "ridge": fit_ridges,
}
"""By the names of `setgf.model.registry.floor_names`."""


def _constant(value: float) -> Floor:
    return Floor(
        {"value": np.array([value])}, lambda data: {Branch.FUSION: np.full(data.size, value)}
    )


def _columns(
    config: ExperimentConfig, store: FeatureStore, modality: Modality
) -> NDArray[np.int64] | None:
    if modality is Modality.TEXT:
        return None
    return selected_columns(store.manifest, config.data, modality)


def _evaluate(store: FeatureStore, floor: Floor, data: SplitData) -> Evaluation:
    outputs = {branch: found.astype(np.float32) for branch, found in floor.scores(data).items()}
    return Evaluation.of(store.manifest.dataset, data.ids, np.asarray(data.labels), outputs)


def _tell_start(
    recorder: Recorder, store: FeatureStore, floor: Floor, *, sizes: tuple[int, int]
) -> None:
    recorder.event(
        "started",
        resume_step=0,
        resume_epoch=1,
        parameters=sum(values.size for values in floor.numbers.values()),
        device="cpu",
        total_steps=1,
        data_fingerprint=store.manifest.fingerprint,
        train_size=sizes[0],
        valid_size=sizes[1],
    )


def _log_epoch(recorder: Recorder, judged: Evaluation, monitored: float, *, seconds: float) -> None:
    values = judged.named_metrics(Split.VALID)
    recorder.begin_epoch(1)
    recorder.log(1, {**values, "train.seconds": seconds})
    recorder.event(
        "epoch",
        epoch=1,
        step=1,
        max_epochs=1,
        valid=monitored,
        best=True,
        best_epoch=1,
    )


def _progress(loss: float, monitored: float) -> Progress:
    return Progress(
        epoch=1,
        max_epochs=1,
        step=1,
        batch=1,
        num_batches=1,
        loss=loss,
        valid=monitored,
        best_valid=monitored,
        best_epoch=1,
        is_epoch_end=True,
    )
