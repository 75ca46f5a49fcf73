import math

import numpy as np
import pytest
import torch
from torch import Tensor

from mmix.data.gaussian_mixture import BayesRule
from mmix.data.toys import gaussian_mixture
from mmix.evaluation.metrics import metrics
from mmix.evaluation.risk import DRAWS, mixing_bounds, risks
from mmix.spec.data import GaussianMixture


def rule(means: list[list[list[float]]], sigma: float) -> BayesRule:
    return BayesRule(means=torch.tensor(means, dtype=torch.float64), sigma=sigma)


SEPARATE = rule([[[-10.0, 0.0]], [[10.0, 0.0]]], 0.5)  # a class is one Gaussian: mixtures stay inside
ALTERNATE = rule([[[-10.0, 0.0], [10.0, 0.0]], [[0.0, 0.0], [0.0, 0.0]]], 0.1)  # the first class lies around the other
TWO = rule([[[-1.0, 0.0]], [[1.0, 0.0]]], 1.0)
NOISE = 4 * math.sqrt(0.25 / (2 * DRAWS))  # four standard errors


def one_hot(labels: Tensor, classes: int) -> Tensor:
    return torch.nn.functional.one_hot(labels, classes).float()


def test_no_bound_for_one_gaussian_a_class() -> None:
    assert mixing_bounds(SEPARATE, seed=0) == {"mmlb": 0, "normalised_mmlb": 0}


def test_the_bound_where_it_can_be_worked_out() -> None:
    # Half of the outer class's pairs join both ends, and of these the middle half (|x| < 5) is taken for the inner.
    found = mixing_bounds(ALTERNATE, seed=0)
    assert found["normalised_mmlb"] == pytest.approx((1 / 4 + 0) / 2, abs=NOISE)
    assert found["mmlb"] == pytest.approx((1 / 4 * 1 / 4 + 1 / 4 * 0), abs=NOISE / 2)


def test_the_normalised_bound_divides_by_the_chance_of_one_class() -> None:
    for classes in (2, 3, 5):
        data = gaussian_mixture(GaussianMixture(kind="gaussian_mixture", classes=classes, test_size=10))
        assert data.rule is not None
        found = mixing_bounds(data.rule, seed=0)
        assert 0 < found["normalised_mmlb"] < 1
        assert found["normalised_mmlb"] == pytest.approx(classes * found["mmlb"])  # sum of pi_k^2 is 1 / K


def test_the_bound_follows_from_its_seed() -> None:
    assert mixing_bounds(ALTERNATE, seed=1) == mixing_bounds(ALTERNATE, seed=1)
    assert mixing_bounds(ALTERNATE, seed=1) != mixing_bounds(ALTERNATE, seed=2)


def test_the_bayes_risk_of_two_gaussians_is_the_known_one() -> None:
    labels = torch.arange(20_000) % 2
    x = TWO.sample(np.random.default_rng(0), labels)
    found = risks(one_hot(TWO(x), 2), labels, x=x, rule=TWO)
    known = 0.5 * math.erfc(1 / math.sqrt(2))  # each mean is one sigma from the boundary
    assert found["bayes_risk"] == pytest.approx(known, abs=NOISE)
    assert found["excess_risk"] == found["relative_excess_risk"] == 0


def test_the_excess_is_the_error_beyond_the_best_on_the_same_points() -> None:
    data = gaussian_mixture(GaussianMixture(kind="gaussian_mixture", classes=3))
    assert data.rule is not None
    logits = torch.randn(len(data.test), 3, generator=torch.Generator().manual_seed(0))
    found = risks(logits, data.test.y, x=data.test.x, rule=data.rule)
    assert found["excess_risk"] == pytest.approx(metrics(logits, data.test.y)["error"] - found["bayes_risk"])
    assert found["relative_excess_risk"] == pytest.approx(found["excess_risk"] / found["bayes_risk"])


def test_there_is_no_relative_excess_over_nothing() -> None:
    labels = torch.arange(100) % 2
    x = SEPARATE.sample(np.random.default_rng(0), labels)
    assert risks(one_hot(1 - labels, 2), labels, x=x, rule=SEPARATE) == {"bayes_risk": 0, "excess_risk": 1}
