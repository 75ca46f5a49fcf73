import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmix.comparison.holm import adjust

FOUND = st.lists(st.none() | st.floats(0, 1), max_size=12)


def test_four_tests_by_hand() -> None:
    # in order .005, .01, .03, .04 times 4, 3, 2, 1: .02, .03, .06, .04, and none may be below the one before it: .06
    assert adjust([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_no_adjusted_p_exceeds_one() -> None:
    assert adjust([0.6, 0.9]) == [1.0, 1.0]


def test_equal_p_get_one_answer() -> None:
    assert adjust([0.02, 0.02]) == pytest.approx([0.04, 0.04])


def test_one_test_stays_as_it_is_and_none_is_none() -> None:
    assert adjust([0.03]) == [0.03]
    assert adjust([]) == []


def test_an_arm_without_a_p_counts_in_the_family() -> None:
    # three were declared: .01 x 3, .04 x 2
    assert adjust([0.01, None, 0.04]) == pytest.approx([0.03, None, 0.08])


@settings(deadline=None)
@given(found=FOUND)
def test_no_p_becomes_smaller_and_their_order_stays(found: list[float | None]) -> None:
    known = sorted((p, q) for p, q in zip(found, adjust(found), strict=True) if p is not None and q is not None)
    assert len(known) == len(found) - found.count(None)
    assert all(p <= q for p, q in known)
    assert [q for _, q in known] == sorted(q for _, q in known)
