import numpy as np
import pytest
from scipy import stats

from mmix.suites.unpaired import correlation, welch

X, Y = np.random.default_rng(0).normal(size=(2, 30))


def test_a_correlation_and_its_interval_are_scipys() -> None:
    expected = stats.pearsonr(X, X + 2 * Y)
    bounds = expected.confidence_interval(0.95)
    r, interval = correlation(list(X), list(X + 2 * Y))
    assert r == pytest.approx(expected.statistic)
    assert interval == pytest.approx((bounds.low, bounds.high))


def test_welchs_interval_is_scipys() -> None:
    bounds = stats.ttest_ind(X[:12], 1 + 3 * Y, equal_var=False).confidence_interval(0.95)
    assert welch(X[:12], 1 + 3 * Y) == pytest.approx((bounds.low, bounds.high))


def test_what_does_not_vary_has_an_interval_of_no_width() -> None:
    r, interval = correlation(list(X), list(2 * X))
    assert (r, *interval) == pytest.approx((1.0, 1.0, 1.0))
    assert welch(np.ones(3), np.zeros(4)) == (1.0, 1.0)
