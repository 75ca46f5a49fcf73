"""Points in the plane, drawn from a seed: they need no files."""

import math

import numpy as np
import torch
from torch import Tensor

from mmix.data.dataset import Dataset, Split, Statistics, checksum
from mmix.data.gaussian_mixture import BayesRule, bayes_rule
from mmix.mixing.draw import generator
from mmix.spec.data import GaussianMixture, Spirals

RAW = Statistics(mean=torch.zeros(2), std=torch.ones(2))
_TRAIN, _TEST = 1, 2  # groups of the table of points; group 0 holds what all points share


def gaussian_mixture(data: GaussianMixture) -> Dataset:
    """Points of a drawn mixture, with its Bayes rule. The test points don't depend on how many train."""
    rule = bayes_rule(data)
    splits = [
        _mixed(rule, draw, size)
        for draw, size in ((_draw(data.seed, _TRAIN), data.points), (_draw(data.seed, _TEST), data.test_size))
    ]
    return _dataset(data, splits, rule)


def spirals(data: Spirals) -> Dataset:
    """Arms that wind `turns` times around the origin, one unit of radius a turn, with Gaussian noise on both axes."""
    splits = [
        _wound(data, draw, size)
        for draw, size in ((_draw(data.seed, _TRAIN), data.points), (_draw(data.seed, _TEST), data.test_size))
    ]
    return _dataset(data, splits, None)


def _draw(seed: int, group: int) -> np.random.Generator:
    return generator(seed=seed, purpose="points", epoch=0, group=group)


def _dataset(data: GaussianMixture | Spirals, splits: list[Split], rule: BayesRule | None) -> Dataset:
    train, test = splits
    classes = tuple(map(str, range(data.classes)))
    return Dataset(data.kind, train, test, classes, RAW, checksum(splits), rule=rule)


def _mixed(rule: BayesRule, draw: np.random.Generator, size: int) -> Split:
    y = _labels(draw, classes=len(rule.means), size=size)
    return Split(x=rule.sample(draw, y).float(), y=y)


def _wound(data: Spirals, draw: np.random.Generator, size: int) -> Split:
    y = _labels(draw, classes=data.classes, size=size)
    way = np.sqrt(draw.uniform(size=size))  # the root spreads the points evenly along the arm
    angle = 2 * math.pi * (data.turns * way + y.numpy() / data.classes)
    arms = data.turns * way[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    x = arms + data.noise * draw.standard_normal((size, 2))
    return Split(x=torch.from_numpy(x.astype(np.float32)), y=y)


def _labels(draw: np.random.Generator, *, classes: int, size: int) -> Tensor:
    return torch.from_numpy(draw.integers(classes, size=size))
