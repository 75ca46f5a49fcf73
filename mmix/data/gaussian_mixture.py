"""The ConfMix manuscript's toy family: classes that are mixtures of Gaussians, so that the best rule is known."""

import math
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from torch import Tensor

from mmix.mixing.draw import generator
from mmix.spec.data import GaussianMixture

_CELLS = 2**22  # distances held at once: 32 MB


@dataclass(frozen=True, eq=False)
class BayesRule:
    """The prediction that errs least where all classes are equally likely. means: (K, N, D), float64.

    Source: the ConfMix manuscript, section 2: h*(x) = argmax_k sum_i exp(-|x - mu_ki|^2 / 2 sigma^2).
    """

    means: Tensor
    sigma: float

    def __call__(self, x: Tensor) -> Tensor:
        """x: (M, D), any float dtype. (M,), int64, on the device of the means."""
        return self.log_density(x).argmax(1)

    def log_density(self, x: Tensor) -> Tensor:
        """The logarithm of each class's density at each point, (M, K), float64, on the device of the means.

        x: (M, D), any float dtype.
        """
        classes, components, dimensions = self.means.shape
        rows = max(1, _CELLS // (classes * components))
        kernels = torch.cat([self._log_kernels(part) for part in x.to(self.means).split(rows)])  # type: ignore[no-untyped-call]
        return kernels - math.log(components) - dimensions / 2 * math.log(2 * math.pi * self.sigma**2)

    def sample(self, draw: np.random.Generator, labels: Tensor) -> Tensor:
        """A point of each label's class, (M, D), float64. labels: (M,), int64."""
        _, components, dimensions = self.means.shape
        chosen = torch.from_numpy(draw.integers(components, size=len(labels)))
        noise = torch.from_numpy(draw.standard_normal((len(labels), dimensions)))
        return self.means[labels, chosen.to(labels.device)] + self.sigma * noise.to(self.means)

    def to(self, device: torch.device | str) -> Self:
        """The same rule on a device."""
        return type(self)(means=self.means.to(device), sigma=self.sigma)

    def _log_kernels(self, x: Tensor) -> Tensor:
        """log sum_i exp(-|x - mu_ki|^2 / 2 sigma^2), (M, K)."""
        distances = (x[:, None, None] - self.means).square().sum(-1)
        return torch.logsumexp(-distances / (2 * self.sigma**2), dim=-1)


def bayes_rule(data: GaussianMixture) -> BayesRule:
    """The rule of the data set that the spec's seed draws."""
    draw = generator(seed=data.seed, purpose="points", epoch=0)
    means = draw.uniform(*data.mean_range, size=(data.classes, data.components, 2))
    return BayesRule(means=torch.from_numpy(means), sigma=draw.uniform(*data.sigma_range))
