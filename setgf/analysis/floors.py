"""What a predictor reaches that looks at nothing: the floor under every result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from setgf.data.store import FeatureStore
from setgf.metrics import (
    class_labels,
    majority_classes,
    majority_label,
    metric_names,
    score,
    score_classes,
)
from setgf.terms import Dataset, Split, Task

_MAJORITY = "train majority"


@dataclass(frozen=True, slots=True, kw_only=True)
class FloorRow:
    """Test metrics of a predictor that always says the same."""

    name: str
    dataset: Dataset
    data_name: str
    metrics: Mapping[str, float]


def floors(store: FeatureStore, task: Task = Task.REGRESSION) -> tuple[FloorRow, ...]:
    """Return the floors of a store: the train split's median, and its majority class a metric.

    Where classes are predicted, only the majority.
    """
    dataset = store.manifest.dataset
    train = np.asarray(store.split(Split.TRAIN).labels)
    test = np.asarray(store.split(Split.TEST).labels)
    if not len(train) or not len(test):
        return ()
    if task is Task.CLASSIFICATION:
        metrics = {
            name: score_classes(np.tile(np.eye(3)[found], (len(test), 1)), class_labels(test))[name]
            for name, found in majority_classes(train).items()
        }
        return (FloorRow(name=_MAJORITY, dataset=dataset, data_name=store.name, metrics=metrics),)
    median = _score_constant(dataset, float(np.median(train)), test)
    majority = {
        name: _score_constant(dataset, majority_label(dataset, name, train), test)[name]
        for name in metric_names(dataset)
        if name not in ("mae", "corr")
    }
    return tuple(
        FloorRow(name=name, dataset=dataset, data_name=store.name, metrics=metrics)
        for name, metrics in (("train median", median), (_MAJORITY, majority))
    )


def _score_constant(
    dataset: Dataset, value: float, labels: npt.NDArray[np.float32]
) -> dict[str, float]:
    return score(dataset, np.full(len(labels), value), labels)
