from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.special import logsumexp
from scipy.stats import multivariate_normal
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from mmix.data.dataset import Dataset
from mmix.data.gaussian_mixture import BayesRule, bayes_rule
from mmix.data.load import load
from mmix.mixing.draw import generator
from mmix.spec.data import GaussianMixture, Spirals

TOYS = (GaussianMixture(kind="gaussian_mixture", classes=3), Spirals(kind="spirals", classes=3))
of_every_toy = pytest.mark.parametrize("toy", TOYS, ids=lambda toy: toy.kind)


def mixture(**fields: object) -> Dataset:
    return load(GaussianMixture.model_validate({"kind": "gaussian_mixture", **fields}), Path())


def rule(classes: int = 3, components: int = 4, sigma: float = 0.7) -> BayesRule:
    draw = generator(seed=11, purpose="points", epoch=0)
    return BayesRule(torch.from_numpy(draw.uniform(-4, 4, size=(classes, components, 2))), sigma)


@of_every_toy
def test_points_are_raw_coordinates_and_a_pure_function_of_the_seed(toy: GaussianMixture | Spirals) -> None:
    first, again = load(toy, Path()), load(toy, Path())
    other = load(toy.model_copy(update={"seed": 1}), Path())
    assert (first.train.x.dtype, first.train.y.dtype, first.shape) == (torch.float32, torch.int64, (2,))
    assert (len(first.train), len(first.test), first.classes) == (1000, 10_000, ("0", "1", "2"))
    assert (first.statistics.mean.tolist(), first.statistics.std.tolist()) == ([0, 0], [1, 1])
    assert first.checksum == again.checksum != other.checksum


@of_every_toy
def test_training_and_test_points_are_others(toy: GaussianMixture | Spirals) -> None:
    data = load(toy.model_copy(update={"test_size": 1000}), Path())
    assert not set(map(tuple, data.train.x.tolist())) & set(map(tuple, data.test.x.tolist()))


@of_every_toy
def test_the_test_points_do_not_depend_on_how_many_train(toy: GaussianMixture | Spirals) -> None:
    few, many = (load(toy.model_copy(update={"points": points}), Path()) for points in (10, 5000))
    assert torch.equal(few.test.x, many.test.x)


@of_every_toy
def test_classes_are_equally_likely(toy: GaussianMixture | Spirals) -> None:
    counts = load(toy, Path()).test.y.bincount(minlength=3)
    # six standard deviations of a binomial count: 6 * sqrt(10000 * 1/3 * 2/3) = 283
    assert ((counts - 10_000 / 3).abs() < 283).all()


def test_means_and_sigma_lie_in_their_ranges_and_fill_them() -> None:
    specs = [
        GaussianMixture(kind="gaussian_mixture", mean_range=(-1.0, 3.0), sigma_range=(0.2, 0.6), seed=seed)
        for seed in range(200)
    ]
    means = torch.stack([bayes_rule(spec).means for spec in specs])
    sigmas = torch.tensor([bayes_rule(spec).sigma for spec in specs])
    assert means.shape == (200, 2, 5, 2)
    assert -1 <= means.min() < -0.95 < 2.95 < means.max() <= 3
    assert 0.2 <= sigmas.min() < 0.22 < 0.58 < sigmas.max() <= 0.6


def test_log_densities_are_scipys() -> None:
    found, points = rule(), np.random.default_rng(0).normal(scale=5, size=(200, 2))
    components = [[multivariate_normal(mean, found.sigma**2) for mean in means] for means in found.means.numpy()]
    expected = [
        logsumexp([component.logpdf(points) for component in of_class], axis=0) - np.log(4) for of_class in components
    ]
    # float64: rounding of sums of a few terms
    assert np.allclose(
        found.log_density(torch.from_numpy(points)).numpy(), np.array(expected).T, rtol=1e-12, atol=1e-12
    )


def test_far_points_have_finite_densities_and_large_problems_are_cut_into_pieces() -> None:
    assert rule(sigma=0.01).log_density(torch.tensor([[1e4, -1e4]])).isfinite().all()
    large = rule(classes=100, components=1000)
    points = torch.randn(50, 2)
    assert torch.equal(large.log_density(points)[17], large.log_density(points[17:18])[0])


