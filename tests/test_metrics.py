"""The evaluation protocol against the reference's values, sklearn, and plain versions of itself."""

import json
import math
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import accuracy_score, f1_score, mean_absolute_error

from setgf.config import MONITORED
from setgf.errors import MetricError
from setgf.metrics import (
    class_counts,
    class_labels,
    class_names,
    class_scores,
    classify,
    confusion,
    cross_entropy,
    direction,
    logits_of_scores,
    majority_classes,
    metric_names,
    score,
    score_classes,
)
from setgf.terms import Dataset

GOLDEN = Path(os.environ.get("SETGF_GOLDEN") or Path(__file__).parent / "golden")
CASES = json.loads((GOLDEN / "metrics.json").read_text(encoding="utf-8"))
MOSI_LIKE = (Dataset.MOSI, Dataset.MOSEI)
SIMS_LIKE = (Dataset.SIMS, Dataset.SIMSV2)

# Truths of the MOSI test split that end in .5 (`msa.md` 2.4), and the 7 classes they are in.
HALVES = [-2.5, -1.5, -0.5, 0.5, 1.5, 2.5]
HALF_EVEN_CLASSES = [-2, -2, 0, 0, 2, 2]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['dataset']}-{len(case['label'])}")
def test_every_metric_equals_the_reference_to_four_decimals(case):
    scores = score(Dataset(case["dataset"]), case["prediction"], case["label"])

    assert {name: round(scores[name], 4) for name in case["expected"]} == case["expected"]


@pytest.mark.parametrize("dataset", Dataset)
def test_metrics_come_by_the_protocols_names_in_order(dataset):
    assert tuple(score(dataset, [0.5, -1.0], [1.0, -0.2])) == metric_names(dataset)


def test_metric_names_are_those_of_the_protocol():
    assert metric_names(Dataset.MOSI) == metric_names(Dataset.MOSEI)
    assert " ".join(metric_names(Dataset.MOSI)) == (
        "acc2_has0 acc2_non0 f1_has0 f1_non0 acc3 acc5 acc7 mae corr"
    )
    assert " ".join(metric_names(Dataset.SIMSV2)) == "acc2 acc3 acc5 f1 mae corr"


def test_directions_agree_with_what_can_be_monitored():
    assert {name: direction(name) for name in MONITORED} == MONITORED
    assert direction("valid.text.mae") == "min"
    assert direction("test.acc7") == "max"


@pytest.mark.parametrize("dataset", MOSI_LIKE)
def test_halves_go_to_the_even_class(dataset):
    assert (classify(dataset, 7, HALVES) - 3).tolist() == HALF_EVEN_CLASSES
    assert (classify(dataset, 5, [-2.5, -1.5, 1.5, 2.5]) - 2).tolist() == [-2, -2, 2, 2]
    assert (classify(dataset, 3, [-0.5, 0.5]) - 1).tolist() == [0, 0]

    # Half-away-from-zero would make all of these right.
    assert score(dataset, [-3, -2, -1, 1, 2, 3], HALVES)["acc7"] == pytest.approx(2 / 6)


def test_a_half_is_decided_by_the_float32_value():
    nearly = 0.5 + 1e-9

    assert np.round(nearly) == 1
    assert classify(Dataset.MOSI, 7, [nearly]).tolist() == [3]
    assert score(Dataset.MOSI, [nearly, 1.0], [0.0, 1.0])["acc7"] == 1


@pytest.mark.parametrize("dataset", SIMS_LIKE)
def test_sims_edges_belong_to_the_class_below_as_float64_and_as_float32(dataset):
    edges = [-0.7, -0.1, 0.0, 0.1, 0.7]

    single = np.asarray(edges, dtype=np.float32)
    for values in (edges, single, single.astype(float)):
        assert classify(dataset, 2, values).tolist() == [0, 0, 0, 1, 1]
        assert classify(dataset, 3, values).tolist() == [0, 0, 1, 1, 2]
        assert classify(dataset, 5, values).tolist() == [0, 1, 2, 2, 3]


