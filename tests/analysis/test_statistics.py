import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from setgf.analysis.statistics import difference, summarise

VALUES = st.lists(st.floats(-100, 100).map(lambda value: round(value, 6)), min_size=2, max_size=12)


def test_a_summary_has_mean_sample_deviation_and_t_interval():
    summary = summarise([0.44, 0.45, 0.46, 0.47, 0.48])

    assert summary.mean == pytest.approx(0.46)
    assert summary.sd == pytest.approx(0.0158113883)
    # Student's t of 4 degrees of freedom at 97.5 % is 2.776445.
    assert summary.high == pytest.approx(0.46 + 2.776445 * 0.0158113883 / math.sqrt(5))
    assert summary.low == pytest.approx(0.46 - 2.776445 * 0.0158113883 / math.sqrt(5))
    assert (summary.n, summary.undefined) == (5, 0)


def test_one_seed_has_a_mean_and_no_spread():
    summary = summarise([0.9])

    assert (summary.mean, summary.n) == (0.9, 1)
    assert summary.sd is summary.low is summary.high is None


def test_undefined_seeds_are_counted_and_left_out():
    summary = summarise([math.nan, 0.5, 0.7])

    assert summary.mean == pytest.approx(0.6)
    assert (summary.n, summary.undefined) == (2, 1)
    assert summarise([math.nan]).mean is None
    assert summarise([]).n == 0


def test_equal_seeds_have_no_spread():
    summary = summarise([0.1, 0.1, 0.1])

    assert summary.sd == 0
    assert summary.low == summary.high == summary.mean == pytest.approx(0.1)


@settings(deadline=None)
@given(VALUES)
def test_summaries_agree_with_scipy(values):
    summary = summarise(values)

    assert summary.sd == pytest.approx(np.std(values, ddof=1), abs=1e-9)
    if summary.sd:
        low, high = stats.t.interval(
            0.95,
            len(values) - 1,
            loc=sum(values) / len(values),
            scale=np.std(values, ddof=1) / math.sqrt(len(values)),
        )
        assert (summary.low, summary.high) == pytest.approx((low, high), abs=1e-7)


@settings(deadline=None)
@pytest.mark.filterwarnings("ignore:Precision loss:RuntimeWarning")
@given(VALUES, VALUES)
def test_differences_agree_with_scipys_welch_test(first, second):
    found = difference(first, second)

    if len(set(first)) == len(set(second)) == 1:
        assert found is None
        return
    assert found is not None
    expected: Any = stats.ttest_ind(first, second, equal_var=False)
    interval = expected.confidence_interval()
    assert found.p == pytest.approx(expected.pvalue, rel=1e-6, abs=1e-9)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high), abs=1e-6)


def test_a_difference_needs_two_values_a_side_and_some_spread():
    assert difference([1.0], [1.0, 2.0]) is None
    assert difference([1.0, math.nan], [1.0, 2.0]) is None
    assert difference([1.0, 1.0], [2.0, 2.0]) is None


def test_a_difference_changes_sign_with_its_sides():
    forth, back = difference([1.0, 1.2], [2.0, 2.1, 2.3]), difference([2.0, 2.1, 2.3], [1.0, 1.2])

    assert forth is not None
    assert back is not None
    assert forth.mean == pytest.approx(-back.mean)
    assert (forth.low, forth.high) == pytest.approx((-back.high, -back.low))
    assert forth.p == pytest.approx(back.p)
