import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from mmix.comparison.paired import Paired, compare

ERRORS = st.integers(0, 10_000).map(lambda wrong: wrong / 10_000)
PAIRS = st.lists(st.tuples(ERRORS, ERRORS), min_size=2, max_size=12)


@pytest.mark.parametrize("n", [2, 3, 5, 10, 100])
def test_the_paired_t_is_scipys(n: int) -> None:
    draw = np.random.default_rng(n)
    arm, baseline = draw.normal(size=n), draw.normal(size=n)
    expected, found = stats.ttest_rel(arm, baseline), compare(arm, baseline)
    assert (found.t, found.p) == pytest.approx((expected.statistic, expected.pvalue), rel=1e-12)
    assert found.interval == pytest.approx(tuple(expected.confidence_interval(0.95)), rel=1e-12)


def test_a_case_by_hand() -> None:
    # differences 1, 2, 3, 6: mean 12/4 = 3; squares (4 + 1 + 0 + 9)/3 = 14/3; t = 3/sqrt(14/3/4) = 3/sqrt(7/6)
    found = compare(np.array([2.0, 4.0, 6.0, 10.0]), np.array([1.0, 2.0, 3.0, 4.0]))
    assert (found.n, found.mean, found.std) == pytest.approx((4, 3.0, (14 / 3) ** 0.5))
    assert found.t == pytest.approx(3 / (7 / 6) ** 0.5)
    # arm: mean 5.5, squares (12.25 + 2.25 + .25 + 20.25)/3 = 35/3; baseline: mean 2.5, squares 5/3
    assert found.std_unpaired == pytest.approx((35 / 3 + 5 / 3) ** 0.5)
    # products (-3.5)(-1.5) + (-1.5)(-.5) + (.5)(.5) + (4.5)(1.5) = 5.25 + .75 + .25 + 6.75 = 13; 13/sqrt(35 x 5)
    assert found.correlation == pytest.approx(13 / 175**0.5)
    assert found.gain == pytest.approx((14 / 3) ** 0.5 / (40 / 3) ** 0.5)


def test_no_pairs_and_one_pair_tell_no_spread() -> None:
    assert compare(np.array([]), np.array([])) == Paired(n=0)
    assert compare(np.array([0.5]), np.array([0.25])) == Paired(n=1, mean=0.25)


def test_equal_differences_have_no_t_even_where_they_are_rounded() -> None:
    # in floating point 0.03 - 0.02 and 0.04 - 0.03 differ in the last bits, and t would be 10^15
    found = compare(np.array([0.03, 0.04, 0.07]), np.array([0.02, 0.03, 0.06]))
    assert found.mean == pytest.approx(0.01)
    assert (found.std, found.t, found.p, found.interval) == (0.0, None, None, None)


def test_two_pairs_and_constant_arms_have_no_correlation() -> None:
    assert compare(np.array([1.0, 3.0]), np.array([2.0, 1.0])).correlation is None
    assert compare(np.array([1.0, 1.0, 1.0]), np.array([2.0, 1.0, 4.0])).correlation is None


def test_pairing_gains_where_arms_rise_and_fall_together_and_loses_where_they_do_not() -> None:
    baseline = np.array([1.0, 2.0, 3.0, 4.0])
    noise = np.array([0.1, 0.0, 0.1, 0.0])
    together, against = compare(noise + baseline, baseline), compare(noise - baseline, baseline)
    assert together.gain is not None
    assert against.gain is not None
    assert together.gain < 0.1 < 1 < against.gain


@settings(deadline=None)
@given(pairs=PAIRS, shift=st.integers(-10, 10))
def test_a_shift_of_both_arms_changes_nothing(pairs: list[tuple[float, float]], shift: int) -> None:
    arm, baseline = np.array(pairs).T
    found, shifted = compare(arm, baseline), compare(arm + shift, baseline + shift)
    assert (found.p is None) == (shifted.p is None)
    assert (found.mean, found.std, found.p or 0) == pytest.approx((shifted.mean, shifted.std, shifted.p or 0), abs=1e-6)


@settings(deadline=None)
@given(pairs=PAIRS)
def test_exchanged_arms_turn_the_sign_and_nothing_else(pairs: list[tuple[float, float]]) -> None:
    arm, baseline = np.array(pairs).T
    found, turned = compare(arm, baseline), compare(baseline, arm)
    assert (turned.mean, turned.std, turned.p, turned.gain) == (-(found.mean or 0), found.std, found.p, found.gain)
