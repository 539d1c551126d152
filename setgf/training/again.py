"""The model of a run and samples it is to score once more: its own splits, or other data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from setgf.data.batch import BatchSource, token_folder
from setgf.data.frame_facts import FRAMED
from setgf.data.store import FeatureStore, open_store
from setgf.errors import DataError
from setgf.home import Home
from setgf.terms import Modality, Split, is_sims
from setgf.training.saved_model import SavedModel
from setgf.training.trained_run import TrainedRun, load_trained, open_run_store

SAME = 1e-6
"""Metrics that differ by no more are told to be equal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Again:
    """What `setgf eval` scores, and what the run stored of it."""

    run: TrainedRun
    model: SavedModel
    source: BatchSource
    split: Split
    store: FeatureStore
    """The data that is scored."""
    stored: Mapping[str, float]
    """What the run measured at its end on this split; nothing where it has not, or of other data.
    """
    warnings: tuple[str, ...]

    @property
    def is_own(self) -> bool:
        """Whether the data is that of the run."""
        return self.store.manifest.fingerprint == self.model.facts.fingerprint


def open_again(
    home: Home,
    run: TrainedRun,
    *,
    split: Split,
    data: str | None = None,
    device: Literal["auto", "cpu", "cuda"] = "auto",
) -> Again:
    """Load a run's best weights and open the samples they are to score.

    Args:
        home: where the feature stores are.
        run: see `check_finished` for when the test split may be opened.
        split: of the data.
        data: another feature store; None takes the run's own.
        device: `auto` takes a GPU where there is one.

    Raises:
        CheckpointError: the weights are gone or damaged.
        DataError: a store is gone or was replaced, or the other data is of another kind.
        EncoderError: the text encoder can't be found or loaded.
        ConfigError: `cuda` where there is none.
    """
    other = None if data is None or data == run.config.data.name else open_store(home, data)
    own = open_run_store(home, run)
    store = other or own
    if other is not None:
        _check_scale(own, other)
    model = load_trained(run, own, device=device)
    manifest = store.manifest
    source = model.batches(
        store.split(split), vocabulary=manifest.vocabulary, cache=token_folder(store)
    )
    begins = f"{split}."
    stored = {name: value for name, value in run.metrics.items() if name.startswith(begins)}
    return Again(
        run=run,
        model=model,
        source=replace(source, facts=replace(source.facts, dataset=manifest.dataset)),
        split=split,
        store=store,
        stored=stored if manifest.fingerprint == own.manifest.fingerprint else {},
        warnings=tuple(_warnings(model, own, store, source)),
    )


def _check_scale(own: FeatureStore, other: FeatureStore) -> None:
    trained, asked = own.manifest.dataset, other.manifest.dataset
    if is_sims(trained) != is_sims(asked):
        raise DataError(
            f"`{other.name}` is {asked}, with labels from {-asked.label_limit:g} to "
            f"{asked.label_limit:g}, but the run was trained on {trained}, with labels from "
            f"{-trained.label_limit:g} to {trained.label_limit:g}. Its scores can't be measured "
            "there; choose data of the same scale."
        )


def _warnings(
    model: SavedModel, own: FeatureStore, store: FeatureStore, source: BatchSource
) -> Iterator[str]:
    """Yield what a reader of the numbers should know."""
    known, asked = own.manifest, store.manifest
    if asked.language != known.language:
        yield (
            f"`{store.name}` is in another language (`{asked.language}`) than the training data "
            f"(`{known.language}`)."
        )
    for modality in FRAMED:
        if str(modality) in model.config.data.modalities and modality not in asked.modalities:
            yield (
                f"`{store.name}` has no {modality}; the model was trained with it, and it counts "
                "as nothing (length zero) here."
            )
    if store is not own and Modality.TEXT in model.config.data.modalities:
        yield from source.token_facts.warnings(store.name, model.config.data.max_tokens)