def test_the_next_float32_above_an_edge_is_in_the_class_above():
    above = np.nextafter(np.asarray([-0.7, -0.1, 0.1, 0.7], dtype=np.float32), np.float32(2))

    assert classify(Dataset.SIMS, 5, above).tolist() == [1, 2, 3, 4]


def test_zero_is_positive_on_mosi_and_negative_on_sims():
    assert classify(Dataset.MOSI, 2, [0.0, -0.0]).tolist() == [1, 1]
    assert classify(Dataset.SIMS, 2, [0.0, -0.0]).tolist() == [0, 0]
    assert class_names(Dataset.MOSI, 2) == ("negative", "non-negative")
    assert class_names(Dataset.SIMS, 2) == ("non-positive", "positive")


def test_a_zero_prediction_counts_positive_with_zeros_and_negative_without():
    scores = score(Dataset.MOSI, [0.0, 0.0, 0.0], [-1.0, 0.0, 1.0])

    assert scores["acc2_has0"] == pytest.approx(2 / 3)
    assert scores["acc2_non0"] == pytest.approx(1 / 2)
    assert score(Dataset.SIMS, [0.0, 0.0, 0.0], [-1.0, 0.0, 1.0])["acc2"] == pytest.approx(2 / 3)


def test_sims_clips_before_everything_and_mosi_only_for_classes():
    assert score(Dataset.SIMS, [3.0, -3.0], [1.0, -1.0])["mae"] == 0
    assert score(Dataset.MOSI, [5.0, -5.0], [3.0, -3.0])["mae"] == 2
    assert score(Dataset.MOSI, [5.0, -5.0], [3.0, -3.0])["acc7"] == 1


@pytest.mark.parametrize("constant", [0.0, 0.1, -2.0, 1e-3])
@pytest.mark.parametrize("dataset", Dataset)
def test_the_correlation_of_a_constant_is_undefined(dataset, constant):
    labels = np.linspace(-1, 1, 7)

    for pair in ((np.full(7, constant), labels), (labels, np.full(7, constant))):
        scores = score(dataset, *pair)
        assert math.isnan(scores["corr"])
        assert math.isfinite(scores["mae"])


def test_tiny_and_huge_scores_have_a_correlation():
    for scale in (1e-30, 3e38):
        scores = score(Dataset.MOSI, np.asarray([-1.0, 0.5, 1.0]) * scale, [-1.0, 0.5, 1.0])
        assert scores["corr"] == pytest.approx(1)


def test_predictions_clipped_to_one_value_have_no_correlation_on_sims():
    assert math.isnan(score(Dataset.SIMS, [1.5, 2.5, 3.5], [0.0, 0.5, 1.0])["corr"])
    assert not math.isnan(score(Dataset.MOSI, [1.5, 2.5, 3.5], [0.0, 0.5, 1.0])["corr"])


def test_without_a_non_zero_label_the_non0_metrics_are_undefined():
    scores = score(Dataset.MOSI, [0.5, -0.5], [0.0, -0.0])

    assert [name for name, value in scores.items() if math.isnan(value)] == [
        "acc2_non0",
        "f1_non0",
        "corr",
    ]
    assert scores["acc2_has0"] == 0.5


def test_one_sample_can_be_scored():
    scores = score(Dataset.MOSI, [1.2], [1.0])

    assert scores["acc7"] == scores["acc2_non0"] == scores["f1_has0"] == 1
    assert scores["mae"] == pytest.approx(0.2)
    assert math.isnan(scores["corr"])


def test_nothing_is_rounded():
    assert score(Dataset.MOSI, [1.0, -1.0, 1.0], [1.0, -1.0, -1.0])["acc7"] == 2 / 3


def test_columns_of_shape_n_by_1_are_read_as_n_samples():
    column = np.asarray([[0.5], [-1.0], [2.0]], dtype=np.float32)

    assert score(Dataset.MOSI, column, column[:, 0])["acc7"] == 1


