"""The words of the field, as values: modalities, branches, splits, tasks and data set families."""

from __future__ import annotations

from enum import StrEnum


class Modality(StrEnum):
    """A source of evidence; always in this order."""

    TEXT = "text"
    AUDIO = "audio"
    VISION = "vision"


class Branch(StrEnum):
    """A supervised output: the fusion of all modalities, or one modality alone."""

    FUSION = "fusion"
    TEXT = "text"
    AUDIO = "audio"
    VISION = "vision"


class Split(StrEnum):
    """A part of a data set."""

    TRAIN = "train"
    VALID = "valid"
    TEST = "test"


class Task(StrEnum):
    """What a model predicts of a sample."""

    REGRESSION = "regression"
    """A score on the label scale."""
    CLASSIFICATION = "classification"
    """One of three classes: negative, neutral, positive."""


class Dataset(StrEnum):
    """The family of a data set: decides the label range and the evaluation protocol."""

    MOSI = "mosi"
    MOSEI = "mosei"
    SIMS = "sims"
    SIMSV2 = "simsv2"

    @property
    def label_limit(self) -> float:
        """Largest absolute label: 3 on MOSI and MOSEI, 1 on SIMS (`msa.md` 3.1)."""
        return 3.0 if self in (Dataset.MOSI, Dataset.MOSEI) else 1.0


MODALITIES = tuple(Modality)
BRANCHES = tuple(Branch)

_NAMES_ZERO_IS_POSITIVE = (
    "acc2_has0",
    "acc2_non0",
    "f1_has0",
    "f1_non0",
    "acc3",
    "acc5",
    "acc7",
    "mae",
    "corr",
)
_NAMES_ZERO_IS_NEGATIVE = ("acc2", "acc3", "acc5", "f1", "mae", "corr")
_NAMES_OF_CLASSES = ("acc3", "f1", "acc2_has0", "acc2_non0", "f1_has0", "f1_non0")


def is_sims(dataset: Dataset) -> bool:
    """Return whether the data set is scored by the SIMS protocol."""
    return dataset in (Dataset.SIMS, Dataset.SIMSV2)


def metric_names(dataset: Dataset, task: Task = Task.REGRESSION) -> tuple[str, ...]:
    """Return the names of the protocol's metrics, in the order they are shown.

    Classes are scored alike on all data sets; their `f1` is that of three classes.
    """
    if task is Task.CLASSIFICATION:
        return _NAMES_OF_CLASSES
    return _NAMES_ZERO_IS_NEGATIVE if is_sims(dataset) else _NAMES_ZERO_IS_POSITIVE