def test_the_bayes_rule_of_one_gaussian_a_class_is_the_linear_discriminant() -> None:
    found, points = rule(classes=4, components=1), torch.randn(2000, 2, dtype=torch.float64) * 4
    # fitted to four corners around each mean, the discriminant's means and shared covariance are the true ones
    corners = found.sigma * torch.tensor([[1.0, 1.0], [1, -1], [-1, 1], [-1, -1]])
    x = (found.means + corners).reshape(-1, 2)
    discriminant = LinearDiscriminantAnalysis(solver="lsqr", priors=np.full(4, 0.25))
    discriminant.fit(x.numpy(), np.repeat(np.arange(4), 4))
    assert np.allclose(discriminant.means_, found.means[:, 0].numpy())
    assert np.array_equal(found(points).numpy(), discriminant.predict(points.numpy()))


def test_the_data_sets_rule_is_the_one_its_points_come_from() -> None:
    data = mixture(classes=2, components=1, sigma_range=[0.5, 0.5], test_size=100_000)
    assert data.rule is not None
    distance = (data.rule.means[0, 0] - data.rule.means[1, 0]).norm().item()
    bayes_risk = 0.5 * float(torch.erfc(torch.tensor(distance / 2 / 0.5 / 2**0.5)))
    measured = (data.rule(data.test.x) != data.test.y).double().mean().item()
    # six standard deviations of a share of 100,000
    assert measured == pytest.approx(bayes_risk, abs=6 * (bayes_risk * (1 - bayes_risk) / 1e5) ** 0.5 + 1e-5)


@pytest.mark.parametrize("shift", [lambda means: means + 0.3, lambda means: means.flip(1, 2) * 1.1])
def test_no_other_rule_errs_less(shift: Callable[[torch.Tensor], torch.Tensor]) -> None:
    data = mixture(classes=4, seed=3)
    assert data.rule is not None
    other = BayesRule(shift(data.rule.means), data.rule.sigma)
    best, worse = ((found(data.test.x) != data.test.y).double().mean() for found in (data.rule, other))
    assert best < worse


def test_samples_of_a_class_have_its_mean_and_spread() -> None:
    found = rule()
    labels = torch.full((200_000,), 1)
    points = found.sample(generator(seed=0, purpose="mmlb", epoch=0), labels)
    assert points.dtype == torch.float64
    variance = found.means[1].var(0, correction=0) + found.sigma**2
    # six standard errors of a mean of 200,000
    assert ((points.mean(0) - found.means[1].mean(0)).abs() < 6 * (variance / 200_000).sqrt()).all()
    assert torch.allclose(points.var(0), variance, rtol=0.02)


def test_spirals_without_noise_are_interleaved_arms() -> None:
    data = load(Spirals(kind="spirals", classes=3, turns=2.0, noise=0.0), Path())
    x, y = data.test.x.double(), data.test.y
    radius = x.norm(dim=1)
    assert radius.max() == pytest.approx(2.0, abs=0.01)
    # points are even along an arm: within half the radius lies a quarter; six standard deviations of 10,000
    assert (radius < 1).double().mean().item() == pytest.approx(0.25, abs=0.026)
    angle = torch.atan2(x[:, 1], x[:, 0]) / (2 * torch.pi)
    arm = (angle - radius) * 3 - y
    # float32 coordinates: the angle of points near the origin is the least exact
    assert ((arm / 3 - (arm / 3).round()).abs()[radius > 0.05] < 1e-5).all()


def test_noise_around_spirals_has_its_spread() -> None:
    noisy, exact = (load(Spirals(kind="spirals", noise=noise), Path()) for noise in (0.2, 0.0))
    difference = noisy.test.x - exact.test.x
    # six standard errors of a deviation over 20,000 values: 6 * 0.2 / sqrt(40000)
    assert difference.std().item() == pytest.approx(0.2, abs=0.006)
