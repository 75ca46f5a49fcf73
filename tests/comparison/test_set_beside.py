import numpy as np
import pytest
from scipy import stats

from mmix.comparison.published import Figure, set_beside
from mmix.comparison.sample import Sample, summarise

OURS = Sample(n=5, mean=0.0310, std=0.0008, interval=None)


def test_with_both_spreads_and_counts_it_is_welchs_test() -> None:
    expected = stats.ttest_ind_from_stats(0.0310, 0.0008, 5, 0.0295, 0.00046, 10, equal_var=False)
    found = set_beside(OURS, Figure(0.0295, spread=0.00046, n=10))
    assert found is not None
    assert (found.z, found.p) == pytest.approx((expected.statistic, expected.pvalue), rel=1e-9)
    assert found.rests_on == "both spreads"


def test_a_case_by_hand() -> None:
    # 3^2/9 + 4^2/16 = 2, so 2 / sqrt 2; Welch: 2^2 / (1/8 + 1/15) = 480/23 = 20.87 degrees, t at 2.5 % is 2.0804
    found = set_beside(Sample(n=9, mean=12.0, std=3.0, interval=None), Figure(10.0, spread=4.0, n=16))
    assert found is not None
    assert (found.difference, found.standard_error, found.z) == pytest.approx((2.0, 2**0.5, 2**0.5))
    assert found.degrees == pytest.approx(480 / 23)
    assert found.interval == pytest.approx((2 - 2.0804 * 2**0.5, 2 + 2.0804 * 2**0.5), abs=1e-3)


def test_a_published_figure_without_its_n_is_taken_as_one_run() -> None:
    # .0008^2/5 + .00046^2
    found = set_beside(OURS, Figure(0.0295, spread=0.00046))
    assert found is not None
    assert found.standard_error == pytest.approx((0.0008**2 / 5 + 0.00046**2) ** 0.5)
    assert (found.degrees, found.rests_on) == (4, "both spreads, published as of one run")


@pytest.mark.parametrize(("n", "runs"), [(None, 1), (1, 1), (3, 3)])
def test_a_published_figure_without_a_spread_spreads_as_ours_do(n: int | None, runs: int) -> None:
    found = set_beside(OURS, Figure(0.0295, n=n))
    assert found is not None
    assert found.standard_error == pytest.approx(0.0008 * (1 / 5 + 1 / runs) ** 0.5)
    assert (found.degrees, found.rests_on) == (4, "measured spread")


def test_a_spread_that_is_given_for_one_run_is_no_spread_over_runs() -> None:
    assert set_beside(OURS, Figure(0.0295, spread=0.00046, n=1)) == set_beside(OURS, Figure(0.0295, n=1))


def test_one_run_of_ours_spreads_as_theirs_do() -> None:
    found = set_beside(summarise([0.031]), Figure(0.0295, spread=0.0005, n=5))
    assert found is not None
    assert found.standard_error == pytest.approx(0.0005 * (1 + 1 / 5) ** 0.5)
    assert (found.degrees, found.rests_on) == (4, "published spread")


@pytest.mark.parametrize(
    ("measured", "published"),
    [
        (summarise([]), Figure(0.03, spread=0.001, n=5)),
        (summarise([0.031]), Figure(0.03)),
        (summarise([0.031]), Figure(0.03, spread=0.001)),
        (summarise([0.031]), Figure(0.03, n=5)),
        (summarise([0.031, 0.031]), Figure(0.03)),
        (summarise([0.031, 0.031]), Figure(0.03, spread=0.0, n=5)),
    ],
)
def test_where_no_spread_is_known_nothing_is_said(measured: Sample, published: Figure) -> None:
    assert set_beside(measured, published) is None


def test_figures_that_are_true_are_called_far_off_one_time_in_twenty() -> None:
    draw = np.random.default_rng(2026)
    found = [
        set_beside(summarise(draw.normal(size=5)), Figure(theirs.mean(), spread=theirs.std(ddof=1), n=5))
        for theirs in draw.normal(size=(1000, 5))
    ]
    far_off = sum(each.p <= 0.05 for each in found if each is not None)
    assert far_off / 1000 == pytest.approx(0.045, abs=0.02)  # Welch's test keeps rather below its level
