import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from mmix.comparison.sign_flip import DRAWS, SignFlip, sign_flip

WHOLE = st.lists(st.integers(-50, 50), min_size=1, max_size=18)


def test_three_pairs_by_hand() -> None:
    # 1 + 2 - 4 = -1. The eight sums are +-7, +-5, +-3, +-1: all are at least 1 away from 0
    assert sign_flip(np.array([1.0, 2.0, -4.0])) == SignFlip(p=1.0, attainable=0.25, flips=8, exact=True)
    # 1 + 2 + 4 = 7: +7 and -7 are, so 2 of 8
    assert sign_flip(np.array([1.0, 2.0, 4.0])) == SignFlip(p=0.25, attainable=0.25, flips=8, exact=True)


def test_four_pairs_by_hand() -> None:
    # -1 + 2 + 4 + 8 = 13: of +-15, +-13, +-11, ... four are as far, so 4 of 16
    assert sign_flip(np.array([-1.0, 2.0, 4.0, 8.0])) == SignFlip(p=0.25, attainable=0.125, flips=16, exact=True)


def test_five_pairs_can_not_go_below_a_sixteenth() -> None:
    # 2 of 32
    found = sign_flip(np.array([0.3, 0.1, 0.2, 0.5, 0.4]))
    assert found == SignFlip(p=0.0625, attainable=0.0625, flips=32, exact=True)


def test_sums_that_are_equal_but_for_rounding_count() -> None:
    # 3 + 3 - 3 - 3 - 3 = -3 in tenths: of 32 sums 15, 9, 3, -3, ... none is nearer to 0
    assert sign_flip(np.array([0.3, 0.1 + 0.2, -0.3, -0.3, -0.3])) == SignFlip(1.0, 0.0625, 32, exact=True)


def test_a_difference_of_zero_has_no_sign_to_flip() -> None:
    # of 3, 5, 6 all signs one way or the other: 2 of 8, as if the zero weren't there
    assert sign_flip(np.array([3.0, 0.0, 5.0, 6.0])) == SignFlip(p=0.25, attainable=0.25, flips=16, exact=True)
    assert sign_flip(np.zeros(4)) == SignFlip(p=1.0, attainable=1.0, flips=16, exact=True)


def test_one_pair_says_nothing_and_none_has_no_test() -> None:
    assert sign_flip(np.array([0.7])) == SignFlip(p=1.0, attainable=1.0, flips=2, exact=True)
    assert sign_flip(np.array([])) is None


@pytest.mark.parametrize("n", [4, 9])
def test_the_exact_test_is_scipys(n: int) -> None:
    difference = np.random.default_rng(n).normal(0.5, size=n)
    expected = stats.permutation_test(
        (difference, np.zeros(n)), lambda x, y, axis: np.mean(x - y, axis=axis), permutation_type="samples",
        vectorized=True, n_resamples=2**n,
    )  # fmt: skip
    found = sign_flip(difference)
    assert found is not None
    assert found.p == pytest.approx(expected.pvalue, rel=1e-12)


def test_many_pairs_are_drawn_and_agree_with_the_t_test_where_that_is_right() -> None:
    difference = np.random.default_rng(0).normal(0.12, 1, size=100)
    found, expected = sign_flip(difference), stats.ttest_1samp(difference, 0.0).pvalue
    assert found is not None
    assert (found.flips, found.exact, found.attainable) == (DRAWS, False, 1e-4)
    # both are near .05; 9,999 draws of a share of .05 scatter by .0022
    assert 0.01 < expected < 0.1
    assert found.p == pytest.approx(expected, abs=0.01)


def test_no_draw_gives_a_p_of_zero() -> None:
    found = sign_flip(np.full(40, 1.0) + np.arange(40) / 100)
    assert found is not None
    assert found.p == found.attainable == 1e-4


@settings(deadline=None)
@given(whole=WHOLE)
def test_exchanged_arms_have_the_same_p_and_none_is_below_the_attainable(whole: list[int]) -> None:
    difference = np.array(whole) / 100
    found = sign_flip(difference)
    assert found == sign_flip(-difference)
    assert found is not None
    assert found.attainable <= found.p <= 1
