"""The answer that is right most often, for a metric that counts classes. N samples."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from setgf.metrics.classes import classify
from setgf.terms import Dataset

_CLASSES = {"acc3": 3, "acc5": 5, "acc7": 7}
"""Every other accuracy and F1 has two classes."""


def majority_label(dataset: Dataset, name: str, labels: npt.NDArray[np.float32]) -> float:
    """Return the median label (N,) of the class most samples have, for the metric `name`."""
    counted = labels[labels != 0] if name.endswith("non0") else labels
    if not len(counted):
        return 0.0
    classes = classify(dataset, _CLASSES.get(name, 2), counted)
    majority = np.bincount(classes).argmax()
    return float(np.median(counted[classes == majority]))
