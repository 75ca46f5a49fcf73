import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import betainc, betaincinv

from mmix.mixing.quantile import beta_quantile

# Near u = 1/2 a quantile changes by 1 / (4 a) times as much as u: at a = 1e-4, where u ends at 1e-16, by 1e-12.
TOLERANCE = 1e-11


def quantiles(a: list[float], u: list[float]) -> list[float]:
    found: list[float] = beta_quantile(
        torch.tensor(a, dtype=torch.float64), torch.tensor(u, dtype=torch.float64)
    ).tolist()
    return found


@given(exponent=st.floats(-4, 0), u=st.floats(0, 0.5))
def test_below_a_quantile_lies_its_probability(exponent: float, u: float) -> None:
    a = 10**exponent
    # Where the quantile is smaller than any number, so is not its probability.
    smallest = betainc(a, a, 5e-324)
    assert betainc(a, a, quantiles([a], [u])) == pytest.approx([u], rel=1e-11, abs=max(1e-12, smallest))


@given(exponent=st.floats(-4, 0), u=st.floats(0.5, 1, exclude_min=True, exclude_max=True))
def test_quantiles_are_symmetric(exponent: float, u: float) -> None:
    below, above = quantiles([10**exponent] * 2, [1 - u, u])
    assert above == 1 - below


def test_many_quantiles_are_scipys_over_the_whole_range() -> None:
    a, u = (
        grid.ravel() for grid in np.meshgrid(np.geomspace(1e-4, 1, 60), np.linspace(0, 1 - 2**-53, 200))
    )  # not at 1/2, where scipy errs by 1e-8
    assert quantiles(a.tolist(), u.tolist()) == pytest.approx(betaincinv(a, a, u).tolist(), abs=TOLERANCE)


@pytest.mark.parametrize("u", [1e-300, 1e-100, 1e-16, 1e-8, 0.01])
@pytest.mark.parametrize("a", [0.01, 0.1, 0.5, 1.0])
def test_tiny_quantiles_are_right_to_their_last_digits_too(a: float, u: float) -> None:
    # The logarithm of the quantile is that of u by a: its last bit weighs 1 / a times as much.
    assert quantiles([a], [u]) == pytest.approx([betaincinv(a, a, u)], rel=1e-11, abs=1e-300)


def test_the_uniform_distribution_is_its_own_quantile() -> None:
    u = np.linspace(0, 0.999, 100).tolist()
    assert quantiles([1.0] * 100, u) == pytest.approx(u, abs=TOLERANCE)


@pytest.mark.parametrize("a", [1e-4, 0.01, 0.3, 1.0])
def test_a_distribution_begins_at_0_and_has_its_middle_at_one_half(a: float) -> None:
    assert quantiles([a, a], [0.0, 0.5]) == [0, pytest.approx(0.5, abs=TOLERANCE)]


def test_what_is_no_number_stays_none() -> None:
    assert np.isnan(quantiles([np.nan, 0.5, np.nan], [0.3, 0.3, 0.0])).tolist() == [True, False, True]