@pytest.mark.parametrize("dataset", Dataset)
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1e39])
def test_a_value_that_is_not_finite_is_refused_by_sample(dataset, value):
    with pytest.raises(MetricError, match=r"Predictions must be finite .* 1 of 2 is not: row 2 \("):
        score(dataset, [0.0, value], [0.0, 1.0])
    with pytest.raises(MetricError, match=r"Labels must be finite .* is not: video\$_\$7 \("):
        score(dataset, [0.0, 1.0], [value, 1.0], sample_ids=["video$_$7", "b"])


def test_many_values_that_are_not_finite_are_counted():
    with pytest.raises(MetricError, match=r"8 of 8 are not: row 1 .* row 5 \(nan\) and 3 more"):
        score(Dataset.MOSI, [math.nan] * 8, [0.0] * 8)


def test_no_samples_and_unequal_numbers_are_refused():
    with pytest.raises(MetricError, match="nothing to score"):
        score(Dataset.MOSI, [], [])
    with pytest.raises(MetricError, match="one label a prediction, but 2 and 1 came"):
        score(Dataset.SIMS, [0.0, 1.0], [0.0])


def test_a_class_nobody_has_gives_f1_zero_with_weight_zero():
    scores = score(Dataset.MOSI, [1.0, 1.0, -1.0, -1.0], [1.0, 1.0, 1.0, 1.0])

    assert scores["f1_has0"] == pytest.approx(2 / 3)
    assert score(Dataset.MOSI, [1.0, 1.0], [1.0, -1.0])["f1_has0"] == pytest.approx(1 / 3)


@pytest.mark.parametrize("dataset", Dataset)
def test_the_confusion_holds_truth_in_rows_and_sums_to_the_samples(dataset):
    predictions, labels = [-1.0, -1.0, 0.0, 1.0], [1.0, -1.0, 0.0, 1.0]

    for classes in class_counts(dataset):
        counts = confusion(dataset, classes, predictions, labels)
        truth, predicted = classify(dataset, classes, [1.0, -1.0])
        assert counts.shape == (classes, classes)
        assert len(class_names(dataset, classes)) == classes
        assert counts.sum() == 4
        assert counts[truth, predicted] == 1
        assert counts[predicted, truth] == 0


def test_an_unknown_number_of_classes_is_refused():
    with pytest.raises(MetricError, match="sims has no 7-class metric; it has 2, 3, 5 classes"):
        confusion(Dataset.SIMS, 7, [0.0], [0.0])
    with pytest.raises(MetricError, match="mosi has no 4-class metric"):
        class_names(Dataset.MOSI, 4)


def test_floors_of_the_mosi_test_split_are_those_on_record():
    # Class counts of `msa.md` 2.4; a majority predictor says "negative" and, of 7, class -2.
    labels = np.repeat([-3.0, -2, -1, 0, 1, 2, 3], [46, 155, 145, 106, 113, 100, 20])

    assert score(Dataset.MOSI, np.full(685, -2.0), labels)["acc7"] == pytest.approx(0.226, abs=5e-4)
    assert score(Dataset.MOSI, np.full(685, -2.0), labels)["acc5"] == pytest.approx(0.293, abs=5e-4)


PERFECT = np.eye(3)[[0, 0, 1, 2, 2]]
PERFECT_LABELS = [0, 0, 1, 2, 2]


def test_a_perfect_classifier_is_perfect_unless_the_reference_bug_is_asked_for():
    fixed = score_classes(PERFECT, PERFECT_LABELS)
    reference = score_classes(PERFECT, PERFECT_LABELS, reference_bug=True)

    assert set(fixed.values()) == {1.0}
    assert reference["acc2_non0"] == 0.5
    assert reference["f1_non0"] == 0.5
    assert {k: v for k, v in reference.items() if "non0" not in k} == {
        k: v for k, v in fixed.items() if "non0" not in k
    }


