import math

import numpy as np
import pytest

from setgf.analysis.floors import floors
from setgf.data.store import open_store
from setgf.data.synthetic import synthesise
from setgf.home import find_home
from setgf.metrics import class_labels, metric_names, score
from setgf.terms import Dataset, Split, Task


@pytest.mark.parametrize("dataset", Dataset)
def test_floors_are_the_median_and_majority_of_train_scored_on_test(dataset):
    synthesise(find_home(), "small", dataset, num_samples=60, seed=3)
    store = open_store(find_home(), "small")

    median, majority = floors(store)

    labels = np.asarray(store.split(Split.TEST).labels)
    value = float(np.median(store.split(Split.TRAIN).labels))
    expected = score(dataset, np.full(len(labels), value), labels)
    assert median.metrics == pytest.approx(expected, nan_ok=True)
    assert (median.data_name, median.dataset) == ("small", dataset)
    assert math.isnan(median.metrics["corr"])
    assert set(majority.metrics) == set(metric_names(dataset)) - {"mae", "corr"}
    assert all(0 <= value <= 1 for value in majority.metrics.values())


def test_the_floor_of_classes_is_the_majority_of_train_scored_on_test():
    synthesise(find_home(), "small", Dataset.SIMS, num_samples=60, seed=3)
    store = open_store(find_home(), "small")

    (majority,) = floors(store, Task.CLASSIFICATION)

    most = np.bincount(class_labels(store.split(Split.TRAIN).labels)).argmax()
    share = np.mean(class_labels(store.split(Split.TEST).labels) == most)
    assert majority.metrics["acc3"] == pytest.approx(share)
    assert set(majority.metrics) == set(metric_names(Dataset.SIMS, Task.CLASSIFICATION))
