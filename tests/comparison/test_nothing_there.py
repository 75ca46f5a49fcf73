"""Comparisons of arms that are alike: how often is a difference called that isn't there?"""

import numpy as np
import pytest
from numpy.typing import NDArray

from mmix.comparison.holm import adjust
from mmix.comparison.paired import compare
from mmix.comparison.sign_flip import sign_flip

COMPARISONS, ARMS, SEEDS = 2_000, 4, 10


@pytest.fixture(scope="module")
def errors() -> NDArray[np.float64]:
    """(comparisons, arms, seeds): errors on 10,000 test images, with what a seed does to all arms alike."""
    draw = np.random.default_rng(2026)
    shared = draw.normal(scale=0.001, size=(COMPARISONS, 1, SEEDS))
    own = draw.normal(scale=0.0015, size=(COMPARISONS, ARMS, SEEDS))
    return np.round(0.05 + shared + own, 4)


def test_one_test_in_twenty_is_called_where_nothing_is_there(errors: NDArray[np.float64]) -> None:
    found = [compare(each[1], each[0]).p for each in errors]
    called = sum(p is not None and p <= 0.05 for p in found)
    assert called / COMPARISONS == pytest.approx(0.05, abs=0.01)


def test_the_sign_flip_test_calls_no_more(errors: NDArray[np.float64]) -> None:
    found = [sign_flip(each[1] - each[0]) for each in errors]
    called = sum(test is not None and test.p <= 0.05 for test in found)
    assert 0.035 <= called / COMPARISONS <= 0.06


def test_any_of_three_arms_is_called_in_at_most_one_comparison_of_twenty(errors: NDArray[np.float64]) -> None:
    unadjusted = [[compare(arm, each[0]).p for arm in each[1:]] for each in errors]
    wrong = sum(any(p is not None and p <= 0.05 for p in adjust(family)) for family in unadjusted)
    would_be_wrong = sum(any(p is not None and p <= 0.05 for p in family) for family in unadjusted)
    assert 0.025 <= wrong / COMPARISONS <= 0.06
    assert would_be_wrong / COMPARISONS > 0.1