def test_a_classifiers_neutral_truth_counts_as_negative():
    assert score_classes([[0.2, 0.5, 0.3]], [1]) == pytest.approx(
        {
            "acc2_has0": 0,
            "acc2_non0": math.nan,
            "f1_has0": 0,
            "f1_non0": math.nan,
            "acc3": 1,
            "f1": 1,
        },
        nan_ok=True,
    )


def test_logits_of_another_form_are_refused():
    with pytest.raises(MetricError, match=r"one row of 3 a label, but have shape \(2, 2\)"):
        score_classes(np.zeros((2, 2)), [0, 1])
    with pytest.raises(MetricError, match="labels 0, 1 or 2"):
        score_classes(np.zeros((1, 3)), [3])


@st.composite
def scored(draw):
    """A data set, predictions and labels as the field has them, edges and halves included."""
    dataset = draw(st.sampled_from(list(Dataset)))
    size = draw(st.integers(2, 40))
    edges = [0.0, -0.0, 0.1, -0.1, 0.5, -0.5, 0.7, -0.7, 1.0, 1.5, -1.5, 2.5, -2.5, 3.0]
    element = st.one_of(
        st.sampled_from([float(np.float32(edge)) for edge in edges]),
        st.floats(-4, 4, width=32, allow_subnormal=False),
    )
    return (
        dataset,
        draw(arrays(np.float32, size, elements=element)),
        draw(arrays(np.float32, size, elements=element)),
    )


@settings(deadline=None)
@given(scored())
def test_metrics_stay_within_their_bounds(case):
    for name, value in score(*case).items():
        low, high = {"mae": (0, 8), "corr": (-1, 1)}.get(name, (0, 1))
        assert math.isnan(value) or low <= value <= high


@settings(deadline=None)
@given(scored(), st.randoms(use_true_random=False))
def test_the_order_of_samples_does_not_matter(case, random):
    dataset, predictions, labels = case
    order = list(range(len(labels)))
    random.shuffle(order)

    assert score(dataset, predictions[order], labels[order]) == pytest.approx(
        score(*case), nan_ok=True, rel=1e-9, abs=1e-9
    )


@settings(deadline=None)
@given(scored())
def test_labels_predict_themselves_perfectly(case):
    dataset, _, labels = case

    scores = score(dataset, labels, labels)

    assert scores.pop("mae") == 0
    assert all(math.isnan(value) or value == pytest.approx(1) for value in scores.values())


@settings(deadline=None)
@given(scored())
def test_metrics_agree_with_a_plain_version(case):
    assert score(*case) == pytest.approx(plain_score(*case), nan_ok=True, rel=1e-6, abs=1e-6)


@settings(deadline=None)
@given(scored())
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.UndefinedMetricWarning")
def test_metrics_agree_with_sklearn(case):
    dataset, p, y = case
    scores = score(*case)
    if dataset in SIMS_LIKE:
        p, y = np.clip(p, -1, 1), np.clip(y, -1, 1)
        truth, predicted, suffix = y > 0, p > 0, ""
    else:
        truth, predicted, suffix = y >= 0, p >= 0, "_has0"

    assert scores["mae"] == pytest.approx(mean_absolute_error(y, p), rel=1e-6)
    assert scores[f"acc2{suffix}"] == pytest.approx(accuracy_score(truth, predicted))
    assert scores[f"f1{suffix}"] == pytest.approx(f1_score(truth, predicted, average="weighted"))
    if dataset in MOSI_LIKE and (y != 0).any():
        truth, predicted = y[y != 0] > 0, p[y != 0] > 0
        assert scores["f1_non0"] == pytest.approx(f1_score(truth, predicted, average="weighted"))


@settings(deadline=None)
@given(scored())
def test_the_confusions_diagonal_is_the_accuracy(case):
    dataset, predictions, labels = case

    for classes in class_counts(dataset):
        name = f"acc{classes}" + ("_has0" if classes == 2 and dataset in MOSI_LIKE else "")
        share = np.trace(confusion(dataset, classes, predictions, labels)) / len(labels)
        assert score(*case)[name] == pytest.approx(share)


