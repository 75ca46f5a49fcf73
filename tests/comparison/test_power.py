import numpy as np
import pytest
from scipy import stats

from mmix.comparison import planned
from mmix.comparison.power import Power, attained, of
from mmix.errors import SpecError


@pytest.mark.parametrize(("effect", "n"), [(0.2, 199), (0.5, 34), (0.8, 15)])
def test_small_medium_and_large_effects_take_the_pairs_that_tables_give(effect: float, n: int) -> None:
    # Source: G*Power 3 and R's pwr.t.test(d, power = 0.8, type = "paired"): 198.15, 33.37, 14.30, rounded up
    assert planned(difference=effect, std=1.0) == n


@pytest.mark.parametrize(("n", "ratio"), [(3, 1.0), (10, 0.5), (10, 1.0), (40, 0.3)])
def test_the_power_is_the_share_of_simulated_experiments_that_see_the_difference(n: int, ratio: float) -> None:
    differences = np.random.default_rng(7).normal(ratio, 1.0, size=(20_000, n))
    seen = (stats.ttest_1samp(differences, 0.0, axis=1).pvalue <= 0.05).mean()
    assert attained(difference=ratio, std=1.0, n=n) == pytest.approx(seen, abs=0.011)  # 3 standard errors


def test_it_is_the_noncentral_t_of_scipy() -> None:
    critical = stats.t.ppf(0.975, 9)
    both = stats.nct.sf(critical, 9, 0.5 * 10**0.5) + stats.nct.cdf(-critical, 9, 0.5 * 10**0.5)
    assert attained(difference=0.5, std=1.0, n=10) == pytest.approx(both, rel=1e-9)


def test_no_difference_is_seen_as_often_as_the_level_says() -> None:
    assert attained(difference=1e-12, std=1.0, n=10) == pytest.approx(0.05)


@pytest.mark.parametrize("ratio", [12.0, 13.0, 100.0, 1e6])
def test_what_is_plain_is_seen_for_sure(ratio: float) -> None:
    assert attained(difference=ratio, std=1.0, n=10) == pytest.approx(1.0)


@pytest.mark.parametrize("n", [2, 3, 10, 1_000, 1_000_000])
def test_the_power_grows_with_the_difference_and_is_a_number_throughout(n: int) -> None:
    found = [attained(difference=ratio, std=1.0, n=n) for ratio in np.geomspace(1e-4, 1e3, 50)]
    assert found == pytest.approx(np.maximum.accumulate(found), abs=1e-9)
    assert 0.05 <= min(found) <= max(found) <= 1 + 1e-12


def test_several_arms_need_more_seeds_as_holm_asks_more_of_the_first() -> None:
    # level .05 / 5 = .01: ((2.5758 + .8416) / .5)^2 = 46.7 by the normal distribution, and a few more for t
    assert planned(difference=0.5, std=1.0, arms=5) == 51
    assert (
        attained(difference=0.5, std=1.0, n=51, level=0.01) >= 0.8 > attained(difference=0.5, std=1.0, n=50, level=0.01)
    )


def test_the_power_of_a_comparison_names_its_level() -> None:
    found = of(difference=0.5, std=1.0, n=10, arms=5)
    assert found == Power(0.5, attained(difference=0.5, std=1.0, n=10, level=0.01), 51, 0.01)


def test_a_difference_that_is_tiny_takes_very_many_seeds_and_no_time() -> None:
    # ((1.959964 + .841621) / 1e-4)^2 = 784,887,989 by the normal distribution
    assert planned(difference=1e-4, std=1.0) == pytest.approx(784_887_989, rel=1e-6)


def test_two_are_the_fewest() -> None:
    assert planned(difference=1.0, std=1e-6) == 2


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"difference": 0.0}, "difference is 0.0"),
        ({"difference": float("nan")}, "difference is nan"),
        ({"std": -1.0}, "std is -1.0"),
        ({"arms": 0}, "arms is 0"),
        ({"power": 1.0}, "power is 1.0"),
    ],
)
def test_numbers_that_can_not_be_meant_are_refused(wrong: dict[str, float], named: str) -> None:
    with pytest.raises(SpecError, match=named):
        planned(**{"difference": 0.5, "std": 1.0, **wrong})  # type: ignore[arg-type]
