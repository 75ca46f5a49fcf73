import numpy as np
import pytest
from scipy import stats

from mmix.comparison.sample import Sample, interval, summarise


def test_mean_spread_and_interval_are_those_computed_by_hand() -> None:
    # 2, 4, 9: mean 15/3 = 5; squares (9 + 1 + 16)/2 = 13; t of 2 degrees at 2.5 % is 4.302653 in the tables
    found = summarise([2.0, 4.0, 9.0])
    half = 4.302653 * 13**0.5 / 3**0.5
    assert (found.n, found.mean, found.std) == pytest.approx((3, 5.0, 13**0.5))
    assert found.interval == pytest.approx((5 - half, 5 + half), rel=1e-6)


@pytest.mark.parametrize("n", [2, 3, 10, 400])
def test_the_interval_is_scipys(n: int) -> None:
    values = np.random.default_rng(n).normal(size=n)
    expected = stats.ttest_1samp(values, 0.0).confidence_interval(0.95)
    assert summarise(values).interval == pytest.approx(tuple(expected), rel=1e-12)


def test_one_value_and_none_have_no_interval() -> None:
    assert summarise([]) == Sample(n=0, mean=None, std=None, interval=None)
    assert summarise([0.25]) == Sample(n=1, mean=0.25, std=None, interval=None)
    assert interval(mean=0.25, std=None, n=1) is None


def test_equal_values_do_not_tell_how_much_they_scatter() -> None:
    found = summarise([0.1 + 0.2, 0.3, 0.3])
    assert (found.n, found.std, found.interval) == (3, 0.0, None)


def test_the_order_of_values_changes_not_a_bit() -> None:
    values = np.random.default_rng(0).normal(size=101)
    assert summarise(values) == summarise(values[::-1])