def plain_score(dataset, predictions, labels):
    """The protocol written sample by sample, from the definitions in `msa.md` 2.1 and 2.2."""
    pairs = [(float(p), float(y)) for p, y in zip(predictions, labels, strict=True)]
    if dataset in MOSI_LIKE:
        has0 = [(p >= 0, y >= 0) for p, y in pairs]
        non0 = [(p > 0, y > 0) for p, y in pairs if y != 0]
        scores = {
            "acc2_has0": plain_accuracy(has0),
            "acc2_non0": plain_accuracy(non0),
            "f1_has0": plain_f1(has0),
            "f1_non0": plain_f1(non0),
        }
        for classes, limit in ((3, 1), (5, 2), (7, 3)):
            # Python's round takes halves to the even neighbour too.
            rounded = [[round(max(-limit, min(limit, v))) for v in pair] for pair in pairs]
            scores[f"acc{classes}"] = plain_accuracy(rounded)
    else:
        pairs = [(max(-1.0, min(1.0, p)), max(-1.0, min(1.0, y))) for p, y in pairs]
        scores = {}
        for classes, edges in ((2, [0]), (3, [-0.1, 0.1]), (5, [-0.7, -0.1, 0.1, 0.7])):
            edges = [float(np.float32(edge)) for edge in edges]
            binned = [[sum(v > edge for edge in edges) for v in pair] for pair in pairs]
            scores[f"acc{classes}"] = plain_accuracy(binned)
        scores["f1"] = plain_f1([(p > 0, y > 0) for p, y in pairs])
    scores["mae"] = sum(abs(p - y) for p, y in pairs) / len(pairs)
    scores["corr"] = plain_correlation(pairs)
    return scores


def plain_accuracy(pairs):
    return sum(p == y for p, y in pairs) / len(pairs) if pairs else math.nan


def plain_f1(pairs):
    if not pairs:
        return math.nan
    total = 0.0
    for label in {y for _, y in pairs}:
        hits = sum(p == y == label for p, y in pairs)
        size, named = sum(y == label for _, y in pairs), sum(p == label for p, _ in pairs)
        precision, recall = hits / named if named else 0.0, hits / size
        f1 = 2 * precision * recall / (precision + recall) if hits else 0.0
        total += f1 * size / len(pairs)
    return total


def plain_correlation(pairs):
    p, y = ([pair[side] for pair in pairs] for side in (0, 1))
    if len(set(p)) == 1 or len(set(y)) == 1:
        return math.nan
    from statistics import correlation

    return correlation(p, y)


def test_a_score_of_classes_says_the_class_in_the_bins_of_every_data_set():
    logits = np.random.default_rng(1).normal(scale=3, size=(300, 3))
    scores = class_scores(logits)

    for dataset in Dataset:
        assert (classify(dataset, 3, scores) == logits.argmax(axis=1)).all()
    assert ((scores > 0) == (logits[:, 2] > logits[:, 0])).all()


def test_classes_are_the_signs_of_labels_and_may_be_scored_as_such():
    labels = [-3.0, -0.2, 0.0, 0.2, 1.0]

    assert class_labels(labels).tolist() == [0, 0, 1, 2, 2]
    assert score_classes(logits_of_scores(np.sign(labels)), class_labels(labels))["acc3"] == 1.0


def test_the_majority_of_classes_is_another_for_each_metric():
    found = majority_classes([-1.0, -1.0, 0.0, 0.0, 0.5, 0.5, 0.5])

    assert (found["acc3"], found["acc2_has0"], found["acc2_non0"]) == (2, 0, 2)


def test_the_cross_entropy_of_equal_logits_is_that_of_a_guess():
    assert cross_entropy([[5.0, 5.0, 5.0]], [1]) == pytest.approx(math.log(3))
