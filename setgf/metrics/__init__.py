"""The evaluation protocol of MOSI, MOSEI, SIMS and SIMSv2, exactly (`msa.md` section 2).

Contract: numpy only. Classes are decided on float32 values, as the reference does, so that a
half-way case or a bin edge falls on the same side; sums are made in float64 and nothing is rounded.
A metric that is undefined for the data (the correlation of a constant) is NaN. What can't be scored
is refused with a `MetricError` that names the samples.
"""

from setgf.metrics.classes import class_counts, class_names, classify, confusion
from setgf.metrics.classification import (
    class_labels,
    class_scores,
    cross_entropy,
    logits_of_scores,
    majority_classes,
    probabilities,
    score_classes,
)
from setgf.metrics.majority import majority_label
from setgf.metrics.names import Direction, direction, metric_names
from setgf.metrics.regression import score

__all__ = [
    "Direction",
    "class_counts",
    "class_labels",
    "class_names",
    "class_scores",
    "classify",
    "confusion",
    "cross_entropy",
    "direction",
    "logits_of_scores",
    "majority_classes",
    "majority_label",
    "metric_names",
    "probabilities",
    "score",
    "score_classes",
]
